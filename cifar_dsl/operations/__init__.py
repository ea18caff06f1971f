"""Everything that a spec can name: argument types, layers and joins, settings of a recipe."""
