"""Diagnostics: errors and warnings about specs as data, and their output formats."""

from cifar_dsl.language.diagnostics.codes import known_codes
from cifar_dsl.language.diagnostics.formats import render_concise, render_github, render_json, render_sarif
from cifar_dsl.language.diagnostics.grouping import grouped
from cifar_dsl.language.diagnostics.model import (
    Advice,
    Diagnostic,
    Edit,
    Fix,
    Label,
    SpecError,
    replacement,
)
from cifar_dsl.language.diagnostics.render import render_full
from cifar_dsl.language.diagnostics.reporter import STEPS_AFTER_ERROR, Cause, EvaluationFailed, Reporter
from cifar_dsl.language.diagnostics.spelling import nearest

__all__ = [
    "STEPS_AFTER_ERROR",
    "Advice",
    "Cause",
    "Diagnostic",
    "Edit",
    "EvaluationFailed",
    "Fix",
    "Label",
    "Reporter",
    "SpecError",
    "grouped",
    "known_codes",
    "nearest",
    "render_concise",
    "render_full",
    "render_github",
    "render_json",
    "render_sarif",
    "replacement",
]
