"""What may be typed at a place, also while the text around it doesn't parse."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from attrs import define, field
from lsprotocol import types

from cifar_dsl.compiler.types import TYPES
from cifar_dsl.editors.language_server import suggestions, vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.families import global_names
from cifar_dsl.editors.language_server.lookup import called, setting_of
from cifar_dsl.editors.language_server.sketch import Frame, Named, Sketch
from cifar_dsl.editors.language_server.suggestions import Suggestion
from cifar_dsl.editors.language_server.tokens import Token, tokens_of
from cifar_dsl.language.diagnostics import CODES
from cifar_dsl.language.source import Span
from cifar_dsl.operations.layers import JOINS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting

_WORD = re.compile(r"[A-Za-z0-9_]*\Z")
_ALLOW = re.compile(r"#\s*allow:[A-Za-z0-9,\s]*\Z")
_VALUES_FOLLOW = frozenset(["if", "else", "and", "or", "not", "in", "assert", "repeat"])
_IN_EXPRESSIONS = ("if", "else", "and", "or")
_REACH = 2000  # characters in which a call is expected to end


def completions(documents: Documents, path: Path, offset: int, *, snippets: bool) -> list[types.CompletionItem]:
    """What may stand at a place, in place of the word that ends there; with `snippets`, texts with places to fill."""
    source = documents.source(path)
    if source is None:
        return []
    start = _WORD.search(source.text[:offset]).start()  # type: ignore[union-attr]  # it takes the empty word too
    before = tokens_of(source.text, start)
    inside = before[-1] if before and before[-1].end == start else None
    if inside is not None and inside.kind == "comment":
        found = _codes() if _ALLOW.match(inside.text) else []
    elif inside is not None and inside.kind == "string" and (len(inside.text) == 1 or inside.text[-1] != '"'):
        return _quoted(documents, path, inside, offset)
    elif source.text[start:offset][:1].isdigit():
        found = []
    else:
        sketch = Sketch.of(source.text, start)
        whole = Sketch.of(source.text[:start] + source.text[offset:])
        found = list(_Completer(documents, path, sketch, whole, source.text[offset:]).found())
    is_called = source.text[offset : offset + 1] == "("
    return suggestions.items(found, snippets=snippets, is_called=is_called)


def _codes() -> list[Suggestion]:
    kind = types.CompletionItemKind.EnumMember
    return [Suggestion(code.id, kind, code.title) for code in CODES.values() if code.severity == "warning"]


def _quoted(documents: Documents, path: Path, quote: Token, offset: int) -> list[types.CompletionItem]:
    """What may stand in quotes that are open: the file that a spec extends."""
    source = documents.source(path)
    assert source is not None
    line = [token.text for token in Sketch.of(source.text, quote.start).innermost.line]
    if line[:1] != ["arch"] or line[-1:] != ["extends"]:
        return []
    rest = re.match(r'[^"\n]*"?', source.text[offset:])
    end = offset + (rest.end() if rest else 0)
    place = documents.positions.range(Span(source, quote.start, end))
    return suggestions.items(suggestions.files(documents, path), place=place)


@define
class _Completer:
    """Finds what may follow a sketch. `whole` is the text without the word that is typed, `behind` what follows it."""

    documents: Documents
    path: Path
    sketch: Sketch
    whole: Sketch
    behind: str
    _globals: dict[str, tuple[Path, Named]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Gather the params and blocks that may be used; those of the text itself without the word that is typed."""
        own = {name: (self.path, named) for name, named in self.whole.names.items()}
        others = global_names(self.documents, self.path)
        self._globals = own | {
            name: found for name, found in others.items() if found[0] != self.path and name not in own
        }

    def found(self) -> Iterator[Suggestion]:
        """All that may follow."""
        frame = self.sketch.innermost
        match frame.kind:
            case "file":
                yield from self._in_file([token.text for token in frame.line])
            case "body":
                yield from self._in_body(_last_part(frame.line))
            case "train" | "group":
                yield from self._in_recipe(frame)
            case "call":
                yield from self._in_call(frame)
            case "parameters":
                yield from self._in_head(frame)
            case _:
                yield from self._in_brackets()

    # ---- a file

    def _in_file(self, line: list[str]) -> Iterator[Suggestion]:
        match line:
            case []:
                is_first = not re.search(r"^\s*(arch|library)\b", self.whole.text, re.MULTILINE)
                yield from suggestions.heads() if is_first else suggestions.parts_of_specs()
            case ["arch", _]:
                yield from suggestions.keywords("extends")
            case ["arch", _, "extends"]:
                yield from suggestions.shipped()
                yield from suggestions.files(self.documents, self.path)
            case ["param" | "block" as kind]:
                yield from self._redefinitions(kind)
            case ["param", _, "=", *rest]:
                yield from () if rest else self._passed_on()
                yield from self._values(self.sketch.innermost.line)
            case ["assert", *_]:
                yield from suggestions.budgets()
                yield from self._values(self.sketch.innermost.line)
            case _:
                pass

    def _redefinitions(self, kind: str) -> Iterator[Suggestion]:
        """What bases define and this file does not yet."""
        for base in self.documents.bases(self.path):
            for named in self.documents.sketch(base).names.values():
                if named.kind == kind and named.name not in self.whole.names:
                    yield suggestions.redefinition(named, self.documents.name(base))

    # ---- bodies

    def _in_body(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """What follows in a body after a part of its line: after an arrow, or after the name and sign of a `let`."""
        words = [token.text for token in line]
        match words:
            case [] | ["->"]:
                yield from self._stages(is_start=not words)
            case ["="]:
                yield from self._stages(is_start=True)
                yield from self._values(line)
            case ["let", *_] | ["for"] | [*_, "as" | ":"]:
                pass
            case ["for", *_] if "in" not in words:
                yield from suggestions.keywords("in") if words[-1] not in {"(", ","} else ()
            case ["if", *_, "else"]:
                yield from suggestions.keywords("if")
            case ["for" | "repeat" | "if" | "=", *_] | ["->", "for" | "repeat" | "if", *_]:
                yield from self._values(line)
            case _:
                yield from self._values(line) if _wants_value(line) else suggestions.keywords("as")

    def _stages(self, *, is_start: bool) -> Iterator[Suggestion]:
        for named in self.sketch.local_names().values():
            if (named.kind == "let" and is_start) or (named.kind == "parameter" and _may_be_stage(named)):
                yield suggestions.local(named)
        for place, named in self._globals.values():
            if named.kind == "param" and self._is_stage(named):
                yield suggestions.param(named, self._at(place))
        yield from self._blocks()
        yield from (suggestions.entry(vocabulary.layer(name)) for name in LAYERS)
        for name in JOINS:
            yield suggestions.join(name)
        yield from suggestions.statements(is_start=is_start)

    def _blocks(self) -> Iterator[Suggestion]:
        for name, (place, named) in self._globals.items():
            if named.kind == "block":
                yield suggestions.entry(
                    vocabulary.block(named), is_near=name in self.whole.names, place=self._at(place)
                )

    def _is_stage(self, param: Named) -> bool:
        """Whether a param stands for a block or a layer."""
        value = param.text.rpartition("=")[2].strip()
        found = self._globals.get(value)
        return value in LAYERS or (found is not None and found[1].kind == "block")

    def _passed_on(self) -> Iterator[Suggestion]:
        """Blocks and layers by their names alone."""
        yield from (suggestions.bare(entry) for entry in self._blocks())
        yield from (suggestions.bare(suggestions.entry(vocabulary.layer(name))) for name in LAYERS)

    # ---- values

    def _values(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """What an expression may go on with after the tokens of a line."""
        if not _wants_value(line):
            yield from suggestions.keywords(*_IN_EXPRESSIONS)
            return
        yield from self._compared(line)
        yield from (suggestions.local(named) for named in self.sketch.local_names().values())
        for place, named in self._globals.values():
            if named.kind == "param":
                yield suggestions.param(named, self._at(place))
        yield from suggestions.functions()
        if any(frame.kind in {"body", "parameters"} for frame in self.sketch.frames):
            yield from suggestions.flow_names()
        yield from suggestions.keywords("true", "false", "not")

    def _compared(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """What the parameter before `==` may be."""
        if len(line) > 1 and line[-1].text in {"==", "!="}:
            named = self.sketch.local_names().get(line[-2].text)
            yield from self._of_types(named.types) if named else ()

    def _at(self, place: Path) -> str:
        return "" if place == self.path else self.documents.name(place)

    # ---- arguments

    def _in_call(self, frame: Frame) -> Iterator[Suggestion]:
        entry = called(self.documents, self.path, self.sketch)
        words = [token.text for token in frame.line]
        if entry is None:
            yield from self._values(frame.line)
        elif not words:
            given = {*frame.keywords, *_keywords_behind(self.behind)}
            behind = entry.arguments[frame.position - len(frame.keywords) :]  # those given without their names
            if not frame.keywords and frame.position < len(entry.arguments):
                yield from self._for(entry.arguments[frame.position])
            yield from self._values(frame.line)
            if entry.noun != "function":
                yield from suggestions.arguments(one for one in behind if one.name not in given)
        elif words[1:] == ["="]:
            argument = entry.argument(words[0])
            yield from self._for(argument) if argument else ()
            yield from self._values(frame.line)
        else:
            yield from self._values(frame.line)

    def _for(self, argument: vocabulary.Argument) -> Iterator[Suggestion]:
        """The words that an argument takes."""
        yield from suggestions.words(vocabulary.words_of(argument.kind))
        yield from self._of_types(argument.types)

    def _of_types(self, types_: Sequence[str]) -> Iterator[Suggestion]:
        """The words that a parameter of these types takes."""
        yield from suggestions.words(vocabulary.words_of_types(types_))
        yield from self._passed_on() if "block" in types_ else ()

    def _in_head(self, frame: Frame) -> Iterator[Suggestion]:
        words = [token.text for token in frame.line]
        if "=" in words:
            yield from self._of_types(words[2 : words.index("=")]) if words[-1] == "=" else ()
            yield from self._values(frame.line)
        elif words[-1:] in (["|"], [":"]):
            yield from suggestions.types_(TYPES)

    def _in_brackets(self) -> Iterator[Suggestion]:
        outer = self.sketch.enclosing
        words = [token.text for token in outer.line]
        if outer.kind == "body" and "for" in words and "in" not in words:
            return
        if setting_of(outer) == "select":
            yield from suggestions.words(vocabulary.words_of(GROUP_SETTINGS["select"].kind))
        yield from self._values(self.sketch.innermost.line)

    # ---- recipes

    def _in_recipe(self, frame: Frame) -> Iterator[Suggestion]:
        known = SETTINGS if frame.kind == "train" else GROUP_SETTINGS
        words = [token.text for token in frame.line]
        if not words:
            given = {*frame.keywords, *(self.whole.settings if frame.kind == "train" else ())}
            yield from (suggestions.setting(one) for name, one in known.items() if name not in given)
            yield from suggestions.groups() if frame.kind == "train" else ()
            return
        setting = known.get(words[0])
        if setting is None:
            return
        if words[1:2] == ["."]:
            yield from self._of_part(setting, words[2:])
        elif setting.registry is not None:
            if len(words) == 1 or words[-1] == "->":
                yield from suggestions.words([vocabulary.declared(setting.registry, name) for name in setting.registry])
                yield from suggestions.keywords("none") if setting.is_chain and len(words) == 1 else ()
        else:
            yield from suggestions.words(vocabulary.words_of(setting.kind)) if len(words) == 1 else ()
            yield from self._values(frame.line[1:])

    def _of_part(self, setting: Setting, path: list[str]) -> Iterator[Suggestion]:
        """What follows `optimizer.`, `augment.crop.` or `optimizer.lr`; `path` stands behind the first point."""
        if setting.registry is None:
            return
        chosen = [name for name in self._chosen(setting.name) if name in setting.registry]
        inner = [name for name in path[:1] if name in chosen and path[1:2] == ["."]]
        entries = [vocabulary.declared(setting.registry, name) for name in inner or chosen]
        rest = path[2:] if inner else path
        if rest:
            for argument in (found for entry in entries if (found := entry.argument(rest[0]))):
                yield from self._for(argument) if len(rest) == 1 else ()
            yield from self._values(self.sketch.innermost.line if len(rest) > 1 else ())
            return
        for entry in entries:
            yield from suggestions.arguments(entry.arguments, sign="")
        if setting.is_chain and not inner:
            yield from (suggestions.bare(suggestions.entry(entry)) for entry in entries)

    def _chosen(self, setting: str) -> Iterable[str]:
        """The words of a setting, where it is said: here, or in the nearest base that says it."""
        texts = [self.whole, *(self.documents.sketch(base) for base in self.documents.bases(self.path))]
        return next((text.settings[setting] for text in texts if setting in text.settings), ())


def _last_part(line: Sequence[Token]) -> Sequence[Token]:
    """The part of a line that goes on: from its last arrow, or from the sign of its `let`, these included."""
    depth = 0
    for i in range(len(line) - 1, -1, -1):
        depth += (line[i].text in {")", "]"}) - (line[i].text in {"(", "["})
        is_named = line[i].text == "=" and i in {1, 2}
        if depth == 0 and (line[i].text == "->" or is_named):
            return line[i:]
    return line


def _wants_value(line: Sequence[Token]) -> bool:
    """Whether what an expression goes on with after these tokens is a value, and not an operator."""
    if not line:
        return True
    last = line[-1]
    return last.text in _VALUES_FOLLOW or not (last.kind in {"name", "number", "string"} or last.text in {")", "]"})


def _may_be_stage(parameter: Named) -> bool:
    return not parameter.types or "block" in parameter.types or "tensor" in parameter.types


def _keywords_behind(text: str) -> Iterator[str]:
    """The names of arguments that are given in a call behind the place in it where `text` begins."""
    depth = 0
    tokens = tokens_of(text[:_REACH])
    for token, following in pairwise(tokens):
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        if depth < 0:
            return
        if depth == 0 and token.kind == "name" and following.text == "=":
            yield token.text
