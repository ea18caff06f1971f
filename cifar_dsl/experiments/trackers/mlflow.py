"""Log to MLflow with its client: to `MLFLOW_TRACKING_URI` if it is set, else to files beside our runs."""

import os
import time
from typing import TYPE_CHECKING

from cifar_dsl.experiments.trackers.base import Training, figures
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics, RunResult

if TYPE_CHECKING:
    from mlflow import MlflowClient

_EXPERIMENT = "cifar-dsl"


# Unless the user sets them: its own defaults wait for hours for a server that doesn't answer.
_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ALLOW_FILE_STORE": "true",  # mlflow-skinny has no database store, only files
}


@frozen
class _Run:
    client: "MlflowClient"
    run: str
    logged_epochs: int = 0  # by the training that this one continues

    def add_epoch(self, metrics: EpochMetrics) -> None:
        if metrics.epoch <= self.logged_epochs:
            return
        self._log({name: value for name, value in figures(metrics).items() if name != "epoch"}, metrics.epoch)

    def end(self, result: RunResult | None) -> None:
        if result is None:
            self.client.set_terminated(self.run, "KILLED")
            return
        self._log({f"result.{name}": value for name, value in figures(result).items()}, 0)
        self.client.set_terminated(self.run, "FINISHED" if result.status == "finished" else "FAILED")

    def _log(self, values: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        self.client.log_batch(self.run, metrics=[Metric(name, value, now, step) for name, value in values.items()])


def open_tracker(training: Training) -> _Run:
    """Create a run in the experiment `cifar-dsl` with the training's params, or continue that of a resumed training."""
    from mlflow import MlflowClient
    from mlflow.entities import Param

    for name, default in _DEFAULTS.items():
        os.environ.setdefault(name, default)
    uri = None
    if training.log_dir or "MLFLOW_TRACKING_URI" not in os.environ:
        uri = (training.log_dir or training.runs / "mlflow").absolute().as_uri()
    client = MlflowClient(tracking_uri=uri)
    if continued := _continued(client, training):
        return continued
    experiment = client.get_experiment_by_name(_EXPERIMENT)
    number = experiment.experiment_id if experiment else client.create_experiment(_EXPERIMENT)
    run = client.create_run(number, run_name=training.display_name).info.run_id
    client.log_batch(run, params=[Param(name, value) for name, value in training.params.items()])
    training.remember_log(run)
    return _Run(client, run)


def _continued(client: "MlflowClient", training: Training) -> _Run | None:
    """The run that a resumed training continues, if any. That of a training that was discarded is closed."""
    from mlflow.exceptions import MlflowException

    last = training.last_log()
    if last is None:
        return None
    try:
        status = client.get_run(last).info.status
    except MlflowException:  # deleted, or on another server
        return None
    if training.is_resumed and status in {"RUNNING", "KILLED"}:
        client.update_run(last, status="RUNNING")
        history = client.get_metric_history(last, "test_loss")
        return _Run(client, last, max((one.step for one in history), default=0))
    if status == "RUNNING":
        client.set_terminated(last, "KILLED")
    return None
