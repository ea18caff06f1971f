"""How runs are to be trained."""

from pathlib import Path

import click
from attrs import field, frozen

from cifar_dsl.training.habits import Habits


@frozen
class Way:
    """How missing runs are to be trained.

    `jobs` is how many processes work at a time; None for a good number. `agreed` says that nobody need be asked before
    large networks are trained. `executor` is local or ray; `address` that of a Ray cluster, None for one that is
    started on this machine. `log` are the trackers that are told, and `log_dir` is where their files go.

    Raises UsageError for an option that would do nothing.
    """

    runs: Path
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    jobs: int | None = None
    habits: Habits = field(factory=Habits)
    agreed: bool = False
    executor: str = "local"
    address: str | None = None
    log: tuple[str, ...] = ()
    log_dir: Path | None = None

    def __attrs_post_init__(self) -> None:
        if self.address is not None and self.executor != "ray":
            raise click.UsageError("--address is that of a Ray cluster; give --executor ray, too.")
        if self.jobs is not None and self.executor == "ray":
            raise click.UsageError(
                "--jobs counts processes of this machine; a cluster trains as many as it has room for."
            )
        if self.log_dir is not None and not self.log:
            raise click.UsageError("--log-dir is for the files of trackers; give --log, too.")
