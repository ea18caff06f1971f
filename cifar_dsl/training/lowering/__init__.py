"""IR -> something that runs. Backends don't import each other."""
