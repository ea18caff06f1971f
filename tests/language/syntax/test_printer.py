import pytest
from helpers.specs import SHIPPED, parse, text_of

from cifar_dsl.language.syntax import nodes, print_body, print_spec

CASES = [
    "arch a\n",
    "arch a extends b\ninput 3x8x8\nparam a = 1\nparam b = a\n",
    'arch a extends "dir/b.arch"\ntrain { }\n',
    text_of("add {\n a\n let y = b\n y -> c\n | d -> e as f : 8x8x8\n | if p { g } else if q { } else { h }\n} as i"),
    text_of("for (c, s) in [(1, 2), (3, 4)] { a(c, s, k=-s) -> repeat 2 { b } : 64 } -> c"),
    text_of("for i in 0..len(w) - 1 { a } as x\nif not (p and q) or r == [] { b }"),
    text_of("let k = (1 if p else 2) if q else 3\nlet l = -(a + b)[0] * (c - (d - e)) // (f * g)"),
    text_of("let k = (a[0])[1] + ((b, c)[0]) - 1.5k * 1_000\nlet l = not (not a) == true"),
    text_of("let y = (a or b) and not (c < d)\nlet z = ((a if p else b) == c) + -(-1)"),
    "arch a\nblock u() { }\nblock v(a, b=[1, 2], c=w) { a(b) }\nassert params < 5M\nassert macs < 1G and true\n",
    text_of("let a = b\nrepeat 2 { a = a -> c\nd }\nadd { a = d -> e\n f | a }"),
    "library a\nblock u(c: int, f: block | none = none, m: before | after = after, k=1) { f(c) -> g }\n",
    text_of("let a = x[:16] -> y\nx[16:] -> z\nlet k = w[1:2][0] + w[:][i]"),
    'arch a\ntrain {\n batch 64\n group rest { select ["stem.*", bias]\n optimizer.lr 1e-3 }\n group none { }\n}\n',
    "arch a\ntrain {\n batch 64\n augment crop(4) -> flip\n optimizer.lr 1e-3\n}\n",
]


@pytest.mark.parametrize("text", CASES)
def test_printing_keeps_the_tree(text: str) -> None:
    assert parse(print_spec(parse(text))) == parse(text)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_printing_keeps_the_shipped_specs(path) -> None:
    spec = parse(path.read_text(encoding="utf-8"))
    assert parse(print_spec(spec)) == spec


def test_canonical_text() -> None:
    text = """\
arch a extends base

input 3x8x8

param a = 1
param b = [a, 2]

block unit(c, k=3) {
    add {
        conv(c, k) -> bn
        relu
      | identity
    }
}

model {
    for c in b { unit(c) } -> maxpool(2) as pool : 2x3x3
    if a == 1 {
        flatten
    } else {
        global_avgpool
    }
}

train {
    batch 64
    augment crop(4) -> flip
}
"""
    expected = text.replace("for c in b { unit(c) } ->", "for c in b {\n        unit(c)\n    } ->")
    assert print_spec(parse(text)) == expected


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("conv(c, 3) -> relu", "conv(c, 3) -> relu"),
        ("conv(c, 3)\nrelu", "conv(c, 3) -> relu"),
        ("add {\na\nb\n|\nc\n}\nrelu", "add { a -> b | c } -> relu"),
        ("let y = a -> b\ny -> c", "let y = a -> b; y -> c"),
    ],
)
def test_a_body_on_one_line_shows_where_stages_end(stages: str, expected: str) -> None:
    (model,) = (item for item in parse(text_of(stages)).items if isinstance(item, nodes.Model))
    assert print_body(model.body) == expected
