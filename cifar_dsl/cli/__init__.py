"""The command line. One file is one command; torch is imported inside those that need it."""

from cifar_dsl.cli.main import main

__all__ = ["main"]
