"""Packages that only some uses need, and that an extra of cifar_dsl installs."""

import importlib
from collections.abc import Sequence
from typing import Any

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import listed


def required(package: str, use: str, extra: str, *others: str) -> Any:
    """Import a package that `use` needs. Raises UserError if that fails; see `missing`."""
    root = package.partition(".")[0]
    try:
        return importlib.import_module(package)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == root:
            raise missing(use, [root], extra, *others) from error
        raise UserError(
            f"{use} needs {root}, which can't be imported",
            f"reinstall it: pip install --force-reinstall {root}",
            *others,
            reason=f"{error}",
        ) from error


def missing(use: str, packages: Sequence[str], extra: str, *others: str) -> UserError:
    """The error that packages aren't installed that `use` needs. `others` are ways to do without, as help."""
    verb = "is" if len(packages) == 1 else "are"
    message = f"{use} needs {listed(packages, 'and')}, which {verb} not installed"
    return UserError(message, f"install the extra: {install_command(extra)}", *others)


def install_command(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'cifar-dsl[{extra}]'"
