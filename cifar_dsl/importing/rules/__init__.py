"""What operations of ATen are in the language; importing this package fills `RULES`."""

from cifar_dsl.importing.rules import joins, layers, views

__all__ = ["joins", "layers", "views"]
