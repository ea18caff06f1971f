"""The logs of trackers, read back with their own packages; a stand-in for Weights & Biases records its calls."""

import json
import sys
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

    def Settings(self, **settings):  # noqa: N802
        return settings

    def init(self, **options):
        self.begun = options
        return SimpleNamespace(
            log=lambda values, step: self.logged.append((step, values)),
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
