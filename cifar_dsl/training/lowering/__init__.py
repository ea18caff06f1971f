"""Lowering: a graph becomes a torch module."""
