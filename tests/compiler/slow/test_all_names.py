"""Every name of the language can be defined, so a version that adds one changes no spec."""

from helpers.free_names import BLOCK, VALUES, operations

from cifar_dsl.compiler.builtin_names import BUDGETS, DATA_NAMES, FLOW_NAMES, FUNCTIONS
from cifar_dsl.compiler.library import library_index
from cifar_dsl.compiler.module_names import MODULE_ATTRIBUTES
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.language.syntax import KEYWORDS
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS, SCOPES
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS

VALUE_NAMES = {*FUNCTIONS, *FLOW_NAMES, *DATA_NAMES, *BUDGETS, *INITIALIZERS, *SYMBOLS, *TYPES}
NAMES = {
    *VALUE_NAMES,
    *LAYERS,
    *library_index(),
    *MODULE_ATTRIBUTES,
    *SETTINGS,
    *GROUP_SETTINGS,
} - KEYWORDS | {*JOINS, *SCOPES}
# Names that the texts themselves mention as those of the language.
OWN = {"conv", "tanh", "elu", "scale", "flatten", "sigmoid", "identity", "first"}


def test_as_values() -> None:
    expected = operations(VALUES.replace("NAME", "zzz"))
    for name in sorted(NAMES - OWN - BUDGETS.keys()):
        assert operations(VALUES.replace("NAME", name)) == expected, name


def test_as_blocks() -> None:
    expected = operations(BLOCK.replace("NAME", "zzz"))
    for name in sorted(NAMES - OWN):
        assert operations(BLOCK.replace("NAME", name)) == expected, name
