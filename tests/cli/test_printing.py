"""Everything that is printed goes through `cli/output.py`, which escapes it and bounds the length of messages."""

import ast
from pathlib import Path

import pytest
from helpers.inert import CONTROLS

import cifar_dsl
from cifar_dsl.cli import output
from cifar_dsl.foundation.text import without_middle

PACKAGE = Path(cifar_dsl.__file__).parent
ONLY = "cli/output.py"
# Other ways to print. click prints its own static texts; a live bar of rich prints lines that `visible` has escaped.
ALLOWED = {("cli/progress.py", "self._bar.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)")}


def prints(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return (
        name in {"print", "click.echo", "click.secho", "click.echo_via_pager", "click.prompt", "pprint.pprint"}
        or name.endswith(("stdout.write", "stderr.write", "stdout.buffer.write", "console.print", "console.log"))
        or name.startswith(("traceback.print", "rich.print"))
    )


def test_only_one_module_prints():
    found = {
        (path.relative_to(PACKAGE).as_posix(), ast.unparse(node))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and prints(node)
    }
    assert {one for one in found if one[0] != ONLY} == ALLOWED
    assert {one[0] for one in found} >= {ONLY}


@pytest.mark.parametrize(
    ("show", "stream", "keeps_lines"),
    [
        (output.print_result, "out", False),
        (output.print_heading, "out", False),
        (output.print_text, "out", True),
        (output.print_json, "out", False),
        (output.note, "err", False),
        (output.warn, "err", False),
        (output.note_text, "err", True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_way_to_print_escapes(capsys, show, stream, keeps_lines):
    for character in [*CONTROLS, "\n", "\r\n", "\u202e"]:
        show(f"a{character}b")
        text = getattr(capsys.readouterr(), stream)
        inside = text.removesuffix("\n")
        allowed = {"\n"} if keeps_lines else set()
        assert set(inside) & {*CONTROLS, "\n"} <= allowed, (character, inside)


def test_messages_are_bounded(capsys):
    output.note("x" * 115_142)
    text = capsys.readouterr().err
    assert len(text) < 2100
    assert " [... 113,142 characters ...] " in text
    assert without_middle("x" * 2000) == "x" * 2000


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["check", "{}"],
        ["check", "--{}"],
        ["check", "--format", "{}", "x.arch"],
        ["--limit", "{}=1", "check", "x.arch"],
        ["explain", "{}"],
        ["reference", "{}"],
        ["diff", "{}", "baseline"],
        ["runs", "show", "{}"],
        ["runs", "--runs", "{}"],
        ["check", "tiny.arch", "--set", "{}"],
        ["check", "tiny.arch", "--set", "a={}"],
    ],
    ids=" ".join,
)
def test_messages_about_long_and_hostile_arguments(cli, tiny, arguments):
    long = cli(*(argument.format("x" * 100_000) for argument in arguments))
    assert long.code in {1, 2}
    assert max(map(len, (long.out + long.err).splitlines())) < 2100
    hostile = cli(*(argument.format("x\nerror: forged\u202e") for argument in arguments))
    assert "\nerror: forged" not in hostile.out + hostile.err
    assert "\u202e" not in hostile.out + hostile.err
