"""Readable views of a graph and a recipe: annotated source, flat text, pictures, differences, the reference."""
