"""`cifar-dsl completion`, and the completions that shells receive."""

import shutil
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete

from cifar_dsl.cli.main import group
from cifar_dsl.language.diagnostics import known_codes


@pytest.fixture
def complete(tmp_path, monkeypatch):
    """The completions of a command line: values and, for paths, `<file>`."""
    monkeypatch.chdir(tmp_path)

    def ask(*words: str) -> list[str]:
        *before, incomplete = words
        items = BashComplete(group, {}, "cifar-dsl", "_CIFAR_DSL_COMPLETE").get_completions(list(before), incomplete)
        return ["<file>" if item.type == "file" else item.value for item in items]

    return ask


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_the_command_itself(cli, shell):
    outcome = cli("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"_CIFAR_DSL_COMPLETE={shell}_complete" in outcome.out
    assert outcome.out.count("cifar-dsl") >= 1


def test_other_shells_are_a_usage_error(cli):
    outcome = cli("completion", "tcsh")
    assert outcome.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in outcome.err


def test_commands_and_options(complete):
    assert complete("c") == ["check", "compare", "completion"]
    assert complete("--c") == ["--color"]
    assert complete("show", "--m") == ["--margin", "--mermaid"]
    assert complete("check", "--format", "s") == ["sarif"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", ["check", "show", "fmt", "diff", "train", "compare", "sweep"])
def test_specs_of_a_folder(complete, make_spec, tmp_path, command):
    for name in ("one", "only"):
        make_spec(name)
    (tmp_path / "one.txt").touch()
    assert complete(command, "on") == ["one.arch", "only.arch"]
    assert complete(command, "one") == ["one.arch"]
    (tmp_path / "ones").mkdir()  # which the shell ends with a slash
    assert complete(command, "one") == ["<file>"]


def test_paths_are_completed_in_their_folders(complete, tmp_path):
    for path in ("inner/a.arch", "inner/b.arch", "inner/deep/c.arch"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert complete("show", "inner/a") == ["inner/a.arch"]
    assert complete("show", "inner/") == ["<file>"]
    assert complete("show", "./inner/deep/") == ["./inner/deep/c.arch"]
    assert complete("show", f"{tmp_path}/inner/b") == [f"{tmp_path}/inner/b.arch"]
    for nothing in ("missing/", "~/missing", "inner/x", "inner/[a", "\0"):
        assert complete("show", nothing) == ["<file>"]


@pytest.mark.parametrize("command", ["diff", "show", "check", "train", "export"])
def test_shipped_specs_are_completed_by_name(complete, make_spec, command):
    make_spec("resnet_mine")
    assert complete(command, "resnet1") == ["resnet18", "resnet101", "resnet110"]
    assert complete(command, "resnet_") == ["resnet_mine.arch"]
    assert complete(command, "resn")[-1] == "resnet_mine.arch"
    assert complete(command, "") == ["resnet_mine.arch"]
    assert "convolution" not in complete(command, "c")  # a library
    assert complete("fmt", "resnet1") == ["<file>"]


def test_codes_and_names(complete):
    assert complete("explain", "E030") == [code for code in known_codes() if code.startswith("E030")]
    assert complete("explain", "E0301", "w0401") == ["W0401"]
    assert {"conv", "conv_transpose"} <= set(complete("reference", "conv"))
    assert "adamw" in complete("reference", "ada")


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_takes_the_script(cli, tmp_path):
    script = cli("completion", "bash").out
    program = tmp_path / "cifar-dsl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cifar_dsl "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(
        f"{script}\nCOMP_WORDS=(cifar-dsl explain E040)\nCOMP_CWORD=2\n"
        '_cifar_dsl_completion ./cifar-dsl\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "script"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [code for code in known_codes() if code.startswith("E040")]
