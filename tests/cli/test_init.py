"""`cifar-dsl init`."""

import re
import shlex

import pytest

from cifar_dsl.compiler import analyze
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import shipped_specs


def test_the_written_spec_has_no_faults_and_can_be_trained(cli, tmp_path):
    outcome = cli("init", "mine")
    assert (outcome.code, outcome.out) == (0, "mine.arch\n")
    assert "cifar-dsl show mine.arch" in outcome.err
    inspection = inspect(tmp_path / "mine.arch", tmp_path)
    assert inspection.diagnostics == ()
    assert inspection.found.program.name.text == "mine"
    assert inspection.found.recipe is not None
    assert cli("fmt", "--check", "mine.arch").code == 0


def test_commands_in_advice_can_be_pasted(cli, tmp_path):
    (tmp_path / "my specs").mkdir()
    outcome = cli("init", "my specs/mine")
    assert outcome.code == 0
    shown, trained = re.findall("`(cifar-dsl .*?)`", outcome.err)
    assert shlex.split(shown) == ["cifar-dsl", "show", "my specs/mine.arch"]
    assert shlex.split(trained) == ["cifar-dsl", "train", "my specs/mine.arch"]


@pytest.mark.parametrize("start", ["resnet18", "resnet34", "residual", "airbench94", "swin_t_224"])
def test_a_copy_means_the_same_under_another_name(cli, tmp_path, start):
    assert cli("init", "copy.arch", "--from", start).code == 0
    copy, original = analyze(tmp_path / "copy.arch"), analyze(shipped_specs()[start])
    assert copy.program.name.text == "copy"
    assert copy.graph == original.graph
    assert copy.recipe == original.recipe
    assert (tmp_path / "copy.arch").read_text().startswith(f"# Started from {start}.\n")


def test_a_copy_of_a_file_finds_its_base(cli, tmp_path, tiny):
    (tmp_path / "wider.arch").write_text('arch wider extends "tiny.arch"\n\ntrain { batch 32 }\n')
    assert cli("init", "widest", "--from", "wider.arch").code == 0
    assert analyze(tmp_path / "widest.arch").recipe == analyze(tmp_path / "wider.arch").recipe
    (tmp_path / "folder").mkdir()
    outcome = cli("init", "folder/widest", "--from", "wider.arch")
    assert (outcome.code, list((tmp_path / "folder").iterdir())) == (1, [])
    assert 'wider.arch extends "tiny.arch", a file in its own folder' in outcome.err
    assert "cifar-dsl init widest --from wider.arch" in outcome.err


def test_no_file_is_overwritten(cli, tiny):
    before = tiny.read_bytes()
    outcome = cli("init", "tiny")
    assert (outcome.code, outcome.out) == (1, "")
    assert "tiny.arch exists" in outcome.err
    assert tiny.read_bytes() == before


@pytest.mark.parametrize("name", ["3x", "repeat", "my-net", "", "a b", "x" * 65, "a\nb"])
def test_a_name_that_no_spec_can_have_is_refused(cli, tmp_path, name):
    outcome = cli("init", name)
    assert (outcome.code, outcome.out) == (1, "")
    assert "can't be the name of a spec" in outcome.err
    assert list(tmp_path.glob("*.arch")) == []


def test_a_missing_folder_or_start_is_an_error(cli):
    outcome = cli("init", "nowhere/mine")
    assert (outcome.code, outcome.out) == (1, "")
    assert "create its folder" in outcome.err
    assert (
        "There is no file or shipped spec resnet19. Did you mean resnet18?"
        in cli("init", "a", "--from", "resnet19").err
    )


def test_it_asks_on_a_terminal_only_and_again_after_a_wrong_answer(cli, tmp_path, monkeypatch):
    (tmp_path / "tiny.arch").write_bytes(b"\xff")
    outcome = cli("init")
    assert outcome.code == 2
    assert "Not a terminal, so there is no prompt; pass NAME." in outcome.err
    monkeypatch.setattr("cifar_dsl.cli.init.is_terminal", lambda: True)
    answers = iter(["tiny", "a b", "asked", "resnet19", "tiny.arch", "vgg11"])
    asked = []
    monkeypatch.setattr("click.prompt", lambda question, **_: (asked.append(question), next(answers))[1])
    outcome = cli("init")
    assert outcome.out == "asked.arch\n"
    assert [question.split()[0] for question in asked] == ["Name"] * 3 + ["Spec"] * 3
    assert [line for line in outcome.err.splitlines() if line.startswith("error")] == [
        "error: tiny.arch exists",
        "error: 'a b' can't be the name of a spec",
        "error: There is no file or shipped spec resnet19. Did you mean resnet18?",
        "error[E0105]: tiny.arch is not UTF-8 text (at byte 0)",
    ]
    assert analyze(tmp_path / "asked.arch").graph == analyze(shipped_specs()["vgg11"]).graph
