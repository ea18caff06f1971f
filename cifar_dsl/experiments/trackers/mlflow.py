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


@frozen
class _Run:
    client: "MlflowClient"
    run: str

    def add_epoch(self, metrics: EpochMetrics) -> None:
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
    """Create a run in the experiment `cifar-dsl`, with the training's params."""
    from mlflow import MlflowClient
    from mlflow.entities import Param

    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny has no database store, only files
    uri = None
    if training.log_dir or "MLFLOW_TRACKING_URI" not in os.environ:
        uri = (training.log_dir or training.runs / "mlflow").absolute().as_uri()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(_EXPERIMENT)
    number = experiment.experiment_id if experiment else client.create_experiment(_EXPERIMENT)
    run = client.create_run(number, run_name=training.display_name).info.run_id
    client.log_batch(run, params=[Param(name, value) for name, value in training.params.items()])
    return _Run(client, run)
