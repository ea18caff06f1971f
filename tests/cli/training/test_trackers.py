"""The logs of trackers, read back with their own packages; a stand-in for Weights & Biases records its calls."""

import json
import socket
import sys
import threading
from types import SimpleNamespace

import pytest
from helpers.tolerances import STORED_AS_FLOAT32

from cifar_dsl.runs import RunWriter, find_runs
from cifar_dsl.runs.checkpoints import checkpoints

HEADER = "cifar-dsl"


@pytest.fixture
def trained(cli, tiny, pictures, tmp_path):
    """Run `train` with trackers; returns its output and the run."""

    def train(*more):
        outcome = cli("train", tiny, "--data", f"npz:{pictures}", "--device", "cpu", *more)
        runs = [run for folder in tmp_path.glob("runs/tiny-*") for run in find_runs(tmp_path / "runs", folder.name[5:])]
        return outcome, runs

    return train


@pytest.fixture
def accumulated():
    """What TensorBoard reads from a folder."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def read(folder):
        events = accumulator.EventAccumulator(str(folder))
        events.Reload()
        return events

    return read


def test_tensorboard_reads_every_epoch_and_the_recipe(trained, accumulated, tmp_path):
    outcome, (run,) = trained("--log", "tensorboard")
    assert outcome.code == 0
    events = accumulated(run.path.with_name("seed-0.tensorboard"))
    metrics = run.metrics()
    for tag, name in (("loss/test", "test_loss"), ("accuracy/train", "train_accuracy"), ("lr", "lr")):
        assert [(one.step, one.value) for one in events.Scalars(tag)] == [
            (epoch.epoch, pytest.approx(getattr(epoch, name), **STORED_AS_FLOAT32)) for epoch in metrics
        ]
    (text,) = events.Tensors("recipe")
    params = text.tensor_proto.string_val[0].decode()
    assert f"| fingerprint | `{run.record().spec.fingerprint}` |" in params
    assert "| train.optimizer | `adam(lr=1e-3)` |" in params


def test_each_seed_has_a_folder_of_its_own_where_it_is_wanted(trained, accumulated, tmp_path):
    _, runs = trained("--log", "tensorboard", "--log-dir", tmp_path / "logs", "--seeds", 2, "--jobs", 1)
    assert len(runs) == 2
    for run in runs:
        events = accumulated(tmp_path / "logs" / run.path.parent.name / f"{run.path.name}.tensorboard")
        last = events.Scalars("accuracy/test")[-1]
        assert (last.step, last.value) == (2, pytest.approx(run.result().accuracy, **STORED_AS_FLOAT32))


@pytest.mark.parametrize("where", [(), ("--log-dir", "runs")])
def test_logs_beside_runs_are_no_runs(trained, accumulated, cli, where):
    _, (run,) = trained("--log", "tensorboard", *where)
    assert accumulated(run.path.with_name("seed-0.tensorboard")).Scalars("loss/test")
    assert len(json.loads(cli("runs", "--json").out)) == 1
    assert cli("runs", "verify").code == 0


def test_a_run_resumed_by_its_path_is_logged_too(trained, cli, accumulated, monkeypatch, tmp_path):
    monkeypatch.setattr(RunWriter, "commit", lambda *_: 1 / 0)
    trained()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    (checkpoint, *_) = checkpoints(partial)
    checkpoint.path.unlink()  # that of the last epoch
    assert cli("train", "--resume", partial, "--device", "cpu", "--log", "tensorboard").code == 0
    (loss,) = accumulated(partial.with_suffix(".tensorboard")).Scalars("loss/test")
    assert loss.step == 2


@pytest.mark.parametrize("more", [("--retrain",), ("--restart",), ()], ids=["retrain", "restart", "resume"])
def test_tensorboard_shows_only_the_last_of_two_trainings(trained, accumulated, monkeypatch, tmp_path, more):
    if more != ("--retrain",):
        monkeypatch.setattr(RunWriter, "commit", lambda *_: 1 / 0)
    trained("--log", "tensorboard")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    for checkpoint in [one for partial in tmp_path.glob("runs/*/*.partial") for one in checkpoints(partial)][:1]:
        checkpoint.path.unlink()  # that of the last epoch
    outcome, (run,) = trained("--log", "tensorboard", *more)
    assert outcome.code == 0
    events = accumulated(run.path.with_name("seed-0.tensorboard"))
    assert [one.step for one in events.Scalars("loss/test")] == [1, 2]
    assert events.Tensors("recipe")


def test_mlflow_keeps_params_metrics_and_the_result(trained, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    outcome, (run,) = trained("--log", "mlflow", "--log-dir", tmp_path / "logs")
    assert "is now off" not in outcome.err
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "logs").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name(HEADER).experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["fingerprint"] == run.record().spec.fingerprint
    assert found.data.params["train.batch"] == "16"
    assert found.data.metrics["result.accuracy"] == run.result().accuracy
    history = client.get_metric_history(found.info.run_id, "test_loss")
    assert [(one.step, one.value) for one in history] == [(one.epoch, one.test_loss) for one in run.metrics()]


def test_mlflow_keeps_files_beside_the_runs_by_default(trained, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    for name in ("MLFLOW_ALLOW_FILE_STORE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    outcome, (run,) = trained("--log", "mlflow")
    assert "is now off" not in outcome.err
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "runs/mlflow").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name(HEADER).experiment_id])
    assert found.data.metrics["result.accuracy"] == run.result().accuracy


class FakeWandb:
    """Keeps what the client library of Weights & Biases would be given."""

    def __init__(self) -> None:
        self.__spec__ = None
        self.begun, self.logged, self.summary, self.finished = {}, [], {}, []
        self.log = lambda values, step: self.logged.append((step, values))

    def Settings(self, **settings):  # noqa: N802
        return settings

    def init(self, **options):
        self.begun = options
        return SimpleNamespace(
            id=options.get("id") or "abcd",
            log=self.log,
            summary=self.summary,
            finish=lambda *, exit_code: self.finished.append(exit_code),
        )


def test_wandb_is_logged_to_and_stays_offline(trained, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    _, (run,) = trained("--log", "wandb")
    assert (fake.begun["mode"], fake.begun["project"]) == ("offline", HEADER)
    assert fake.begun["config"]["fingerprint"] == run.record().spec.fingerprint
    assert [(step, values["test_accuracy"]) for step, values in fake.logged] == [
        (epoch.epoch, epoch.test_accuracy) for epoch in run.metrics()
    ]
    assert fake.summary["result.accuracy"] == run.result().accuracy
    assert fake.finished == [0]


def test_the_client_of_wandb_accepts_the_logs(trained, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    outcome, (run,) = trained("--log", "wandb")
    assert "is now off" not in outcome.err
    (log,) = run.path.with_name("seed-0.wandb").glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()
    for expected in (run.record().spec.fingerprint, "test_accuracy", "result.accuracy", str(run.result().accuracy)):
        assert expected.encode() in content


def test_a_tracker_that_fails_is_reported_once_and_stops_nothing(trained, monkeypatch):
    fake = FakeWandb()
    fake.init = lambda **_: 1 / 0
    monkeypatch.setitem(sys.modules, "wandb", fake)
    outcome, (run,) = trained("--log", "wandb")
    assert outcome.code == 0
    assert outcome.err.count("wandb logging failed and is now off for tiny seed 0: ZeroDivisionError") == 1
    assert run.result().status == "finished"


def test_training_never_waits_for_a_tracker(trained, monkeypatch):
    """So the time of a slow server isn't training time."""
    fake, complete, in_time = FakeWandb(), threading.Event(), []
    fake.log = lambda *_, **__: in_time.append(complete.wait(60))
    monkeypatch.setitem(sys.modules, "wandb", fake)
    commit = RunWriter.commit
    monkeypatch.setattr(RunWriter, "commit", lambda *given: (commit(*given), complete.set())[0])
    outcome, (_,) = trained("--log", "wandb")
    assert outcome.code == 0
    assert in_time == [True, True]


