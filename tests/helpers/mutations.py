"""Random mutations of texts: by token, byte or line, and splices with other texts."""

import random
import re
from collections.abc import Callable
from typing import Protocol

from cifar_dsl.language.syntax import KEYWORDS as WORDS

TOKEN = re.compile(
    rb'"[^"\n]*"|[A-Za-z_]\w*|[0-9]+(?:x[0-9]+)+|[0-9][0-9_.]*(?:[eE][+-]?[0-9]+)?[kMG]?'
    rb"|\s+|#[^\n]*|->|[=!<>]=|//|\.\.|.",
    re.DOTALL,
)
_BRACKETS = re.compile(rb"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
KEYWORDS = frozenset(word.encode() for word in WORDS)
ODD = (
    b"0", b"-1", b"1", b"999_999_999_999", b"1000000000000", b"10000000000000", b"1e308", b"1e309", b"1e-400", b"0.0",
    b"-0.0", b"1e-3", b"0x0", b"1x1x1", b"3x32x32", b"9999x9999", b"1x2x3x4x5", b"1" * 400, b"9" * 4301, b"1k", b"5G",
    b'""', b'"' + b"a" * 2000 + b'"', b'"../x.arch"', b'"baseline.arch"', b'"*"', b"\xd9\xa3", b"a" * 65, b"()", b"[]",
    b"[[]]", b"[1]", b"[(1, 2)]", b"in_channels", b"height", b"length", b"params", b"macs", b"_", b"__class__", b"none",
    b"same", b"true", b"(" * 70, b"[" * 30 + b"]" * 30, b"- - - -", b"not not", b"1 if true else 2", b"0..10", b":",
    b"\x00", b"\x1b[31m", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\xff", b"\r", b"\r\n", b"\t", b"\x85", b"\xc2\x85",
    b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"#", b"# allow: W0201", b"# allow: E9999", b'"', b"`",
    b"repeat 3 { }", b"for i in 0..3 { }", b"add { | }",
    b"add for i in 0..2 { relu }", b"unit { relu }", b"let (x, y) = [relu, bn]", b"(x, y) = z", b"[x, y]",
    b"let x = identity", b"x -> relu", b"x[1:]", b"as a", b"a.b",
)  # fmt: skip

OVERRIDES = (
    b"width=3", b"head=[64, 32]", b"head=64", b"train.batch=3", b"train.epochs=0.5", b"train.optimizer.lr=1e-4",
    b"train.optimizer=sgd(lr=0.1)", b"train.augment=crop(4) -> flip", b"train.schedule=linear", b"train.data=shapes",
    b"train.clip=norm(1)", b"train.group.stem.epochs=1", b"train.group.no_decay.optimizer.lr=1", b"train.average=ema",
    b"train.perturb=sam", b"train.early_stopping=loss(2)", b"train.augment.crop.pad=2", b"train.precision=bf16",
    b"train.distill=hard", b"train=1", b"train.group.head=1",
    b"x.y=1", b"=",
)  # fmt: skip


class Material(Protocol):
    """The source of words and texts for mutations."""

    names: list[bytes]

    def word(self, draw: random.Random) -> bytes:
        """A word of some spec, or an unusual one."""
        ...

    def other(self, draw: random.Random) -> bytes:
        """Another text."""
        ...


def lines_of(content: bytes) -> list[bytes]:
    """The lines, each with its line ending."""
    return content.splitlines(keepends=True)


Mutation = Callable[[Material, random.Random, bytes], bytes]


def _tokens_changed(change: Callable[[Material, random.Random, list[bytes], int], None]) -> Mutation:
    def mutate(material: Material, draw: random.Random, content: bytes) -> bytes:
        tokens = TOKEN.findall(content)
        places = [i for i, token in enumerate(tokens) if not token.isspace()]
        if places:
            change(material, draw, tokens, draw.choice(places))
        return b"".join(tokens)

    return mutate


@_tokens_changed
def _delete_token(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    del tokens[place]


@_tokens_changed
def _replace_token(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    tokens[place] = material.word(draw)


@_tokens_changed
def _replace_number(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    numbers = [i for i, token in enumerate(tokens) if token[:1].isdigit()]
    if numbers:
        tokens[draw.choice(numbers)] = draw.choice(ODD[:22])


@_tokens_changed
def _replace_name(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    names = [i for i, token in enumerate(tokens) if token[:1].isalpha() and token not in KEYWORDS]
    if names:
        tokens[draw.choice(names)] = draw.choice(material.names)


@_tokens_changed
def _change_number(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    numbers = [i for i, token in enumerate(tokens) if token.isdigit()]
    if numbers:
        place = draw.choice(numbers)
        tokens[place] = b"%d" % max(0, int(tokens[place][:9]) + draw.choice((-2, -1, 1, 2, 7, 1000)))


@_tokens_changed
def _insert_token(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    tokens[place:place] = [b" ", material.word(draw), b" "]


@_tokens_changed
def _repeat_token(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    tokens[place:place] = [tokens[place], b" "] * draw.choice((1, 1, 2, 70))


@_tokens_changed
def _swap_tokens(material: Material, draw: random.Random, tokens: list[bytes], place: int) -> None:
    other = draw.randrange(len(tokens))
    tokens[place], tokens[other] = tokens[other], tokens[place]


def _change_byte(material: Material, draw: random.Random, content: bytes) -> bytes:
    if not content:
        return content
    place = draw.randrange(len(content))
    changed = bytes([content[place] ^ 1 << draw.randrange(8) if draw.random() < 0.5 else draw.randrange(256)])
    return content[:place] + changed + content[place + 1 :]


def _insert_odd(material: Material, draw: random.Random, content: bytes) -> bytes:
    place = draw.randint(0, len(content))
    return content[:place] + draw.choice(ODD) + content[place:]


def _delete_stretch(material: Material, draw: random.Random, content: bytes) -> bytes:
    start = draw.randint(0, len(content))
    return content[:start] + content[start + draw.choice((1, 5, 20, 100)) :]


def _repeat_stretch(material: Material, draw: random.Random, content: bytes) -> bytes:
    start = draw.randint(0, len(content))
    end = start + draw.choice((1, 5, 20, 100))
    return content[:end] + content[start:end] * draw.choice((1, 1, 3, 30)) + content[end:]


def _splice(material: Material, draw: random.Random, content: bytes) -> bytes:
    """The start of one text and the end of another."""
    other = material.other(draw)
    return content[: draw.randint(0, len(content))] + other[draw.randint(0, len(other)) :]


def _splice_lines(material: Material, draw: random.Random, content: bytes) -> bytes:
    """Insert a few lines of another text, or replace some lines by them."""
    lines, other = lines_of(content), lines_of(material.other(draw))
    start, place = draw.randrange(len(other) or 1), draw.randint(0, len(lines))
    lines[place : place + draw.randint(0, 2)] = other[start : start + draw.randint(1, 4)]
    return b"".join(lines)


def _splice_brackets(material: Material, draw: random.Random, content: bytes) -> bytes:
    """Replace the content of a bracket by one of another text."""
    here, there = list(_BRACKETS.finditer(content)), _BRACKETS.findall(material.other(draw))
    if not here or not there:
        return content
    match = draw.choice(here)
    return content[: match.start()] + draw.choice(there) + content[match.end() :]


def _delete_line(material: Material, draw: random.Random, content: bytes) -> bytes:
    lines = lines_of(content) or [b""]
    del lines[draw.randrange(len(lines))]
    return b"".join(lines)


def _swap_lines(material: Material, draw: random.Random, content: bytes) -> bytes:
    lines = lines_of(content) or [b""]
    i, j = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"".join(lines)


def _wrap(material: Material, draw: random.Random, content: bytes) -> bytes:
    """Put a line into a loop, a join or a condition."""
    lines = lines_of(content) or [b""]
    place = draw.randrange(len(lines))
    head = draw.choice(
        (
            b"repeat 2 {",
            b"for i in 0..2 {",
            b"add {",
            b"concat {",
            b"if height > 3 {",
            b"let y = add {",
            b"unit {",
            b"add for k in [1, 3] {",
        )
    )
    end = draw.choice((b"}", b"| identity }", b"} else { relu }"))
    lines[place] = b"\n".join((head, lines[place], end, b""))
    return b"".join(lines)


OVERRIDE_MUTATIONS: tuple[Mutation, ...] = (
    _delete_token, _replace_token, _replace_number, _insert_token, _repeat_token, _swap_tokens, _change_byte,
    _insert_odd,
)  # fmt: skip
MUTATIONS: tuple[Mutation, ...] = (
    *OVERRIDE_MUTATIONS, _replace_token, _replace_number, _delete_stretch, _repeat_stretch, _splice, _splice_lines,
    _splice_brackets, _swap_lines, _wrap,
)  # fmt: skip
# Mutations after which a text often still parses, so that later stages are fuzzed too.
GENTLE: tuple[Mutation, ...] = (
    _replace_name, _replace_name, _change_number, _replace_number, _splice_brackets, _splice_lines, _delete_line,
    _swap_lines, _wrap,
)  # fmt: skip
