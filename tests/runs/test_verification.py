"""Every bit of a complete run is verified."""

import hashlib
import json
import random
import subprocess

import pytest
from attrs import evolve
from helpers.damage import damaged
from helpers.runs import RESULT_OF_RUN, holding, identity, interrupted, record, write

from cifar_dsl.runs import BEST, RECORD, RESULT, SUMS, WEIGHTS, Best, RunWriter, partial_path, run_path
from cifar_dsl.runs.catalogue import entries
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.runs.verification import problems


def found(folder):
    return [problem for entry in entries(folder) for problem in problems(entry)]


def test_an_intact_run_has_no_problems(tmp_path):
    write(tmp_path)
    assert found(tmp_path) == []


def test_sha256sum_agrees(tmp_path):
    run = write(tmp_path)
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=run.path, capture_output=True, check=False)
    assert done.returncode == 0
    names = {path.name for path in run.path.iterdir()} - {SUMS}
    assert {line.partition(b": ")[0].decode() for line in done.stdout.splitlines()} == names


def test_any_damage_of_any_file_is_detected_with_its_name(tmp_path):
    run = write(tmp_path)
    chance = random.Random(0)
    for path in sorted(run.path.iterdir()):
        whole = path.read_bytes()
        for _ in range(40):
            path.write_bytes(damaged(whole, chance))
            assert any(str(path) in problem or path.name == SUMS for problem in found(tmp_path)), path
        path.unlink()
        assert any(str(path) in problem for problem in found(tmp_path))
        path.write_bytes(whole)
    assert found(tmp_path) == []


def test_missing_weights_are_a_problem_unless_they_are_not_needed(tmp_path):
    run = write(tmp_path)
    run.weights.unlink()
    (entry,) = entries(tmp_path)
    assert problems(entry) == [f"{run.path} has no weights: {run.weights} is missing"]
    assert problems(entry, needs_weights=False) == []
    (run.path / RECORD).write_text((run.path / RECORD).read_text() + "\n")  # other files still count
    assert problems(entry, needs_weights=False) == [f"{run.path / RECORD} is not the file that was written"]


def test_an_added_file_is_not_damage(tmp_path):
    (write(tmp_path).path / "notes.txt").write_text("mine")
    assert found(tmp_path) == []


def test_files_that_are_not_the_runs_are_not_in_the_sums(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    writer.weights.write_bytes(b"weights")
    (writer.partial / ".hidden").write_text("of the system")
    writer.commit(RESULT_OF_RUN)
    writer.close()
    assert ".hidden" not in (place / SUMS).read_text()
    assert found(tmp_path) == []


def test_sums_of_files_elsewhere_are_damage(tmp_path):
    run = write(tmp_path)
    digest = hashlib.sha256((run.path / RESULT).read_bytes()).hexdigest()
    for name in ("../other", "/etc/hostname", "", "..", "a/../../b", "..\\b"):
        (run.path / SUMS).write_text(f"{digest}  {RESULT}\n{digest}  {name}\n")
        assert found(tmp_path) == [f"{run.path / SUMS} is damaged"], name


@pytest.mark.parametrize("result", [RESULT_OF_RUN, evolve(RESULT_OF_RUN, status="diverged", accuracy=None, loss=None)])
def test_sums_that_lost_lines_are_damage(tmp_path, result):
    """Truncated, or with a missing line: the files without a line could be anything."""
    place = run_path(tmp_path, identity(), 0)
    with_weights = result.accuracy is not None
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    if with_weights:
        writer.weights.write_bytes(b"weights")
        writer.best.write_bytes(b"best")
        writer.predictions.write_bytes(b"predictions")
        result = evolve(result, best=Best(1, 0.5, 0.5, hashlib.sha256(b"best").hexdigest()))
    writer.commit(result)
    writer.close()
    sums = place / SUMS
    lines = sums.read_text().splitlines(keepends=True)
    assert len(lines) == (7 if with_weights else 4)
    for index in range(len(lines)):
        for left in (lines[:index], [*lines[:index], *lines[index + 1 :]]):
            sums.write_text("".join(left))
            assert found(tmp_path) == [f"{sums} is damaged"], left
    sums.write_text("".join(lines))
    assert found(tmp_path) == []


def made_before_sums(place):
    """Turn the run into one of a version without SHA256SUMS."""
    (place / SUMS).unlink()
    fields = json.loads((place / RECORD).read_text())
    assert fields["schema"] == 5
    (place / RECORD).write_text(json.dumps(fields | {"schema": 2}))


def test_in_a_run_without_sums_the_weights_are_verified(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    writer = RunWriter(place)
    writer.acquire()
    writer.start(record(), "arch mine\n")
    writer.weights.write_bytes(b"weights")
    writer.best.write_bytes(b"best")
    digests = [hashlib.sha256(content).hexdigest() for content in (b"weights", b"best")]
    writer.commit(evolve(RESULT_OF_RUN, weights_digest=digests[0], best=Best(1, 0.5, 0.5, digests[1])))
    writer.close()
    made_before_sums(place)
    assert found(tmp_path) == []
    for name in (WEIGHTS, BEST):
        whole = (place / name).read_bytes()
        (place / name).write_bytes(b"other")
        assert found(tmp_path) == [f"{place / name} is not the file that was written"]
        (place / name).write_bytes(whole)


def test_a_run_without_digests_has_no_problems(tmp_path):
    made_before_sums(write(tmp_path).path)
    assert found(tmp_path) == []


def test_a_damaged_checkpoint_of_an_interrupted_run_is_detected(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    interrupted(place)
    assert found(tmp_path) == []
    newest = checkpoints(partial_path(place))[0].path
    newest.write_bytes(b"damaged")
    assert found(tmp_path) == [f"{newest} is not the file that was written"]


def test_a_running_run_is_left_alone(tmp_path):
    place = run_path(tmp_path, identity(), 0)
    interrupted(place)
    checkpoints(partial_path(place))[0].path.write_bytes(b"just being written")
    process = holding(place)
    try:
        assert found(tmp_path) == []
    finally:
        process.kill()
        process.communicate()


def test_the_damage_of_a_damaged_run_is_a_problem(tmp_path):
    run = write(tmp_path)
    fields = json.loads((run.path / RESULT).read_text())
    del fields["status"]
    (run.path / RESULT).write_text(json.dumps(fields))
    assert found(tmp_path) == [f"{run.path / RESULT} is damaged"]
