"""Every limit allows N - 1 and N, and reports its code at N + 1; so does every raised limit."""

import ast
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import asdict
from helpers.charged import charged_work
from helpers.specs import TRAIN, write_specs

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.foundation import limits
from cifar_dsl.language.diagnostics import SpecError

HEAD = "arch a\ninput 3x32x32\n"
MODEL = "model { flatten -> dense(10) }\n"
POINT = "arch a\ninput 1x1x1\n"
DEFAULTS = asdict(limits.DEFAULTS)


def _padded(text: str, size: int) -> str:
    return text + "#" * (size - len(text))


def _included(count: int) -> dict[str, str]:
    """Five files with `count` bytes in total."""
    sizes = [count // 5] * 4 + [count - 4 * (count // 5)]
    texts = {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' for i in range(4)} | {"s4": HEAD + MODEL}
    return {name: _padded(text, size) for (name, text), size in zip(texts.items(), sizes, strict=True)}


def _chain_of_bases(count: int) -> dict[str, str]:
    return {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' for i in range(count)} | {f"s{count}": HEAD + MODEL}


def _operators(depth: int) -> str:
    """A sum in a negation in a sum ..., with two levels per bracket."""
    text = "1"
    for level in range(depth):
        text = f"-{text}" if level % 2 == 0 else f"(1 + {text})"
    return text


def _calls(count: int) -> str:
    blocks = "".join(f"block b{i}() {{ b{i + 1} }}\n" for i in range(count - 1))
    return f"{HEAD}{blocks}block b{count - 1}() {{ relu }}\nmodel {{ b0 -> flatten -> dense(10) }}\n"


def _bodies(count: int) -> str:
    """Nested bodies: the model's, the block's, and those of loops in both."""
    outside, inside = (count - 2) // 2, count - 2 - (count - 2) // 2
    block = f"block b() {{ {'repeat 1 { ' * inside}relu{' }' * inside} }}\n"
    return f"{HEAD}{block}model {{ {'repeat 1 { ' * outside}b{' }' * outside} }}\n"


def _params(count: int) -> str:
    uses = "".join(f"param p{i} = p{i + 1}\n" for i in range(count - 1))
    return f"{HEAD}param p = p0\n{uses}param p{count - 1} = 1\n{MODEL}".replace("param p = p0\n", "")


def _steps(count: int) -> str:
    """Rounds of two steps each, beside the steps of the rest, to which a `let` adds an odd number."""

    def text(rounds: int, others: str) -> str:
        return f"{HEAD}model {{\n{others}repeat {rounds} {{ }}\n}}\n"

    for others in ("", "let y = 0\n"):
        with charged_work() as works:
            analyze_text(text(0, others))
        if (count - works[0].done) % 2 == 0:
            return text((count - works[0].done) // 2, others)
    raise AssertionError


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


def _sizes(count: int) -> str:
    sizes = f"resize([{', '.join(map(str, range(count)))}], [{', '.join(['32'] * count)}])"
    return _recipe(f"augment {sizes}", "model { conv(1, 1) -> global_avgpool -> dense(10) }\n")


def _of_size(numbers: int, text: str) -> str:
    return text.replace("3x32x32", f"{numbers}x1x1").replace("cifar10", 'npz("00")')


# The code of each limit, and a spec that reaches a given amount exactly.
CASES: dict[str, tuple[str, Callable[[int], str | dict[str, str]]]] = {
    "file_bytes": ("E0104", lambda n: _padded(HEAD + MODEL, n)),
    "included_bytes": ("E0104", _included),
    "extends_depth": ("E0205", _chain_of_bases),
    "token_characters": ("E0104", lambda n: f'{HEAD}param p = "{"a" * (n - 2)}"\n{MODEL}'),
    "identifier_characters": ("E0104", lambda n: f"{HEAD}param {'a' * n} = 1\n{MODEL}"),
    "nesting": ("E0104", lambda n: f"{HEAD}param p = {'(' * n}1{')' * n}\n{MODEL}"),
    "nesting of operators": ("E0104", lambda n: f"{HEAD}param p = {_operators(n)}\n{MODEL}"),
    "integer_magnitude": ("E0104", lambda n: f"{HEAD}param p = {n}\n{MODEL}"),
    "integer_magnitude of results": ("E0210", lambda n: f"{HEAD}param p = {n - 10} + 10\n{MODEL}"),
    "layers": ("E0211", lambda n: f"{HEAD}model {{ repeat {n} {{ relu }} }}\n"),
    "steps": ("E0211", _steps),
    "list_items": ("E0210", lambda n: f"{HEAD}param p = [{','.join('0' * (n - 1))}]\n{MODEL}"),
    "list_items of lists": ("E0210", lambda n: f"{HEAD}param q = [{','.join('0' * (n - 2))}]\nparam p = [q]\n{MODEL}"),
    "block_depth": ("E0211", _calls),
    "body_depth": ("E0211", _bodies),
    "param_depth": ("E0211", _params),
    "parameters": ("E0211", _parameters),
    "exits": ("E0211", lambda n: f"{HEAD}model {{ flatten -> dense(2)\nrepeat {n} {{ let e = exit }} }}\n"),
    "tensor": ("E0211", lambda n: f"{POINT}model {{ flatten -> dense({n}, bias=false) }}\n"),
    "groups": ("E0403", _groups),
    "selected": ("E0403", lambda n: _recipe(f'group g {{ select [{", ".join(["bias"] * n)}] }}')),
    "changes": ("E0403", _chained("augment", "flip")),
    "mixtures": ("E0403", _chained("augment", "mixup(1)")),
    "views": ("E0403", _chained("test_augment", "mirror")),
    "averages": ("E0403", _chained("average", "lookahead")),
    "sizes": ("E0304", _sizes),
    "whitened": ("E0423", lambda n: _of_size(n, _recipe("normalize zca"))),
}  # fmt: skip


def codes(folder: Path, texts: str | dict[str, str]) -> set[str]:
    path = write_specs(folder, **(texts if isinstance(texts, dict) else {"a": texts}))
    try:
        analyze(path)
    except SpecError as error:
        return {one.code for one in error.diagnostics}
    return set()


def test_every_limit_has_a_case() -> None:
    elsewhere = {
        "diagnostics",
        "unasked_parameters",
    }  # the first below, the other in tests/cli/training/slow/test_confirmation.py
    assert {_limit(case) for case in CASES} | elsewhere == set(DEFAULTS)


def _limit(case: str) -> str:
    return case.partition(" ")[0]


@pytest.mark.parametrize("case", CASES)
def test_a_limit_applies_above_its_value(tmp_path: Path, case: str) -> None:
    code, text_with = CASES[case]
    default = DEFAULTS[_limit(case)]
    assert codes(tmp_path, text_with(default - 1)) == set()
    assert codes(tmp_path, text_with(default)) == set()
    assert codes(tmp_path, text_with(default + 1)) == {code}


@pytest.mark.parametrize("case", CASES)
def test_a_raised_limit_applies_above_its_new_value(tmp_path: Path, case: str) -> None:
    """This includes limits that `--limit` can't raise: no code keeps a copy of a limit, so any can become raisable."""
    code, text_with = CASES[case]
    default = DEFAULTS[_limit(case)]
    with limits.raising(**{_limit(case): default + 1}):
        assert codes(tmp_path, text_with(default + 1)) == set()
        assert codes(tmp_path, text_with(default + 2)) == {code}
    assert limits.current() == limits.DEFAULTS
    assert codes(tmp_path, text_with(default + 1)) == {code}


def test_threads_don_t_share_raised_limits(tmp_path: Path) -> None:
    _, text_with = CASES["nesting"]
    deep = text_with(DEFAULTS["nesting"] + 1)
    with limits.raising(nesting=DEFAULTS["nesting"] + 1), ThreadPoolExecutor(1) as executor:
        assert codes(tmp_path, deep) == set()
        assert executor.submit(codes, tmp_path, deep).result() == {"E0104"}


def _read_at_import(tree: ast.Module) -> set[str]:
    """The calls of `current()` and `Limits()`, and uses of `DEFAULTS`, that run when a module is imported."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                executed = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            case ast.Lambda():
                executed = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in {"current", "Limits"}:
                found.add(name)
                return
            case ast.Name(id="DEFAULTS") | ast.Attribute(attr="DEFAULTS"):
                found.add("DEFAULTS")
                return
            case _:
                executed = [*ast.iter_child_nodes(node)]
        for child in executed:
            visit(child)

    visit(tree)
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("MOST = limits.current().layers", {"current"}),
        ("class A:\n    most = Limits().layers", {"Limits"}),
        ("def f(most=limits.DEFAULTS.layers): ...", {"DEFAULTS"}),
        ("def f(): return limits.current().layers", set()),
        ("most = lambda limits: limits.layers", set()),
    ],
)
def test_reading_a_limit_at_import_is_noticed(text: str, found: set[str]) -> None:
    assert _read_at_import(ast.parse(text)) == found


def test_no_module_copies_a_limit_when_it_is_imported() -> None:
    """Such a copy would keep its value when the limit is raised."""
    package = Path(limits.__file__).parents[1]
    files = [path for path in package.rglob("*.py") if path != Path(limits.__file__)]
    assert {path for path in files if _read_at_import(ast.parse(path.read_text(encoding="utf-8")))} == set()


@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("mistake", ["param p{} = q{}\n", "conv conv{} {}\n", "input $ # {} {}\n"])
@pytest.mark.parametrize("limit", [DEFAULTS["diagnostics"], DEFAULTS["diagnostics"] + 1])
def test_the_number_of_reported_errors_is_limited(tmp_path: Path, beyond: int, mistake: str, limit: int) -> None:
    count = limit + beyond
    text = HEAD + "".join(mistake.format(i, i) for i in range(count)) + MODEL
    with limits.raising(diagnostics=limit), pytest.raises(SpecError) as caught:
        analyze(write_specs(tmp_path, a=text))
    assert len(caught.value.diagnostics) == min(count, limit)


def test_only_raisable_limits_have_a_remedy() -> None:
    assert "--limit LAYERS=..." in limits.remedy("layers")
    with pytest.raises(AssertionError):
        limits.remedy("nesting")


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_limit_is_documented_with_its_value(name: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "limits.md").read_text(encoding="utf-8")
    codes_of = ", ".join(dict.fromkeys(code for case, (code, _) in CASES.items() if _limit(case) == name))
    raisable = "yes" if name in limits.RAISABLE else ""
    row = f"| `{name.upper()}` | {DEFAULTS[name]:,} | {limits.DOCS[name]} | {codes_of} | {raisable} |"
    assert row in page.splitlines()
