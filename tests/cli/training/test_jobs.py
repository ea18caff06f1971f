"""How trainings are distributed among processes, cores and GPUs (which needn't exist)."""

from types import SimpleNamespace

import pytest
import torch
from helpers.runs import rewrite

from cifar_dsl import api
from cifar_dsl.analysis import estimate
from cifar_dsl.cli import job_plan, jobs
from cifar_dsl.cli.forecast import Work, forecast
from cifar_dsl.experiments.jobs import InlineExecutor, LocalExecutor
from cifar_dsl.foundation.text import duration
from cifar_dsl.runs import open_run
from cifar_dsl.training.datasets.store import load_npz, save_npz
from cifar_dsl.training.device import Choice, choose_device
from cifar_dsl.training.events import TrainingFailed
from cifar_dsl.training.options import TrainOptions


@pytest.fixture
def plan(monkeypatch):
    """The plan for these numbers of trainings and specs on a machine with these GPUs."""

    def make(gpus, trainings, **more):
        monkeypatch.setattr(job_plan, "choose_device", lambda _: Choice(torch.device("cuda", 0), "auto: it is there"))
        monkeypatch.setattr(job_plan, "spare_gpus", lambda _: gpus)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a GPU")
        monkeypatch.setattr(Choice, "ask", lambda _, function, *arguments: function(*arguments))
        return job_plan.local_plan(TrainOptions(**more), trainings)

    return make


@pytest.mark.parametrize(
    ("gpus", "wanted", "workers", "expected"),
    [
        (("0",), None, 1, ""),
        (("0", "1"), None, 2, "; 2 processes on 2 GPUs"),
        (tuple(map(str, range(16))), None, 15, "; 15 processes on 15 GPUs"),  # as many as there are trainings
        (("0", "1"), 1, 1, ""),
        (("0", "1"), 4, 4, "; 4 processes on 2 GPUs"),
        (("0",), 2, 2, "; 2 processes"),
    ],
)
def test_one_process_a_gpu(plan, gpus, wanted, workers, expected):
    found = plan(gpus, 15, jobs=wanted)
    assert (found.workers, found.device, found.threads) == (workers, "cuda:0", None)
    assert found.executor == (LocalExecutor(workers, gpus) if workers > 1 else InlineExecutor())
    assert found.description == f"cuda:0 (a GPU); auto: it is there{expected}"
    assert found.share_devices is (workers > len(gpus))


@pytest.mark.parametrize(
    ("gpus", "specs", "seeds", "expected"),
    [
        (1, 1, 5, [(0, 1, 2, 3, 4)]),
        (2, 1, 5, [(0, 1), (2, 3, 4)]),
        (4, 1, 2, [(0,), (1,)]),
        (2, 3, 2, [(0, 1)] * 3),  # there are jobs for all GPUs
        (4, 3, 4, [(0, 1), (2, 3)] * 3),
    ],
)
def test_the_seeds_of_a_spec_are_spread_over_gpus(plan, tiny, pictures, gpus, specs, seeds, expected):
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    others = [api.load(tiny, overrides=[f"train.batch={20 + number}"]) for number in range(specs - 1)]
    missing = [(one, dataset, seed) for one in (spec, *others) for seed in range(seeds)]
    found = plan(tuple(map(str, range(gpus))), len(missing))
    planned = job_plan.planned_jobs(missing, TrainOptions(device=found.device), {}, found)
    assert [job.seeds for job in planned] == expected


def test_the_process_that_distributes_jobs_asks_another_one_about_a_gpu(plan):
    assert plan(("0", "1"), 4).choice.is_used_elsewhere
    assert not plan(("0",), 4).choice.is_used_elsewhere  # it trains itself


def test_trainings_that_run_at_a_time_share_the_memory(tiny, pictures, monkeypatch, capsys):
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    cpu = Choice(torch.device("cpu"), "requested")

    def warned(at_a_time: int, there: int, choice: Choice = cpu, together: int = 1) -> str:
        monkeypatch.setattr(job_plan, "memory_bytes", lambda _: there)
        needs = job_plan.memory_needs([(spec, dataset)], choice, together)
        job_plan.warn_of_device(needs, choice, at_a_time=at_a_time, together=together)
        return capsys.readouterr().err

    needed = estimate(spec.graph, spec.recipe, 80, "cpu")["total"]
    assert warned(1, needed) == ""
    assert warned(2, 2 * needed) == ""
    message = warned(2, 2 * needed - 1)
    assert "training tiny 2 times in parallel takes about" in message
    assert "train fewer in parallel with --jobs" in message
    gpu = Choice(torch.device("cuda", 0), "requested")
    needed = 2 * estimate(spec.graph, spec.recipe, 80, "cuda", seeds=3)["total"]
    assert warned(2, needed, gpu, 3) == ""
    message = warned(2, needed - 1, gpu, 3)
    assert "training tiny 2 times in parallel with 3 seeds side by side takes about" in message
    assert "of free memory" in message
    assert "train fewer --seeds at once" in message


