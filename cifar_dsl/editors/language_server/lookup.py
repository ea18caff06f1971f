"""What stands at a place: by the syntax tree or, in a text that doesn't parse, by what stands around it."""

from pathlib import Path

from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.editors.language_server import vocabulary
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.families import global_names
from cifar_dsl.editors.language_server.references import Meaning, Mention, mention_at
from cifar_dsl.editors.language_server.sketch import Frame, Sketch
from cifar_dsl.editors.language_server.tokens import Token, tokens_of
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import KEYWORDS
from cifar_dsl.operations.layers import INITIALIZERS, JOINS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS

_NOTHING = Meaning("", "")


def mention_in(documents: Documents, path: Path, offset: int) -> Mention | None:
    """What is mentioned at a place of a file."""
    source = documents.source(path)
    if source is None:
        return None
    if documents.tree(path) is not None:
        return mention_at(documents.mentions(path), offset)
    return _guessed(source, offset)


def _guessed(source: Source, offset: int) -> Mention | None:
    tokens = tokens_of(source.text)
    for token, following in zip(tokens, [*tokens[1:], None], strict=False):
        if token.start <= offset <= token.end and token.kind == "name":
            sketch = Sketch.of(source.text, token.start)
            meaning = _meaning(sketch, token, following)
            span = Span(source, token.start, token.end)
            return None if meaning is _NOTHING else Mention(span, meaning, span, _is_new(sketch.enclosing))
    return None


def _meaning(sketch: Sketch, token: Token, following: Token | None) -> Meaning:
    """What a name means that stands at the end of a sketch."""
    frame = sketch.innermost
    line = [word.text for word in frame.line]
    is_keyword = following is not None and following.text == "="
    match frame.kind:
        case "train" | "group":
            return _in_recipe(token.text, frame.kind, line)
        case "call" if not line and is_keyword:
            kind, owner = _taker(sketch)
            return Meaning(kind, token.text, owner)
        case "parameters" if not line:
            return Meaning("parameter", token.text, frame.owner)
        case "file" if line[:1] in (["arch"], ["library"]):
            return Meaning("base", token.text) if line[-1] == "extends" else _NOTHING
        case "body" | "brackets" if _is_new(sketch.enclosing):
            return Meaning("local", token.text, str(token.start))
        case _:
            is_called = following is not None and following.text == "("
            return _named(sketch, token.text, is_called=is_called)


def _is_new(frame: Frame) -> bool:
    """Whether the name that follows is defined there."""
    line = [word.text for word in frame.line]
    is_target = "for" in line and "in" not in line[line.index("for") :]
    is_global = frame.kind == "file" and line in (["param"], ["block"])
    return is_target or is_global or line[-1:] == ["let"] or (frame.kind == "parameters" and not line)


def _in_recipe(name: str, place: str, line: list[str]) -> Meaning:
    settings = GROUP_SETTINGS if place == "group" else SETTINGS
    if not line:
        return Meaning("setting", name, place)
    registry = settings[line[0]].registry if line[0] in settings else None
    if line[1:2] == ["."]:
        return Meaning("argument", name, line[0])
    if registry is not None and name in registry:
        return Meaning("choice", name, line[0])
    return Meaning("global", name)


def _named(sketch: Sketch, name: str, *, is_called: bool) -> Meaning:
    local = sketch.local_names().get(name)
    if local is not None and local.kind == "parameter":
        owner = next(frame.owner for frame in sketch.frames if local in frame.names)
        return Meaning("parameter", name, owner)
    if local is not None:
        return Meaning("local", name, str(local.start))
    if name in LAYERS:
        return Meaning("layer", name)
    if name in JOINS:
        return Meaning("join", name)
    if is_called and sketch.innermost.kind == "call" and name in INITIALIZERS:
        return Meaning("initialiser", name)
    if name in KEYWORDS:
        return _NOTHING
    return Meaning("function" if name in FUNCTIONS else "global", name)


def _taker(sketch: Sketch) -> tuple[str, str]:
    """What the arguments of the innermost call are, `parameter` or `argument`, and whose; see `Meaning`."""
    *outer, call = sketch.frames
    name = call.owner
    if name in sketch.local_names():
        return "argument", ""
    setting = setting_of(outer[-1])
    if setting in SETTINGS:
        return "argument", f"{setting}.{name}"
    if name in LAYERS or name in FUNCTIONS or (outer[-1].kind == "call" and name in INITIALIZERS):
        return "argument", name
    return "parameter", name


def setting_of(frame: Frame) -> str:
    """The setting in whose value a frame is."""
    return frame.line[0].text if frame.kind in {"train", "group"} and frame.line else ""


def called(documents: Documents, path: Path, sketch: Sketch) -> vocabulary.Entry | None:
    """What the innermost call calls."""
    kind, owner = _taker(sketch)
    if kind == "parameter":
        found = global_names(documents, path).get(owner)
        return vocabulary.block(found[1]) if found and found[1].kind == "block" else None
    return taking(owner)


def taking(owner: str) -> vocabulary.Entry | None:
    """What takes an argument, by the owner in its `Meaning`: a layer, an initialiser, a function or a choice."""
    setting, _, choice = owner.partition(".")
    if choice:
        return vocabulary.choice(setting, choice)
    return vocabulary.layer(owner) or vocabulary.initialiser(owner) or vocabulary.function(owner)
