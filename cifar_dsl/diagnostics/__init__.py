"""What a spec's author is told when something is wrong: findings as data, and how they are shown."""

from cifar_dsl.diagnostics.codes import CODES, Code
from cifar_dsl.diagnostics.model import Diagnostic, Label, Reporter, SpecError, nearest
from cifar_dsl.diagnostics.render import render_concise, render_full, render_json

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "Label",
    "Reporter",
    "SpecError",
    "nearest",
    "render_concise",
    "render_full",
    "render_json",
]