@pytest.fixture
def resumed(trained, monkeypatch, tmp_path):
    """Train with a tracker, lose the last epoch, and resume; returns the run."""

    def resume(*more):
        with monkeypatch.context() as patch:
            patch.setattr(RunWriter, "commit", lambda *_: 1 / 0)
            trained(*more)
        (partial,) = tmp_path.glob("runs/*/*.partial")
        checkpoints(partial)[0].path.unlink()
        outcome, (run,) = trained(*more)
        assert outcome.code == 0
        assert "is now off" not in outcome.err
        return run

    return resume


def test_mlflow_continues_the_run_of_a_resumed_training(resumed, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    run = resumed("--log", "mlflow", "--log-dir", tmp_path / "logs")
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "logs").as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name(HEADER).experiment_id])
    assert found.info.status == "FINISHED"
    history = client.get_metric_history(found.info.run_id, "test_loss")
    assert [(one.step, one.value) for one in history] == [(one.epoch, one.test_loss) for one in run.metrics()]


def test_mlflow_closes_the_run_of_a_discarded_training(trained, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    logs = ("--log", "mlflow", "--log-dir", tmp_path / "logs")
    with monkeypatch.context() as patch:  # as if the process had been killed before it ended the log
        patch.setattr(RunWriter, "commit", lambda *_: 1 / 0)
        patch.setattr("cifar_dsl.experiments.trackers.mlflow._Run.end", lambda *_: None)
        trained(*logs)
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "logs").as_uri())
    experiment = client.get_experiment_by_name(HEADER).experiment_id
    assert [one.info.status for one in client.search_runs([experiment])] == ["RUNNING"]
    trained(*logs, "--restart")
    assert {one.info.status for one in client.search_runs([experiment])} == {"FINISHED", "KILLED"}


def test_mlflow_waits_seconds_for_a_server_that_does_not_answer(trained, monkeypatch):
    pytest.importorskip("mlflow")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, and never answers
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        outcome, (run,) = trained("--log", "mlflow")
    assert outcome.code == 0
    assert "mlflow" in outcome.err
    assert run.result().status == "finished"


def test_wandb_continues_the_run_of_a_resumed_training(resumed, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setenv("WANDB_MODE", "online")
    begun, init = [], fake.init
    fake.init = lambda **options: (begun.append((options["id"], options["resume"])), init(**options))[1]
    resumed("--log", "wandb")
    assert begun == [(None, None), ("abcd", "allow")]


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_package_is_reported_before_training(trained, monkeypatch, tmp_path, name):
    monkeypatch.setitem(sys.modules, name, None)
    outcome, runs = trained("--log", name)
    assert (outcome.code, outcome.out, runs) == (1, "", [])
    assert f"pip install 'cifar-dsl[{name}]'" in outcome.err


def test_without_log_nothing_is_written(trained, tmp_path):
    _, (run,) = trained()
    assert [path.name for path in run.path.parent.iterdir() if path.suffix != ".lock"] == ["seed-0"]
    assert json.loads((run.path / "result.json").read_text())["status"] == "finished"
