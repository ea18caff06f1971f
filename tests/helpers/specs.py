"""Short ways to make specs and to ask what is wrong with them."""

from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import Graph
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_spec

SHIPPED = sorted(specs_directory().glob("*.arch"))
TRAIN = "train {\n data cifar10\n epochs 1\n batch 8\n optimizer adam(1e-3)\n}\n"


def text_of(model: str, items: str = "", size: str = "3x8x8") -> str:
    """A spec with a model of these stages; `items` stand before it."""
    return f"arch test\ninput {size}\n{items}\nmodel {{\n{model}\n}}\n"


def parse(text: str) -> nodes.Spec:
    return parse_spec(Source("test.arch", text))


def graph_of(model: str, items: str = "", size: str = "3x8x8") -> Graph:
    return analyze_text(text_of(model, items, size)).graph


def paths_of(model: str, items: str = "", size: str = "3x8x8") -> list[str]:
    return [node.path for node in graph_of(model, items, size).nodes]


def errors_of(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        analyze_text(text)
    return caught.value.diagnostics


def codes_of(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in errors_of(text)]


def write_specs(folder: Path, **texts: str) -> Path:
    """Write `name.arch` for each text; the path of the first."""
    for name, text in texts.items():
        (folder / f"{name}.arch").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(texts))}.arch"
