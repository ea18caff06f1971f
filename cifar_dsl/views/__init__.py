"""A graph or a recipe as something to read: text, pictures, differences."""
