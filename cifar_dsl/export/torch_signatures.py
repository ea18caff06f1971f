"""Writes the table of the arguments of torch's modules: `python -m cifar_dsl.export.torch_signatures`.

The printer reads the table, so that it needs no torch.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

from cifar_dsl.export.source.torch_modules import REQUIRED

_OPERATIONS = Path(__file__).parents[1] / "operations" / "layers"
_TABLE = Path(__file__).parent / "source" / "torch_signatures.json"


def signature(cls: type) -> dict[str, Any]:
    """The arguments of a constructor, each with its default as JSON has it."""
    parameters = [*inspect.signature(cls).parameters.values()]
    named = [one for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]
    return {one.name: REQUIRED if one.default is inspect.Parameter.empty else one.default for one in named}


def table() -> dict[str, dict[str, Any]]:
    """The signatures of the modules of torch that operations mention."""
    from torch import nn

    text = "".join(path.read_text(encoding="utf-8") for path in _OPERATIONS.glob("*.py"))
    mentioned = set(re.findall(r"torch\.nn\.(\w+)", text))  # BatchNorm, of which the dimensions follow
    names = [name for name in vars(nn) if {name, re.sub(r"\dd$", "", name)} & mentioned]
    classes = {name: getattr(nn, name) for name in names if inspect.isclass(getattr(nn, name))}
    return {f"torch.nn.{name}": signature(cls) for name, cls in sorted(classes.items())}


if __name__ == "__main__":
    lines = [f"  {json.dumps(name)}: {json.dumps(arguments)}" for name, arguments in table().items()]
    _TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
