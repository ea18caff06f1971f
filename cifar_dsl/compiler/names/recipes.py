"""Resolves the names in `train`."""

from collections.abc import Iterable, Sequence

from cifar_dsl.compiler.builtin_names import DATA_NAMES
from cifar_dsl.compiler.names.expressions import Expressions
from cifar_dsl.compiler.names.lookup import Lookup
from cifar_dsl.compiler.names.scope import Scope, of_language
from cifar_dsl.compiler.names.sorts import ANYWHERE, Place, place_of_kind
from cifar_dsl.compiler.names.table import Definition, Kind
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS


class Recipes:
    """Resolves the names in the settings of recipes."""

    def __init__(self, lookup: Lookup, expressions: Expressions) -> None:
        self._lookup = lookup
        self._expressions = expressions

    def train(self, settings: Sequence[nodes.Setting | nodes.Group]) -> None:
        """Record the mentions in `train`."""
        for setting in settings:
            if isinstance(setting, nodes.Group):
                self.settings(setting.settings, "group")
            else:
                self.settings([setting], "train")

    def settings(self, settings: Iterable[nodes.Setting], place: str) -> None:
        """Record the mentions in settings of `train` or of a group."""
        known = SETTINGS if place == "train" else GROUP_SETTINGS
        for setting in settings:
            name, *path = setting.target
            self._lookup.note(name.span, of_language("setting", name.text, place), setting.span)
            info = known.get(name.text)
            registry = info.registry if info else None
            owner = name.text
            for word in path:
                if len(path) > 1 and registry is not None and word.text in registry:
                    self._lookup.note(word.span, of_language("choice", word.text, owner), setting.span)
                    owner = f"{name.text}.{word.text}"
                else:
                    self._lookup.note(word.span, of_language("argument", word.text, owner), setting.span)
            for element in setting.chain.elements:
                if registry is not None and not path:
                    self._choice(name.text, element.kind)
                else:
                    fitting = place_of_kind(info.kind) if info and not path else ANYWHERE
                    self._setting_value(element.kind, fitting, is_checked=info is not None)

    def _choice(self, setting: str, kind: nodes.Expression | nodes.Compound) -> None:
        match kind:
            case nodes.Name(text=text, span=span):
                self._lookup.note(span, of_language("choice", text, setting))
            case nodes.CallExpression(callee=callee):
                definition = of_language("choice", callee.text, setting)
                self._lookup.note(callee.span, definition, kind.span)
                self._expressions.arguments(kind, definition, Scope())
            case _:
                pass  # reported by `recipe`

    def _setting_value(self, kind: nodes.Expression | nodes.Compound, place: Place, *, is_checked: bool) -> None:
        """Resolve a value: a name that is no param or built-in value is a word, which its setting checks later."""
        match kind:
            case nodes.Name(text=text, span=span):
                found = self._lookup.fitting(kind, Scope(), place)
                if found is None and text not in DATA_NAMES and text not in SYMBOLS:
                    found = self._lookup.globals.get(text)
                word: Kind = "dataset" if text in DATA_NAMES else "word"
                self._lookup.note(span, found or of_language(word, text))
            case nodes.CallExpression(callee=callee) if not is_checked:
                self._expressions.arguments(
                    kind, self._lookup.note(callee.span, Definition("unknown", callee.text)), Scope()
                )
            case nodes.Branched() | nodes.For() | nodes.Repeat() | nodes.If():
                pass  # reported by `recipe`
            case _:
                self._expressions.expression(kind, Scope(), place)
