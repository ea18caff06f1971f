"""Every limit holds at N - 1 and N, and at N + 1 it is told with its code."""

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.specs import TRAIN, write_specs

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import SpecError

HEAD = "arch a\ninput 3x32x32\n"
MODEL = "model { flatten -> dense(10) }\n"
POINT = "arch a\ninput 1x1x1\n"
LIMITS = limits.DEFAULTS


def _padded(text: str, size: int) -> str:
    return text + "#" * (size - len(text))


def _included(count: int) -> dict[str, str]:
    """Five files with so many bytes in all."""
    sizes = [count // 5] * 4 + [count - 4 * (count // 5)]
    texts = {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' for i in range(4)} | {"s4": HEAD + MODEL}
    return {name: _padded(text, size) for (name, text), size in zip(texts.items(), sizes, strict=True)}


def _chain_of_bases(count: int) -> dict[str, str]:
    return {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' for i in range(count)} | {f"s{count}": HEAD + MODEL}


def _operators(depth: int) -> str:
    """A sum in a sign in a sum ..., two levels to a bracket."""
    text = "1"
    for level in range(depth):
        text = f"-{text}" if level % 2 == 0 else f"(1 + {text})"
    return text


def _calls(count: int) -> str:
    blocks = "".join(f"block b{i}() {{ b{i + 1} }}\n" for i in range(count - 1))
    return f"{HEAD}{blocks}block b{count - 1}() {{ relu }}\nmodel {{ b0 -> flatten -> dense(10) }}\n"


def _bodies(count: int) -> str:
    """Bodies in bodies: the model's, the block's, and those of loops in both."""
    outside, inside = (count - 2) // 2, count - 2 - (count - 2) // 2
    block = f"block b() {{ {'repeat 1 { ' * inside}relu{' }' * inside} }}\n"
    return f"{HEAD}{block}model {{ {'repeat 1 { ' * outside}b{' }' * outside} }}\n"


def _params(count: int) -> str:
    uses = "".join(f"param p{i} = p{i + 1}\n" for i in range(count - 1))
    return f"{HEAD}param p = p0\n{uses}param p{count - 1} = 1\n{MODEL}".replace("param p = p0\n", "")


def _evaluations(count: int) -> str:
    """A list of 4,999 numbers takes 10,000: itself and its items to be worked out, and again to be counted."""
    rounds, rest = divmod(count - 1, 10_000)  # the count of `repeat` is one
    ones = "\n".join(["let y = 0"] * (rest % 2))
    left = f"let z = [{', '.join('0' * (rest // 2 - 1))}]" if rest >= 2 else ""
    numbers = ", ".join("0" * 4999)
    return f"{HEAD}model {{\nrepeat {rounds} {{ let x = [{numbers}] }}\n{left}\n{ones}\n}}\n"


def _parameters(count: int) -> str:
    a = 40_000
    b, rest = divmod(count - a, a + 1)
    assert rest
    widths = (a, b, 1, rest)  # a + a b + b + rest weights
    return POINT + f"model {{ flatten -> {' -> '.join(f'dense({width}, bias=false)' for width in widths)} }}\n"


def _recipe(setting: str, model: str = MODEL) -> str:
    return HEAD + model + TRAIN.removesuffix("}\n") + f" {setting}\n}}\n"


def _groups(count: int) -> str:
    stages = " -> ".join(f"dense(10) as d{i}" for i in range(count))
    groups = "\n".join(f'group g{i} {{ select "d{i}.*" }}' for i in range(count))
    return _recipe(groups, f"model {{ flatten -> {stages} }}\n")


def _chained(setting: str, one: str) -> Callable[[int], str]:
    return lambda count: _recipe(f"{setting} {' -> '.join([one] * count)}")


# What holds exactly so much of it, and the code when that is too much.
CASES: dict[str, tuple[str, Callable[[int], str | dict[str, str]]]] = {
    "FILE_BYTES": ("E0104", lambda n: _padded(HEAD + MODEL, n)),
    "INCLUDED_BYTES": ("E0104", _included),
    "EXTENDS_DEPTH": ("E0205", _chain_of_bases),
    "TOKEN_CHARACTERS": ("E0104", lambda n: f'{HEAD}param p = "{"a" * (n - 2)}"\n{MODEL}'),
    "IDENTIFIER_CHARACTERS": ("E0104", lambda n: f"{HEAD}param {'a' * n} = 1\n{MODEL}"),
    "NESTING": ("E0104", lambda n: f"{HEAD}param p = {'(' * n}1{')' * n}\n{MODEL}"),
    "NESTING of operators": ("E0104", lambda n: f"{HEAD}param p = {_operators(n)}\n{MODEL}"),
    "INTEGER_MAGNITUDE": ("E0104", lambda n: f"{HEAD}param p = {n}\n{MODEL}"),
    "INTEGER_MAGNITUDE of results": ("E0210", lambda n: f"{HEAD}param p = {n - 10} + 10\n{MODEL}"),
    "LAYERS": ("E0211", lambda n: f"{HEAD}model {{ repeat {n} {{ relu }} }}\n"),
    "STEPS": ("E0211", lambda n: f"{HEAD}model {{ repeat {n - 1} {{ }} }}\n"),
    "EVALUATIONS": ("E0211", _evaluations),
    "LIST_ITEMS": ("E0210", lambda n: f"{HEAD}param p = [{','.join('0' * (n - 1))}]\n{MODEL}"),
    "LIST_ITEMS of lists": ("E0210", lambda n: f"{HEAD}param q = [{','.join('0' * (n - 2))}]\nparam p = [q]\n{MODEL}"),
    "BLOCK_DEPTH": ("E0211", _calls),
    "BODY_DEPTH": ("E0211", _bodies),
    "PARAM_DEPTH": ("E0211", _params),
    "PARAMETERS": ("E0211", _parameters),
    "TENSOR": ("E0211", lambda n: f"{POINT}model {{ flatten -> dense({n}, bias=false) }}\n"),
    "GROUPS": ("E0403", _groups),
    "SELECTED": ("E0403", lambda n: _recipe(f'group g {{ select [{", ".join(["bias"] * n)}] }}')),
    "CHANGES": ("E0403", _chained("augment", "flip")),
    "MIXTURES": ("E0403", _chained("augment", "mixup(1)")),
    "VIEWS": ("E0403", _chained("test_augment", "mirror")),
    "AVERAGES": ("E0403", _chained("average", "lookahead")),
}  # fmt: skip


def codes(folder: Path, texts: str | dict[str, str]) -> set[str]:
    path = write_specs(folder, **(texts if isinstance(texts, dict) else {"a": texts}))
    try:
        analyze(path)
    except SpecError as error:
        return {one.code for one in error.diagnostics}
    return set()


def test_every_limit_has_a_case() -> None:
    elsewhere = {"DIAGNOSTICS", "UNASKED_PARAMETERS"}  # the last below, and in tests/cli/test_asking.py
    assert {name.partition(" ")[0] for name in CASES} | elsewhere == set(LIMITS)


@pytest.mark.parametrize("name", CASES)
def test_a_limit_holds_up_to_its_figure(tmp_path: Path, name: str) -> None:
    code, text_with = CASES[name]
    limit = LIMITS[name.partition(" ")[0]]
    assert codes(tmp_path, text_with(limit - 1)) == set()
    assert codes(tmp_path, text_with(limit)) == set()
    assert codes(tmp_path, text_with(limit + 1)) == {code}


@pytest.mark.parametrize("name", [name for name in CASES if name.partition(" ")[0] in limits.RAISABLE])
def test_a_limit_that_is_raised_holds_up_to_its_new_figure(tmp_path: Path, name: str) -> None:
    code, text_with = CASES[name]
    limit = name.partition(" ")[0]
    figures = {limit: LIMITS[limit] + 1}
    with limits.raising(figures):
        assert limits.raised() == figures
        assert codes(tmp_path, text_with(LIMITS[limit] + 1)) == set()
        assert codes(tmp_path, text_with(LIMITS[limit] + 2)) == {code}
    assert limits.raised() == {}
    assert codes(tmp_path, text_with(LIMITS[limit] + 1)) == {code}


@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("mistake", ["param p{} = q{}\n", "conv conv{} {}\n", "input $ # {} {}\n"])
def test_so_many_mistakes_are_told(tmp_path: Path, beyond: int, mistake: str) -> None:
    count = limits.DIAGNOSTICS + beyond
    text = HEAD + "".join(mistake.format(i, i) for i in range(count)) + MODEL
    with pytest.raises(SpecError) as caught:
        analyze(write_specs(tmp_path, a=text))
    assert len(caught.value.diagnostics) == min(count, limits.DIAGNOSTICS)


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_documented_with_its_figure(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` ")]
    _, _, figure, _, _, raisable, _ = map(str.strip, row.split("|"))
    assert figure == f"{LIMITS[name]:,}"
    assert (raisable == "yes") == (name in limits.RAISABLE)
