"""Progress output during training."""

import json
import math

import pytest
from attrs import evolve

from cifar_dsl.cli.progress import JobsProgress
from cifar_dsl.experiments.jobs import Job
from cifar_dsl.runs import EpochMetrics, ExitMetrics, SpecIdentity
from cifar_dsl.training.events import EpochEnded, Note, TrainingEnded, TrainingStarted


def metrics(epoch: int, time_s: float, *exits: ExitMetrics) -> EpochMetrics:
    return EpochMetrics(epoch, 0.1, 2.0, 0.25, 1.5, 0.5, time_s=time_s, evaluation_time_s=0.0, exits=exits)


def job(*seeds: int) -> Job:
    spec = SpecIdentity("tiny", "0123456789ab", ("tiny",), (), ())
    return Job("arch tiny\n", spec, "shapes", "ab" * 32, seeds)


@pytest.mark.parametrize(
    ("epochs", "first", "second"),
    [
        (2, "10.0 s, 50 images/s, 10.0 s left", "5.0 s, 100 images/s"),
        (1.5, "10.0 s, 50 images/s, 5.0 s left", "5.0 s, 100 images/s"),
        (2.25, "10.0 s, 50 images/s, 12.5 s left", "5.0 s, 100 images/s, 1.9 s left"),
    ],
)
def test_a_part_of_an_epoch_takes_a_part_of_the_time(capsys, epochs, first, second):
    progress = JobsProgress([job(0)])
    progress.show(0, TrainingStarted((0,), epochs))
    for epoch, time_s in ((1, 10.0), (2, 5.0)):
        progress.show(0, EpochEnded(0, metrics(epoch, time_s), 500))
    begun = math.ceil(epochs)
    line_1, line_2 = capsys.readouterr().err.splitlines()
    assert line_1.startswith(f"epoch 1/{begun} ")
    assert line_2.startswith(f"epoch 2/{begun} ")
    assert line_1.endswith(f"accuracy 50.00 %  {first}")
    assert line_2.endswith(f"accuracy 50.00 %  {second}")


def test_an_epoch_without_an_evaluation_has_no_test_figures(capsys):
    untested = evolve(metrics(1, 10.0), test_loss=None, test_accuracy=None)
    JobsProgress([job(0)]).show(0, EpochEnded(0, untested, 500))
    assert capsys.readouterr().err == "epoch 1/1  train loss 2.0000, accuracy 25.00 %  10.0 s, 50 images/s\n"


def test_each_of_several_trainings_is_named(capsys):
    progress = JobsProgress([job(0), job(1, 2)])
    for number, seed in ((0, 0), (1, 2)):
        progress.show(number, TrainingStarted((seed,), 3))
        progress.show(number, EpochEnded(seed, metrics(1, 10.0), 500))
    progress.show(0, TrainingEnded(("somewhere",)))
    progress.show(1, EpochEnded(1, metrics(2, 10.0), 500))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["[1/2] tiny seed 0", "[2/2] tiny seed 2", "[2/2] tiny seed 1"]


@pytest.mark.parametrize(
    ("count", "shown"), [(2, "25.00 % (exits 10.00 20.00 %)  test"), (5, "25.00 % (exits 10.00 ... 50.00 %)  test")]
)
def test_exits_are_shown_with_their_training_accuracies(capsys, count, shown):
    exits = [ExitMetrics(f"exit{i}", 2.0, i / 10) for i in range(1, count + 1)]
    JobsProgress([job(0)]).show(0, EpochEnded(0, metrics(1, 10.0, *exits), 500))
    assert shown in capsys.readouterr().err


def test_quiet_prints_nothing_and_json_a_line_per_epoch(capsys):
    for progress in (JobsProgress([job(0)], quiet=True), JobsProgress([job(0)], as_json=True)):
        progress.show(0, EpochEnded(0, metrics(1, 10.0), 500))
        progress.show(0, Note("something"))
    captured = capsys.readouterr()
    assert captured.err == "something\n"  # beside the lines of JSON, and never where it is to be quiet
    (line,) = captured.out.splitlines()
    assert json.loads(line) | {"event": "epoch", "spec": "tiny", "seed": 0, "epoch": 1} == json.loads(line)