@pytest.mark.parametrize(
    ("memory", "wanted", "expected", "said"),
    [
        (None, None, (4, 1), "; 4 processes of 1 thread"),
        (5, None, (4, 1), "; 4 processes of 1 thread"),
        (3.9, None, (3, 1), "; 3 processes of 1 thread, as many as fit in its memory"),
        (0.5, None, (1, None), "; 1 process, as many as fit in its memory"),
        (0.5, 2, (2, 1), "; 2 processes of 1 thread"),  # as requested, with a warning
    ],
)
def test_as_many_processes_as_the_memory_holds(tiny, pictures, monkeypatch, memory, wanted, expected, said):
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    needed = estimate(spec.graph, spec.recipe, 80, "cpu")["total"]
    monkeypatch.setattr(job_plan, "memory_bytes", lambda _: None if memory is None else int(memory * needed))
    monkeypatch.setattr(job_plan, "usable_cpus", lambda: 4)
    found = job_plan.local_plan(TrainOptions(device="cpu", jobs=wanted), 10, [(spec, dataset)])
    assert (found.workers, found.threads) == expected
    assert found.description.endswith(said)


def test_processes_share_the_pictures_of_the_data_folder(tiny, pictures, tmp_path, monkeypatch):
    """Those that a recipe copies count for each process."""
    data = load_npz(pictures)
    path = tmp_path / "mapped.npz"
    save_npz(data, path)
    mapped = load_npz(path, is_replaced_whole=True)
    choice = Choice(torch.device("cpu"), "requested")
    (plain,) = job_plan.memory_needs([(api.open_data(api.load(tiny), f"npz:{pictures}")[0], data)], choice)
    spec = plain.spec
    (shared,) = job_plan.memory_needs([(spec, mapped)], choice)
    assert (plain.shared, plain.total) == (0, shared.total)
    assert shared.shared == estimate(spec.graph, spec.recipe, 80, "cpu")["dataset"] > 0
    assert plain.of(3) - shared.of(3) == 2 * shared.shared
    assert [shared.count_in(shared.of(n)) for n in (1, 2, 7)] == [1, 2, 7]
    assert shared.count_in(shared.of(3) - 1) == 2
    held_out = api.load(tiny, overrides=["train.validation=10"])
    held_out, _ = api.open_data(held_out, f"npz:{pictures}")
    assert job_plan.memory_needs([(held_out, mapped)], choice)[0].shared == 0


HEAD = "global_avgpool -> dense(10)"


@pytest.mark.parametrize(
    ("model", "augment", "are_equal"),
    [
        (HEAD, "none", True),
        (f"let head = {HEAD} -> exit(0.5)\n {HEAD}", "none", False),
        (HEAD, "resize([0, 1], [8, 32])", False),
        (HEAD, "none\n    perturb sam", True),
    ],
    ids=["plain", "exits", "images that grow", "two passes"],
)
def test_a_training_takes_as_long_as_an_equal_one_took(train, tiny, tmp_path, model, augment, are_equal):
    text = tiny.read_text().replace("flatten\n    dense(10)", model)
    tiny.write_text(text.replace("    epochs ", f"    augment {augment}\n    epochs "))
    assert train().code == 0
    run = open_run(tmp_path / "runs")
    assert ("training_macs" not in run.path.joinpath("result.json").read_text()) is are_equal
    rewrite(run.path / "result.json", lambda fields: fields.update(time_s=1234.0))
    work = Work.of(api.load(tiny), images=60)
    said = forecast([work], tmp_path / "runs", choose_device("cpu"), workers=1, threads=None)
    assert said == f"about {duration(1234)}, at the speed of previous runs"


def test_trainings_that_failed_for_one_reason_are_reported_together(capsys):
    first, second, third = (SimpleNamespace(label=f"tiny seed {seed}") for seed in range(3))
    full, damaged = TrainingFailed("the disk is full", ("make room",)), TrainingFailed("the data is damaged")
    jobs._report_failures([(first, full), (second, damaged), (third, full)])
    assert capsys.readouterr().err.splitlines() == [
        "error: tiny seed 0 could not be trained: the disk is full",
        "  = help: make room",
        "  = note: for the same reason, could not be trained: tiny seed 2",
        "error: tiny seed 1 could not be trained: the data is damaged",
    ]
