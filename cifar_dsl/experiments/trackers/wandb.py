"""Log to Weights & Biases with its client: offline, unless `WANDB_MODE` is set."""

import os
from typing import Any

from cifar_dsl.experiments.trackers.base import Training, figures
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics, RunResult

_PROJECT = "cifar-dsl"
_TIMEOUT_S = 10  # for a server that doesn't answer; its own default is 90


@frozen
class _Run:
    run: Any

    def add_epoch(self, metrics: EpochMetrics) -> None:
        values = {name: value for name, value in figures(metrics).items() if name != "epoch"}
        self.run.log(values, step=metrics.epoch)

    def end(self, result: RunResult | None) -> None:
        if result is not None:
            self.run.summary.update({f"result.{name}": value for name, value in figures(result).items()})
        is_lost = result is None or result.status != "finished"
        self.run.finish(exit_code=int(is_lost))


def open_tracker(training: Training) -> _Run:
    """Create a run in the project `cifar-dsl`, or continue that of a resumed training.

    Several can be open at a time. `wandb sync` uploads them; offline, what a resumed training adds is a second log of
    the same run, which `wandb sync --append` adds to the first.
    """
    import wandb

    folder = training.log_dir or training.folder
    make_folder(folder)
    mode: Any = os.environ.get("WANDB_MODE", "offline")  # wandb validates it
    last = training.last_log() if training.is_resumed else None
    run = wandb.init(
        project=_PROJECT,
        id=last,
        resume="allow" if last and mode == "online" else None,
        name=training.display_name,
        config=training.params,
        dir=str(folder),
        mode=mode,
        reinit="create_new",
        settings=wandb.Settings(silent=True, console="off", init_timeout=_TIMEOUT_S),
    )
    training.remember_log(run.id)
    return _Run(run)
