"""What a spec can say: kinds of arguments, layers and joins, settings of a recipe."""
