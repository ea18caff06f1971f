"""The language server and the notebook magic."""
