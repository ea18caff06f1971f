"""Jobs on a Ray cluster of two machines that are one: the same results, also where a machine is lost."""

import importlib.util
import json
import os
import time
from pathlib import Path

import pytest
from helpers.comparisons import compared_here_and_on_a_cluster

from cifar_dsl import api
from cifar_dsl.experiments.jobs import InlineExecutor, Job
from cifar_dsl.experiments.jobs.ray import RayExecutor, connect
from cifar_dsl.runs import open_run, partial_path
from cifar_dsl.training.events import EpochEnded, Note, TrainingEnded, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import RunOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with a CPU each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # Ray lets its workers wait for everything else
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 1024**2}
    made = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    made.add_node(**node)
    connect(made.address)
    yield made
    import ray

    ray.shutdown()
    made.shutdown()


@pytest.fixture
def job(tiny, pictures, tmp_path):
    """A job of the tiny spec with some seeds, in another folder of runs."""
    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")

    def make(*seeds: int, runs: str, epochs: int = 2) -> Job:
        longer = api.with_overrides(spec, f"train.epochs={epochs}")
        return api.job(longer, dataset, seeds, RunOptions(runs=tmp_path / runs, device="cpu", threads=1))

    return make


def essence(event) -> list[tuple[str, list[float], bytes]]:
    """Digest, losses of all epochs and weights of the runs of a job."""
    assert isinstance(event, TrainingEnded), event
    runs = [open_run(Path(path)) for path in event.paths]
    return [
        (run.result().weights_digest, [one.test_loss for one in run.metrics()], run.weights.read_bytes())
        for run in runs
    ]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".lock")


def test_jobs_give_the_same_as_here_and_their_runs_come_into_the_same_places(cluster, job, pictures, tmp_path):
    here = InlineExecutor().run([job(0, runs="a"), job(1, 2, runs="a")], lambda *_: None)
    jobs = [job(0, runs="b"), job(1, 2, runs="b")]
    pictures.rename(pictures.with_name("moved.npz"))  # jobs carry their images; here they are in memory
    received = []
    there = RayExecutor().run(jobs, lambda *event: received.append(event))
    assert [essence(event) for event in here] == [essence(event) for event in there]
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for number, event in enumerate(there):
        events = [event for of, event in received if of == number]
        assert events[-1] == event
        assert {(one.seed, one.metrics.epoch) for one in events if isinstance(one, EpochEnded)} == {
            (seed, epoch) for seed in jobs[number].seeds for epoch in (1, 2)
        }


def test_a_comparison_by_the_command_line_gives_the_same_table(tmp_path):
    here, there = compared_here_and_on_a_cluster(tmp_path)
    assert len(here["weights"]) == 4
    assert here == there


def test_after_a_failed_job_the_others_continue_and_a_complete_run_is_not_trained_again(cluster, job, tmp_path):
    from attrs import evolve

    wrong = job(0, runs="a")
    wrong = evolve(wrong, spec=evolve(wrong.spec, fingerprint="0" * 12))
    first, second = RayExecutor().run([wrong, job(1, runs="a")], lambda *_: None)
    assert isinstance(first, TrainingFailed)
    assert "differs on this worker" in first.message
    (run,) = map(Path, second.paths)
    before = (run / "run.json").stat().st_ino
    events = []
    assert RayExecutor().run([job(1, runs="a")], lambda *event: events.append(event)) == [second]
    assert events == [(0, second)]
    assert (run / "run.json").stat().st_ino == before


def test_stopping_saves_progress_and_the_same_job_resumes_here(cluster, job, tmp_path):
    seen = []
    (event,) = RayExecutor().run(
        [job(0, runs="a", epochs=40)],
        lambda _, event: seen.append(event),
        lambda: any(isinstance(event, EpochEnded) for event in seen),
    )
    assert isinstance(event, TrainingStopped)
    (partial,) = tmp_path.glob("a/*/*.partial")
    assert partial == partial_path(partial.with_suffix(""))
    assert list(partial.glob("checkpoints/*"))
    (finished,) = InlineExecutor().run([job(0, runs="a", epochs=40)], lambda *_: None)
    (whole,) = InlineExecutor().run([job(0, runs="b", epochs=40)], lambda *_: None)
    assert essence(finished) == essence(whole)


def test_a_machine_that_is_lost_loses_no_run(cluster, job, tmp_path):
    """The last test of the cluster: a node is gone after it."""
    here = InlineExecutor().run([job(0, runs="a", epochs=40), job(1, runs="a", epochs=40)], lambda *_: None)
    extra = cluster.list_all_nodes()[-1]
    removed: list[float] = []
    notes: list[str] = []
    epochs: dict[int, list[int]] = {0: [], 1: []}

    def watch(number: int, event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)
        if isinstance(event, EpochEnded):
            epochs[number].append(event.metrics.epoch)
        if not removed and all(epochs.values()):
            removed.append(time.monotonic())
            cluster.remove_node(extra, allow_graceful=False)

    there = RayExecutor().run([job(0, runs="b", epochs=40), job(1, runs="b", epochs=40)], watch)
    assert removed
    assert any("was lost; try 2 of 4" in note for note in notes), notes
    assert [essence(event) for event in here] == [essence(event) for event in there]
    resumed = [json.loads(path.read_text())["resumed"] for path in tmp_path.glob("b/*/seed-?/run.json")]
    assert sum(map(len, resumed)) == 1  # it resumed at the last epoch that was copied back
