"""Recipe and data -> trained weights."""
