"""What can be seen from outside is as it was when it was recorded; `record.py` records it again."""

import hashlib
import json
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from golden.observe import GOLDEN, HERE, RECORDED, ROOT, keys, observe, pictures, run, unlike

import cifar_dsl

COMPLETE = next(RECORDED.glob("small-*/seed-0"))
# The keys that files have gained since the runs were recorded.
ADDED = {
    "run.json": {".normalization", ".normalization.mean", ".normalization.std", ".classes", ".uses"},
    "result.json": {".cross_entropy", ".passes", ".stopped_early"},
}
INTERRUPTED = next(RECORDED.glob("long-*/seed-0.partial"))


@pytest.mark.parametrize("name", GOLDEN)
def test_nothing_has_changed(name: str, tmp_path: Path) -> None:
    expected = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    lines = list(unlike(expected, observe(name, tmp_path), GOLDEN[name].tolerance))
    if lines:
        more = [f"... and {len(lines) - 40} more"] if len(lines) > 40 else []
        again = f"if this is meant: python tests/golden/record.py {name}"
        pytest.fail("\n".join([f"{name} has changed:", *lines[:40], *more, again]), pytrace=False)


def test_what_is_recorded_is_what_is_tested() -> None:
    assert sorted(path.stem for path in HERE.glob("*.json")) == sorted(GOLDEN)


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "cifar_dsl", "show", "--json", "specs/baseline.arch"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(outcome.stdout) == run("show", "--json", "specs/baseline.arch").data


def test_an_error_is_raised_with_its_code_and_place() -> None:
    with pytest.raises(cifar_dsl.SpecError) as caught:
        cifar_dsl.load(ROOT / "tests" / "language" / "diagnostics" / "cases" / "E0308_add_channels.arch")
    assert [found.code for found in caught.value.diagnostics] == ["E0308"]


