"""Mistakes to plant in valid specs, each of which is an error in most places."""

import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_BODY = re.compile(rb"^(?:block|model)\b[^\n]*\{[ \t]*\n(?P<stages>(?:[ \t]+[^\n]*\n|\n)*)\}", re.MULTILINE)
_STATEMENT = re.compile(rb"^[ \t]+[A-Za-z_][^\n]*\n", re.MULTILINE)
_ARGUMENT = re.compile(rb"(?<=[(,=])[ ]*[A-Za-z0-9_.]+(?=[,)])")
_CALL = re.compile(rb"\b[a-z_]\w*(?=\()")
_PARAM = re.compile(rb"^param \w+ = ([^\n#]+)", re.MULTILINE)
_TRAIN = re.compile(rb"^train \{[ \t]*\n", re.MULTILINE)
_NUMBER = re.compile(rb"\b\d+\b")
_INPUT = re.compile(rb"^input (\S+)", re.MULTILINE)

STAGES = (
    b"nosuch(8)", b"conv(8, 1000)", b"conv(0, 3)", b"conv(8)", b"conv(8, 3, nosuch=1)", b"dense(8) -> conv(8, 3)",
    b"conv(8, 3, groups=7)", b"let e = 1 / 0", b"let e = 1 / 0\ne -> relu", b"repeat nosuch { conv(8, 1) }",
    b"if 3 { relu }", b"e = relu", b"for i in 3 { conv(i, 1) }", b"add { identity | conv(7, 1) | flatten }",
    b"let e = flatten -> dense(8)\nadd { identity | e }\nmul { e[1:] | e }", b"add { identity\nconv(8, 1) }",
    b"concat { identity | flatten }", b"relu as e\nrelu as e", b"let e = conv(8, 1000)\nadd { e | e[4:] | e[99:] }",
    b"in_channels", b"relu : 1x2x3", b"basic_block(\"a\", 2)", b"conv([1, 2], 3)", b"squeeze_excite(nosuch=3)",
    b"let e = identity\nrepeat 1 / 0 { e = conv(7, 1) }\nadd { e | identity }", b"relu(3)", b"token(1000)",
    b"let e = identity\nlet e = identity", b"conv(min(), 3)", b"slice(5, 2)", b"e -> relu",
    b"relu -> nosuch -> dense(-1)", b"windows(7) { relu }", b"windows(4)", b"each(c, h, w -> w, c) { token(0) }",
    b"each(c, h, w -> q) { nosuch }", b"attend(4) { tokens | tokens | identity }", b"attend(4) { tokens | tokens }",
    b"tokens -> attention(7, before=nosuch, after=flatten)", b"tokens -> attention(1, before=global_avgpool) -> grid",
    b"mean(c, h -> c)", b"rearrange(a * b, h, w -> a, h, w)", b"max(c * 7, h, w -> c, h, w)", b"mean(c, h, w)",
    b"einsum(c, h, w | d, h, w -> c, x) { relu | tanh }", b"einsum(c, h, w | c, h, w -> c) { relu | 3 }",
    b"let (e, f) = relu\ne -> relu", b"let e = [relu]\ne[3] -> relu", b"if height > 0 { [] }\nrelu",
    b"add for i in 2 { relu }", b"sum { relu | tanh }", b"relu { tanh }", b"identity[:, :, 99:]", b"learned(0)",
    b"let e = identity\nwindows(1) { add { e | identity } }", b"let e = identity\nlet f = [e, e]\nf = f[0]",
)  # fmt: skip
VALUES = (
    b"1 / 0",
    b"nosuch",
    b'"text"',
    b"[1, 2]",
    b"0",
    b"-1",
    b"true",
    b"100000",
    b"in_channels / 0",
    b"min()",
    b"3x3",
)
SETTINGS = (
    b"nosuch 3", b"batch 0", b"batch 8\n    batch 8", b"optimizer nosuch", b"schedule linear(nosuch=1)",
    b"epochs 1 / 0", b"loss adam", b"augment crop(nosuch) -> nosuch", b"optimizer.nosuch 3",
    b"group g { optimizer sgd(0.1) }",
)  # fmt: skip
SYNTAX = (b"(", b")", b"{", b"}", b"[", b"|", b"->", b"=", b",", b";", b'"', b"let", b"add", b"if", b"x y", b"3 4")


class Mistake(NamedTuple):
    """Bytes to write in place of those from `start` to `end`."""

    start: int
    end: int
    text: bytes


def planted(content: bytes, *mistakes: Mistake) -> bytes:
    """The text with these mistakes, which don't overlap."""
    for one in sorted(mistakes, reverse=True):
        content = content[: one.start] + one.text + content[one.end :]
    return content


def apart(one: Mistake, other: Mistake) -> bool:
    """Whether two mistakes don't touch."""
    return one.end < other.start or other.end < one.start


def of_meaning(draw: random.Random, content: bytes) -> Mistake | None:
    """A mistake that keeps the syntax right."""
    return _one(draw, content, (_stage, _argument, _argument, _callee, _param, _setting, _number, _input))


def of_syntax(draw: random.Random, content: bytes) -> Mistake | None:
    """A mistake in the syntax: a token too many or too few."""
    return _one(draw, content, (_inserted_token, _missing_bracket, _missing_token))


def _one(draw: random.Random, content: bytes, kinds: tuple[Callable[..., Iterator[Mistake]], ...]) -> Mistake | None:
    found = list(draw.choice(kinds)(draw, content))
    return draw.choice(found) if found else None


def _stage(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for body in _BODY.finditer(content):
        for line in _STATEMENT.finditer(content, *body.span("stages")):
            yield Mistake(line.start(), line.start(), b"    " + draw.choice(STAGES) + b"\n")


def _argument(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for argument in _ARGUMENT.finditer(content):
        yield Mistake(*argument.span(), draw.choice(VALUES))


def _callee(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for callee in _CALL.finditer(content):
        yield Mistake(*callee.span(), draw.choice((b"nosuch", callee[0] + b"x", b"dense", b"adam", b"min")))


def _param(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for param in _PARAM.finditer(content):
        yield Mistake(*param.span(1), draw.choice(VALUES))


def _setting(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for train in _TRAIN.finditer(content):
        yield Mistake(train.end(), train.end(), b"    " + draw.choice(SETTINGS) + b"\n")


def _number(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for number in _NUMBER.finditer(content):
        yield Mistake(*number.span(), b"%d" % max(0, int(number[0][:6]) + draw.choice((-1, 1, 7, 100))))


def _input(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for size in _INPUT.finditer(content):
        yield Mistake(*size.span(1), draw.choice((b"0x8x8", b"3x8", b"3x1x1", b"7x9x5")))


def _places(content: bytes) -> list[re.Match[bytes]]:
    code = re.sub(rb"#[^\n]*", _blank, content)
    return list(re.finditer(rb"[A-Za-z_]\w*|[0-9.]+|->|[^\s#]", code))


def _blank(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])


def _inserted_token(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    for token in _places(content):
        yield Mistake(token.start(), token.start(), draw.choice(SYNTAX) + b" ")


def _missing_bracket(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    del draw
    for token in _places(content):
        if token[0] in {b"(", b")", b"{", b"}", b"[", b"]"}:
            yield Mistake(*token.span(), b"")


def _missing_token(draw: random.Random, content: bytes) -> Iterator[Mistake]:
    del draw
    for token in _places(content):
        yield Mistake(*token.span(), b"")
