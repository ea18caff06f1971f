"""Packages that only some uses need, and that an extra of cifar_dsl installs."""

import importlib
from typing import Any

from cifar_dsl.foundation.errors import UserError


def required(package: str, use: str, extra: str) -> Any:
    """Import a package that `use` needs. Raises UserError if it isn't installed, naming the extra that has it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        root = package.partition(".")[0]
        raise UserError(
            f"{use} needs {root}, which is not installed", f"install the extra: pip install 'cifar-dsl[{extra}]'"
        ) from error
