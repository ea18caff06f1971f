"""Modules of files in Python: importing one runs the code of the file."""

import ast
import importlib.util
import linecache
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import shortened
from cifar_dsl.language.diagnostics import nearest

if TYPE_CHECKING:
    from torch import nn


def split_factory(text: str) -> tuple[Path, str]:
    """The file and the name in `FILE.py:NAME`. Raises UserError."""
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise UserError(
            f"`{text}` isn't FILE.py:NAME",
            "name a Python file, and after a colon a function or class in it that makes the network without arguments: "
            "`models.py:resnet18`",
        )
    path = Path(file)
    if not path.is_file():
        raise UserError(f"there is no file {path}")
    return path, name


def made_by(path: Path, name: str) -> "nn.Module":
    """Run a file, then call the function or class of this name in it. Raises UserError."""
    from torch import nn

    factory = getattr(_run(path), name, None)
    if factory is None:
        tree = ast.parse("".join(linecache.getlines(str(path))))
        defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        near = nearest(name, defined)
        advice = (
            f"did you mean `{path}:{near}`?" if near else f"it defines {shortened([f'`{one}`' for one in defined])}"
        )
        raise UserError(f"{path} defines no `{name}`", *([advice] if defined else []))
    if isinstance(factory, nn.Module):
        return factory
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise UserError(
            f"`{name}()` of {path} raises {_described(error)}",
            "define a function without arguments that makes the network, and name it instead",
        ) from error
    if not isinstance(made, nn.Module):
        raise UserError(f"`{name}()` of {path} makes no torch.nn.Module, but a {type(made).__name__}")
    return made


def _run(path: Path) -> Any:
    name = path.stem
    spec = importlib.util.spec_from_file_location(f"cifar_dsl_imported_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"running {path} raises {_described(error)}", "check that `python` runs it") from error
    finally:
        sys.path.pop(0)
    return module


def _described(error: BaseException) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def spec_name(name: str) -> str:
    """The name of the spec of a factory: `ResNet18` is `resnet18`, `makeNet` is `make_net`."""
    words = re.sub(r"\W+", "_", name).lower().strip("_")
    return words if words[:1].isalpha() else f"network_{words}"
