"""Completion: the words that can be typed at an offset, even while the text around it doesn't parse."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler.names import Definition
from cifar_dsl.compiler.types import TYPES
from cifar_dsl.editors.language_server import suggestions, vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.suggestions import Suggestion
from cifar_dsl.foundation.records import define, field
from cifar_dsl.language.diagnostics import known_codes
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.cursor import Frame, Token, keywords_after, open_frames, tokens_of
from cifar_dsl.operations.argument_types import Stage
from cifar_dsl.operations.layers import JOINS, LAYERS, SCOPES
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS, Setting

_WORD = re.compile(r"[A-Za-z0-9_]*\Z")
_ALLOW = re.compile(r"#\s*allow:[A-Za-z0-9,\s]*\Z")
_BEFORE_VALUE = frozenset(["if", "else", "and", "or", "not", "in", "assert", "repeat"])
_AFTER_VALUE = ("if", "else", "and", "or")


def completions(documents: Documents, path: Path, offset: int, *, snippets: bool) -> list[types.CompletionItem]:
    """The words that can replace the one that ends at `offset`; with `snippets`, some have placeholders."""
    source = documents.source(path)
    if source is None:
        return []
    start = _WORD.search(source.text[:offset]).start()  # type: ignore[union-attr]  # it matches the empty word too
    before = tokens_of(source.text, start)
    token = before[-1] if before and before[-1].end == start else None
    if token is not None and token.kind == "comment":
        return suggestions.items(_codes()) if _ALLOW.match(token.text) else []
    if token is not None and token.kind == "string" and (len(token.text) == 1 or token.text[-1] != '"'):
        return _quoted(documents, path, token, offset)
    if source.text[start:offset][:1].isdigit():
        return []
    completer = _Completer(documents, path, source, start, offset)
    before_call = source.text[offset : offset + 1] == "("
    return suggestions.items(completer.suggestions(), snippets=snippets, before_call=before_call)


def _codes() -> list[Suggestion]:
    kind = types.CompletionItemKind.EnumMember
    return [Suggestion(code.id, kind, code.title) for code in known_codes().values() if code.severity == "warning"]


def _quoted(documents: Documents, path: Path, quote: Token, offset: int) -> list[types.CompletionItem]:
    """The files that can complete an open string after `extends`."""
    source = documents.source(path)
    assert source is not None
    line = open_frames(source.text, quote.start)[-1].words
    if line[:1] != ["arch"] or line[-1:] != ["extends"]:
        return []
    rest = re.match(r'[^"\n]*"?', source.text[offset:])
    end = offset + (rest.end() if rest else 0)
    replaced = documents.positions.range(Span(source, quote.start, end))
    return suggestions.items(suggestions.files(documents, path), replaced=replaced)


@define
class _Completer:
    """Finds the words that can replace the one from `start` to `offset`."""

    documents: Documents
    path: Path
    source: Source
    start: int
    offset: int
    _frames: list[Frame] = field(init=False)
    _locals: dict[str, Definition] = field(init=False)
    _globals: dict[str, tuple[Path, Definition]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Collect the visible names, except one that the unfinished word itself defines."""
        self._frames = open_frames(self.source.text, self.start)
        names = self.documents.names(self.path).visible_at(self.start)
        self._locals = {name: one for name, one in names.items() if not self._is_unfinished(one.span)}
        definitions = self.documents.global_definitions(self.path)
        self._globals = {
            name: (file, one) for name, (file, one) in definitions.items() if not self._is_unfinished(one.span)
        }

    def _is_unfinished(self, span: Span | None) -> bool:
        """Whether a span starts with the word being typed."""
        return span is not None and span.source is self.source and self.start == span.start < self.offset

    @property
    def _frame(self) -> Frame:
        return self._frames[-1]

    def _is_own(self, name: str) -> bool:
        return name in self._globals and self._globals[name][0] == self.path

    def suggestions(self) -> Iterator[Suggestion]:
        """All words that fit."""
        frame = self._frame
        match frame.kind:
            case "file":
                yield from self._in_file(frame.words)
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

    # ---- the top level of a file

    def _in_file(self, line: list[str]) -> Iterator[Suggestion]:
        match line:
            case []:
                rest = self.source.text[: self.start] + self.source.text[self.offset :]
                is_first = not re.search(r"^\s*(arch|library)\b", rest, re.MULTILINE)
                yield from suggestions.heads() if is_first else suggestions.parts_of_specs()
            case ["arch", _]:
                yield from suggestions.keywords("extends")
            case ["arch", _, "extends"]:
                yield from suggestions.shipped()
                yield from suggestions.files(self.documents, self.path)
            case ["param" | "block" as kind]:
                yield from self._redefinitions(kind)
            case ["param", _, "=", *rest]:
                yield from () if rest else self._as_arguments()
                yield from self._values(self._frame.line)
            case ["assert", *_]:
                yield from suggestions.budgets()
                yield from self._values(self._frame.line)
            case _:
                pass

    def _redefinitions(self, kind: str) -> Iterator[Suggestion]:
        """The params or blocks of the bases that this file doesn't override yet."""
        for base in self.documents.bases(self.path):
            for definition in self.documents.definitions(base).values():
                if definition.kind == kind and not self._is_own(definition.name):
                    yield suggestions.redefinition(definition, self.documents.name(base))

    # ---- bodies

    def _in_body(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """Suggestions after the last part of a line: after an arrow, or after the `=` of a `let`."""
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
        for local in self._locals.values():
            is_stage = local.kind == "parameter" and _may_be_stage(local)
            is_stage |= local.kind == "loop variable" and "block" in local.sorts
            if is_stage or local.is_tied or (local.kind == "let" and is_start):
                yield suggestions.local(local)
        for file, definition in self._globals.values():
            if definition.kind == "param" and self._is_stage(definition):
                yield suggestions.param(definition, self._name_of(file))
        yield from self._blocks()
        yield from self._layers()
        for registry in (JOINS, SCOPES):
            for name in registry:
                yield suggestions.taker(registry, name)
        yield from suggestions.statements(is_start=is_start)

    def _blocks(self) -> Iterator[Suggestion]:
        for name, (file, definition) in self._globals.items():
            if definition.kind == "block":
                entry = vocabulary.block(definition)
                yield suggestions.entry(entry, is_near=self._is_own(name), file=self._name_of(file))

    def _layers(self) -> Iterator[Suggestion]:
        return (suggestions.entry(vocabulary.declared(LAYERS, name)) for name in LAYERS)

    def _is_stage(self, param: Definition) -> bool:
        """Whether the value of a param is a block or a layer."""
        value = param.node.value if isinstance(param.node, nodes.Param) else None
        if not isinstance(value, nodes.Name):
            return False
        _, definition = self._globals.get(value.text, (None, None))
        return value.text in LAYERS or (definition is not None and definition.kind == "block")

    def _as_arguments(self) -> Iterator[Suggestion]:
        """Blocks and layers as values of type `block`: their names, without a call."""
        yield from (suggestions.local(local) for local in self._locals.values() if local.is_tied)
        yield from map(suggestions.bare, self._blocks())
        yield from map(suggestions.bare, self._layers())

    # ---- values

    def _values(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """The words that can continue an expression after the tokens of a line."""
        if not _wants_value(line):
            yield from suggestions.keywords(*_AFTER_VALUE)
            return
        yield from self._compared(line)
        yield from map(suggestions.local, self._locals.values())
        for file, definition in self._globals.values():
            if definition.kind == "param":
                yield suggestions.param(definition, self._name_of(file))
        yield from suggestions.functions()
        yield from suggestions.data_names()
        if any(frame.kind in {"body", "parameters"} for frame in self._frames):
            yield from suggestions.flow_names()
        yield from suggestions.keywords("true", "false", "not")

    def _compared(self, line: Sequence[Token]) -> Iterator[Suggestion]:
        """The possible values of the block parameter before `==` or `!=`."""
        if len(line) > 1 and line[-1].text in {"==", "!="}:
            compared = self._locals.get(line[-2].text)
            yield from self._of_types(_types(compared)) if compared else ()

    def _name_of(self, file: Path) -> str:
        return "" if file == self.path else self.documents.name(file)

    # ---- arguments

    def _in_call(self, frame: Frame) -> Iterator[Suggestion]:
        mention = self.documents.names(self.path).at(frame.head.end) if frame.head else None
        entry = vocabulary.callee(mention.definition) if mention else None
        words = frame.words
        if entry is None:
            yield from self._values(frame.line)
        elif not words:
            passed = {*frame.keywords, *keywords_after(self.source.text[self.offset :])}
            not_positional = entry.arguments[frame.position - len(frame.keywords) :]
            if not frame.keywords and frame.position < len(entry.arguments):
                yield from self._for(entry.arguments[frame.position])
            yield from self._values(frame.line)
            if entry.noun != "function":
                yield from suggestions.arguments(one for one in not_positional if one.name not in passed)
        elif words[1:] == ["="]:
            argument = entry.argument(words[0])
            yield from self._for(argument) if argument else ()
            yield from self._values(frame.line)
        else:
            yield from self._values(frame.line)

    def _for(self, argument: vocabulary.Argument) -> Iterator[Suggestion]:
        """The words that an argument accepts."""
        yield from suggestions.words(vocabulary.words_of(argument.kind))
        if isinstance(argument.kind, Stage):
            yield from self._as_arguments()
        yield from self._of_types(argument.types)

    def _of_types(self, types_: Sequence[str]) -> Iterator[Suggestion]:
        """The words that a block parameter of these types accepts."""
        yield from suggestions.words(vocabulary.words_of_types(types_))
        yield from self._as_arguments() if "block" in types_ else ()

    def _in_head(self, frame: Frame) -> Iterator[Suggestion]:
        words = frame.words
        if "=" in words:
            yield from self._of_types(words[2 : words.index("=")]) if words[-1] == "=" else ()
            yield from self._values(frame.line)
        elif words[-1:] in (["|"], [":"]):
            yield from suggestions.types_(TYPES)

    def _in_brackets(self) -> Iterator[Suggestion]:
        outer = next(frame for frame in reversed(self._frames) if frame.kind != "brackets")
        words = outer.words
        if outer.kind == "body" and "for" in words and "in" not in words:
            return
        if outer.kind == "group" and words[:1] == ["select"]:
            yield from suggestions.words(vocabulary.words_of(GROUP_SETTINGS["select"].kind))
        if outer.kind in {"file", "body"} and {"in", "="} & {*words}:  # a list may hold blocks
            yield from self._as_arguments()
        yield from self._values(self._frame.line)

    # ---- recipes

    def _in_recipe(self, frame: Frame) -> Iterator[Suggestion]:
        known = SETTINGS if frame.kind == "train" else GROUP_SETTINGS
        words = frame.words
        if not words:
            present = {*frame.keywords, *self._settings_of(frame)}
            yield from (suggestions.setting(one) for name, one in known.items() if name not in present)
            yield from [suggestions.group()] if frame.kind == "train" else ()
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
        """Suggestions for `optimizer.`, `augment.crop.` or `optimizer.lr`; `path` is the part after the first point."""
        if setting.registry is None:
            return
        chosen = [name for name in self.documents.chosen(self.path, setting.name) if name in setting.registry]
        inner = [name for name in path[:1] if name in chosen and path[1:2] == ["."]]
        entries = [vocabulary.declared(setting.registry, name) for name in inner or chosen]
        rest = path[2:] if inner else path
        if rest:
            for argument in filter(None, (entry.argument(rest[0]) for entry in entries)):
                yield from self._for(argument) if len(rest) == 1 else ()
            yield from self._values(self._frame.line if len(rest) > 1 else ())
            return
        for entry in entries:
            yield from suggestions.arguments(entry.arguments, sign="")
        if setting.is_chain and not inner:
            yield from (suggestions.bare(suggestions.entry(entry)) for entry in entries)

    def _settings_of(self, frame: Frame) -> Iterator[str]:
        """The settings in all `train` sections of the file, except the one being typed."""
        tree = self.documents.tree(self.path)
        for item in tree.items if tree and frame.kind == "train" else ():
            for setting in item.settings if isinstance(item, nodes.Train) else ():
                if self._is_unfinished(setting.span) or not isinstance(setting, nodes.Setting):
                    continue
                if len(setting.target) == 1:
                    yield setting.target[0].text


def _last_part(line: Sequence[Token]) -> Sequence[Token]:
    """The unfinished part of a line: from its last arrow, or from the `=` of its `let`."""
    depth = 0
    for i in range(len(line) - 1, -1, -1):
        depth += (line[i].text in {")", "]"}) - (line[i].text in {"(", "["})
        is_named = line[i].text == "=" and i in {1, 2}
        if depth == 0 and (line[i].text == "->" or is_named):
            return line[i:]
    return line


def _wants_value(line: Sequence[Token]) -> bool:
    """Whether a value, not an operator, continues an expression after these tokens."""
    if not line:
        return True
    last = line[-1]
    return last.text in _BEFORE_VALUE or not (last.kind in {"name", "number", "string"} or last.text in {")", "]"})


def _types(parameter: Definition) -> list[str]:
    return [one.text for one in parameter.node.types] if isinstance(parameter.node, nodes.BlockParameter) else []


def _may_be_stage(parameter: Definition) -> bool:
    types_ = _types(parameter)
    return not types_ or "block" in types_ or "tensor" in types_