def test_what_the_package_is_entered_by_is_there() -> None:
    """The command, the lexer of Pygments, and what `%load_ext cifar_dsl` calls."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = [*project["scripts"].values(), *project["entry-points"]["pygments.lexers"].values()]
    assert points[0] == "cifar_dsl.__main__:run"
    assert all(callable(pkgutil.resolve_name(point)) for point in points)
    assert callable(cifar_dsl.load_ipython_extension)


# Runs


def _train(spec: str, runs: Path, folder: Path, *options: object) -> list[dict[str, object]]:
    data = pictures(folder / "pictures.npz")
    outcome = run(
        *("train", f"{spec}.arch", "--data", f"npz:{data}", "--runs", runs, "--threads", 1, "--json", *options),
        cwd=RECORDED,
    )
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED, tmp_path / "runs"))


def test_a_complete_run_is_not_trained_again(runs: Path, tmp_path: Path) -> None:
    place = runs / COMPLETE.relative_to(RECORDED)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    (line,) = _train("small", runs, tmp_path)
    assert (line["event"], line["run"]) == ("result", str(place))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize("damaged", [False, True])
def test_an_interrupted_run_is_gone_on_with(runs: Path, tmp_path: Path, damaged: bool) -> None:
    """A checkpoint that is damaged is passed over; the one before it is taken."""
    partial = runs / INTERRUPTED.relative_to(RECORDED)
    checkpoints = sorted((partial / "checkpoints").iterdir())
    kept = (INTERRUPTED / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert (len(checkpoints), len(kept)) == (2, 3)
    if damaged:
        _damage(checkpoints[-1])
        kept.pop()
    lines = _train("long", runs, tmp_path)
    done = partial.with_name("seed-0")
    assert not partial.exists()
    epochs = (done / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [1, 2, 3, 4, 5, 6]
    added = {"test_cross_entropy": None, "validation_cross_entropy": None}  # since these epochs were recorded
    assert list(map(json.loads, epochs[: len(kept)])) == [json.loads(line) | added for line in kept]
    assert [line["epoch"] for line in lines[:-1]] == list(range(len(kept) + 1, 7))
    record = json.loads((done / "run.json").read_text(encoding="utf-8"))
    assert (record["schema"], len(record["normalization"]["std"]), len(record["classes"])) == (5, 3, 10)
    assert len(record["resumed"]) == 1
    assert [line["status"] for line in lines[-1:]] == ["finished"]
    assert run("runs", "verify", done).code == 0
    _has_the_files_of_a_complete_run(done)


def test_a_failed_run_is_gone_on_with(runs: Path, tmp_path: Path) -> None:
    partial = next(runs.glob("small-*/seed-9.partial"))
    assert (partial / "failure.json").exists()
    _train("small", runs, tmp_path, "--seed", 9)
    _has_the_files_of_a_complete_run(partial.with_name("seed-9"))


def test_a_new_run_lies_where_the_recorded_one_does_and_is_like_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    lines = _train("small", runs, tmp_path)
    new = runs / COMPLETE.relative_to(RECORDED)
    _has_the_files_of_a_complete_run(new)
    for name, added in ADDED.items():
        assert keys(_read(new / name)) == keys(_read(COMPLETE / name)) | added, name
    assert (new / "spec.arch").read_bytes() == (COMPLETE / "spec.arch").read_bytes()
    record, old = _read(new / "run.json"), _read(COMPLETE / "run.json")
    for key in ("name", "fingerprint", "seed", "lineage", "changes", "overrides", "together"):
        assert record[key] == old[key], key
    assert record["data"]["digest"] == old["data"]["digest"]
    if (ROOT / ".git").exists():
        assert record["environment"]["commit"]
    assert [line["event"] for line in lines] == ["epoch", "epoch", "epoch", "result"]
    # Ten steps in float32: sums come in another order on another processor, which grows a little with every step.
    assert _read(new / "result.json")["loss"] == pytest.approx(_read(COMPLETE / "result.json")["loss"], rel=0.05)


def test_training_from_python_is_training_from_the_command_line(runs: Path, tmp_path: Path) -> None:
    data = f"npz:{pictures(tmp_path / 'pictures.npz')}"
    with pytest.warns(cifar_dsl.SpecWarning, match="W0203"):
        found = cifar_dsl.train(RECORDED / "small.arch", data=data, runs=runs, threads=1)
    assert found.path == runs / COMPLETE.relative_to(RECORDED)
    assert found.result().accuracy == _read(COMPLETE / "result.json")["accuracy"]
    state, direct = (cifar_dsl.load_trained(one, raw=True).state_dict() for one in (found, COMPLETE))
    assert all((state[key] == value).all() for key, value in direct.items())


def test_trainings_in_other_processes_give_the_same(tmp_path: Path) -> None:
    """Processes that start again find the package by its modules' names."""
    data, runs = pictures(tmp_path / "pictures.npz"), tmp_path / "runs"
    options = ["--data", f"npz:{data}", "--runs", runs, "--threads", "1", "--seeds", "2", "--json"]
    outcome = run("train", RECORDED / "small.arch", *options, "--jobs", 2)
    assert outcome.code == 0, outcome.err
    results = [json.loads(line) for line in outcome.out.splitlines() if '"result"' in line]
    expected = [_read(path / "result.json")["loss"] for path in sorted(COMPLETE.parent.glob("seed-[01]"))]
    # As above.
    assert [line["loss"] for line in results] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("name", sorted(path.name for path in COMPLETE.iterdir()))
def test_a_damaged_byte_is_found(runs: Path, name: str) -> None:
    place = runs / COMPLETE.relative_to(RECORDED)
    assert run("runs", "verify", place).code == 0
    _damage(place / name)
    assert run("runs", "verify", place).code == 1


def test_a_damaged_checkpoint_is_found(runs: Path) -> None:
    place = runs / INTERRUPTED.relative_to(RECORDED)
    assert run("runs", "verify", place).code == 0
    _damage(next((place / "checkpoints").iterdir()))
    assert run("runs", "verify", place).code == 1


def test_recorded_files_are_those_that_were_recorded() -> None:
    """Without cifar_dsl: no editor and no setting of git has changed an end of line."""
    listed = sorted(RECORDED.glob("*/*/SHA256SUMS"))
    assert listed
    for sums in listed:
        for line in sums.read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            assert hashlib.sha256((sums.parent / name).read_bytes()).hexdigest() == digest, sums.parent / name


def _read(path: Path) -> dict[str, object]:
    return json.loads(path.read_text(encoding="utf-8"))


def _damage(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _has_the_files_of_a_complete_run(path: Path) -> None:
    assert sorted(file.name for file in path.iterdir()) == sorted(file.name for file in COMPLETE.iterdir())
