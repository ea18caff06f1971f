"""Commands in a folder that the user may only read: one message, with what to do instead."""

import pytest
from helpers.permissions import read_only
from helpers.runs import interrupted, write

TWICE = "arch twice\ninput 3x8x8\nmodel { flaten->dense(10) }\n"  # a typo to fix, and not formatted


@pytest.mark.parametrize(
    ("arguments", "file", "advice"),
    [
        (("fmt", "twice.arch"), "twice.arch", "print the changes with --diff"),
        (("check", "twice.arch", "--fix", "--unsafe-fixes"), "twice.arch", "check without --fix"),
        (("show", "right.arch", "--picture", "p.svg"), "p.svg", "choose another place with --picture"),
    ],
)
def test_a_file_that_can_not_be_written_is_named(cli, make_spec, tmp_path, arguments, file, advice):
    make_spec("twice", TWICE)
    make_spec("right", TWICE.replace("twice", "right").replace("flaten", "flatten"))
    with read_only(tmp_path):
        outcome = cli(*arguments)
    assert outcome.code == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert errors == [f"error: can't write {file}: Permission denied"]
    assert advice in outcome.err
    assert "1 of 1 spec reformatted" not in outcome.err
    assert (tmp_path / "twice.arch").read_text() == TWICE
    assert {path.name for path in tmp_path.iterdir()} == {"twice.arch", "right.arch"}


def test_following_the_advice_for_a_file_to_format_shows_the_changes(cli, make_spec, tmp_path):
    make_spec("twice", TWICE)
    with read_only(tmp_path):
        assert "+model { flaten -> dense(10) }" in cli("fmt", "--diff", "twice.arch").out


def test_runs_that_can_not_be_removed_are_named_and_stay(cli, tmp_path):
    run = write(tmp_path / "runs").path
    interrupted(run.with_name("seed-1"))
    with read_only(run.parent):
        outcome = cli("runs", "prune", "--complete", "--unfinished", "--yes")
        assert "2 runs, 0 damaged" in cli("runs", "verify", "runs").err
    assert outcome.code == 1
    folder = run.parent.relative_to(tmp_path)
    for name in ("seed-0", "seed-1.partial"):
        assert f"{folder / name} can't be removed: Permission denied" in outcome.err
    assert outcome.err.count(f"  = help: check that you may write to {folder}\n") == 2
    assert cli("runs", "prune", "--complete", "--unfinished", "--yes").code == 0
    assert not run.parent.exists()
