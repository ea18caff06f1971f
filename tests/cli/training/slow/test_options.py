"""The options of a run: declared once, offered by commands, handed to the training."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import cifar_dsl
from cifar_dsl.experiments.trackers import base
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.training.engines import ENGINES
from cifar_dsl.training.options import CompareOptions, RunOptions, SweepOptions, TrainOptions, declaration_of

# ---- what commands offer

GROUPS = ["What to train", "Devices and processes", "Runs", "Trackers"]
OF_TRAIN = {"--root", "--resume", "--dry-run", "--measure", "--profile", "--verbose"}
SET = {"--set", "--epochs", "--batch", "--lr"}


def listed(help_text: str) -> dict[str, list[str]]:
    """The options below each heading of a command's `--help`."""
    _, *sections = re.split(r"^(\S.*):\n", help_text, flags=re.MULTILINE)
    return {
        heading: re.findall(r"^  (?:-\w, )?(--[\w-]+)", rows, re.MULTILINE)
        for heading, rows in zip(sections[::2], sections[1::2], strict=True)
        if heading != "Examples"
    }


def flags_of(kind: type[RunOptions]) -> set[str]:
    return {
        declaration_of(each).flag or f"--{each.name.replace('_', '-')}"
        for each in attrs.fields(kind)
        if kind is TrainOptions or not declaration_of(each).train_only
    }


@pytest.mark.parametrize(
    ("command", "groups", "kind", "own"),
    [
        (
            "train",
            GROUPS,
            TrainOptions,
            SET | OF_TRAIN,
        ),
        ("compare", [*GROUPS, "Comparison"], CompareOptions, SET | {"--root", "--dry-run"}),
        ("sweep", [*GROUPS, "Comparison"], SweepOptions, SET | {"--root", "--dry-run"}),
    ],
)
def test_help_lists_every_option_once_under_its_heading(cli, command, groups, kind, own):
    shown = listed(cli(command, "--help-all").out)
    assert list(shown) == [*groups, "Other options"]
    found = [flag for flags in shown.values() for flag in flags]
    assert sorted(found) == sorted(flags_of(kind) | own | {"--help", "--help-all"})
    assert shown["Trackers"] == ["--log", "--log-dir"]
    assert {"--set", "--root", "--data", "--seeds"} <= set(shown["What to train"])


def test_help_has_one_column_of_explanations(cli):
    sections = re.split(r"^\S.*:\n", cli("train", "--help-all").out, flags=re.MULTILINE)[1:]
    lines = [line for section in sections for line in section.splitlines() if line]
    starts = [match.end() for line in lines if (match := re.match(r"(?:  -\S.*?)?  +(?=\S)", line))]
    assert set(starts) == {2, 34}  # 2: names too long to have an explanation beside them


@pytest.mark.parametrize("command", ["compare", "sweep"])
@pytest.mark.parametrize("flag", ["--retrain", "--restart", "--seed=1", "--validation=1", "--json"])
def test_comparisons_offer_nothing_of_a_single_run(cli, tiny, command, flag):
    outcome = cli(command, tiny, flag)
    assert outcome.code == 2
    assert "No such option" in outcome.err


def test_choices_are_the_existing_ones():
    fields = attrs.fields_dict(TrainOptions)
    assert declaration_of(fields["engine"]).choices == tuple(ENGINES)
    trackers = {
        path.stem for path in Path(base.__file__).parent.glob("*.py") if "def open_tracker(training" in path.read_text()
    }
    assert set(declaration_of(fields["log"]).choices) == trackers


def test_check_builds_no_option_of_a_training(with_one_more, tiny):
    code, out = with_one_more(
        f"del sys.modules[spec.name]; main(['check', {str(tiny)!r}]); sys.exit(spec.name in sys.modules)"
    )
    assert code == 0, out


# ---- Python


def test_keywords_of_train_are_the_options_of_a_run(tiny):
    shown = inspect.signature(cifar_dsl.train).parameters
    defaults = {each.name: each.default for each in attrs.fields(RunOptions)}
    assert {name: each.default for name, each in shown.items() if name in defaults} == defaults
    assert {each.kind for name, each in shown.items() if name != "spec"} == {inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(UserError, match="keep_last is 0, but must be at least 1"):
        cifar_dsl.train(tiny, keep_last=0)
    with pytest.raises(TypeError, match="jobs"):
        cifar_dsl.train(tiny, jobs=2)
    assert RunOptions(runs="somewhere", data_dir="there") == RunOptions(runs=Path("somewhere"), data_dir=Path("there"))


# ---- a new option is one declaration

LINE = '    patience: int = option("Epochs to wait.", 3, group=RUNS, minimum=1, beside_resume=False)\n'

# Everything is imported after this, and finds training/options.py with the line above in RunOptions.
WITH_ONE_MORE = f"""
import importlib.util, sys
spec = importlib.util.find_spec("cifar_dsl.training.options")
source, place = spec.loader.get_source(spec.name), "    retrain: bool = option("
assert source.count(place) == 1
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
exec(compile(source.replace(place, {LINE!r} + place), spec.origin, "exec"), vars(sys.modules[spec.name]))
from cifar_dsl.cli import main
"""

# Trainings fail with the value that they received.
SHOWN = """
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.training import session

def train_runs(analysis, spec, dataset, seeds, options, **_):
    raise UserError(f"trained with patience {options.patience}")

session.train_runs = train_runs
"""


@pytest.fixture
def with_one_more(tmp_path):
    """Run a program in a process where the options of a run are one more; gives back its exit code and output."""

    def run(program: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", WITH_ONE_MORE + program], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("command", ["train", "compare", "sweep"])
def test_a_new_option_is_listed(with_one_more, command):
    code, out = with_one_more(f"sys.exit(main(['{command}', '--help-all']))")
    assert code == 0
    assert re.search(r"--patience INTEGER RANGE +Epochs to wait\.  \[default: 3; x>=1\]", out)
    assert "--patience" in listed(out)["Runs"]


def test_the_value_of_a_new_option_arrives_in_the_training(with_one_more, tiny, pictures):
    data = f"npz:{pictures}"
    arguments = ["train", str(tiny), f"--data={data}", "--device=cpu", "--patience=7"]
    from_python = f"import cifar_dsl\ncifar_dsl.train({str(tiny)!r}, data={data!r}, device='cpu', patience=8)"
    code, out = with_one_more(f"{SHOWN}assert main({arguments}) == 1\n{from_python}")
    assert (code, "trained with patience 7" in out, "trained with patience 8" in out) == (1, True, True), out


def test_the_bounds_of_a_new_option_are_enforced(with_one_more, tiny):
    code, out = with_one_more(f"sys.exit(main(['train', {str(tiny)!r}, '--patience=0']))")
    assert code == 2
    assert "Invalid value for '--patience': 0 is not in the range x>=1." in out


def test_resume_refuses_a_new_option_that_is_declared_so(with_one_more):
    code, out = with_one_more("sys.exit(main(['train', '--resume', 'somewhere', '--patience=3']))")
    assert code == 2
    assert "--patience can't be combined with --resume" in out
