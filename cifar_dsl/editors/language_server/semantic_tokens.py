"""Semantic tokens: what each word of a text is, so that an editor needs no grammar of its own to colour it."""

from pathlib import Path

from lsprotocol import types

from cifar_dsl.compiler.names import Mention
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.language.syntax.cursor import Token, tokens_of
from cifar_dsl.language.syntax.words import KEYWORDS

_Type = types.SemanticTokenTypes
_BY_KIND = {
    "comment": _Type.Comment,
    "string": _Type.String,
    "number": _Type.Number,
    "sign": _Type.Operator,
}
_BRACKETS = frozenset("(){}[],.:")  # an editor colours them by itself
_BY_MEANING = {
    "param": _Type.Parameter,
    "parameter": _Type.Parameter,
    "block": _Type.Function,
    "function": _Type.Function,
    "layer": _Type.Class,
    "join": _Type.Class,
    "scope": _Type.Class,
    "let": _Type.Variable,
    "loop variable": _Type.Variable,
    "axis": _Type.Variable,
    "flow": _Type.Variable,
    "dataset": _Type.Variable,
    "budget": _Type.Variable,
    "initialiser": _Type.EnumMember,
    "weight function": _Type.EnumMember,
    "choice": _Type.EnumMember,
    "word": _Type.EnumMember,
    "argument": _Type.Property,
    "setting": _Type.Property,
    "base": _Type.Namespace,
}  # by the kind of a definition
_TYPES = list(dict.fromkeys([*_BY_KIND.values(), _Type.Keyword, *_BY_MEANING.values()]))
LEGEND = types.SemanticTokensLegend(
    [one.value for one in _TYPES],
    [types.SemanticTokenModifiers.Definition.value, types.SemanticTokenModifiers.DefaultLibrary.value],
)
_DEFINITION, _LIBRARY = 0b01, 0b10  # the modifiers of the legend, as bits


def semantic_tokens(documents: Documents, path: Path) -> types.SemanticTokens:
    """The tokens of a file, each as five numbers: lines and columns after the one before, length, type, modifiers."""
    source = documents.source(path)
    data: list[int] = []
    if source is None:
        return types.SemanticTokens(data)
    mentions = {one.span.start: one for one in documents.names(path).mentions if one.span.source == source}
    text, positions = source.text, documents.positions
    at, place = 0, types.Position(0, 0)  # of the coloured token before
    for token in tokens_of(text):
        coloured = _coloured(token, mentions.get(token.start))
        if coloured is None:
            continue
        start = positions.after(place, text[at : token.start])
        lines = start.line - place.line
        columns = start.character - (0 if lines else place.character)
        data += [lines, columns, positions.after(start, token.text).character - start.character, *coloured]
        at, place = token.start, start
    return types.SemanticTokens(data)


def _coloured(token: Token, mention: Mention | None) -> tuple[int, int] | None:
    """The type and the modifiers of a token; None for one that an editor needn't colour."""
    if token.kind != "name":
        kind = _BY_KIND.get(token.kind)
        return None if kind is None or token.text in _BRACKETS else (_TYPES.index(kind), 0)
    if mention is None:
        return (_TYPES.index(_Type.Keyword), 0) if token.text in KEYWORDS else None
    kind = _BY_MEANING.get(mention.definition.kind)
    if kind is None:
        return None  # an unknown name
    is_built_in = mention.definition.is_of_language or mention.definition.is_of_library
    return _TYPES.index(kind), _DEFINITION * mention.is_definition | _LIBRARY * is_built_in
