"""One training as plain data, and the function that runs it."""

import traceback
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import Factory

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.foundation.errors import DataError, DiskFullError, RunError, StoppedError, UserError
from cifar_dsl.foundation.limits import Limits, using
from cifar_dsl.foundation.limits import current as current_limits
from cifar_dsl.foundation.records import evolve, field, frozen
from cifar_dsl.language.diagnostics import SpecError, render_concise
from cifar_dsl.runs import ArtifactRecord, Run, RunIdentity, SpecIdentity, run_path
from cifar_dsl.training.artifacts import ArtifactFile, read_artifact
from cifar_dsl.training.events import Event, Listener, StepsDone, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class Job:
    """A spec to train with some seeds, side by side.

    The spec is its resolved text. `uses` locates the artifacts of its recipe. `data` is the name of a dataset, or npz
    with a `data_path`; `digest` is the digest of its images, which a worker verifies. `limits` are those of the process
    that creates the job. `display_name` defaults to the name of the spec. A job that `shares_device` with others can't
    measure its energy. `analysis` saves this process a second analysis of the text.
    """

    spec_text: str
    spec: SpecIdentity
    data: str
    digest: str
    seeds: tuple[int, ...]
    options: RunOptions = field(factory=RunOptions)
    data_path: str | None = None
    uses: tuple[ArtifactRecord, ...] = ()
    shares_device: bool = False
    limits: Limits = field(factory=current_limits)
    display_name: str = field(default=Factory(lambda self: self.spec.name, takes_self=True))
    analysis: Analysis | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of_run(cls, run: Run, analysis: Analysis, options: RunOptions) -> "Job":
        """A job that resumes an interrupted run in place. Raises RunError."""
        from cifar_dsl.training.provenance import threads_of

        record, path = run.record(), run.path.absolute()
        root = path.parents[min(1, len(path.parents) - 1)]
        place = run_path(root, record.spec, record.seed)
        if path.with_suffix("") != place:  # an untrusted record may name any path
            raise RunError(
                f"the path {run.path} doesn't match the run's record",
                f"rename the folders to {record.identity.folder}",
            )
        return cls(
            spec_text=run.spec_text,
            spec=record.spec,
            data=record.data.name,
            digest=record.data.digest,
            seeds=(record.seed,),
            options=evolve(options, runs=root, threads=threads_of(run, options.threads)),
            data_path=record.data.path,
            uses=record.uses,
            analysis=analysis,
        )

    def identity(self, seed: int) -> RunIdentity:
        """The identity of the run with this seed."""
        return RunIdentity(self.spec, seed, self.digest)

    def analyzed(self) -> Analysis:
        """The analysis stored with the job, else that of its text. Raises SpecError."""
        if self.analysis is not None:
            return self.analysis
        return _analyzed(self.spec_text, f"{self.spec.name}.arch", self.limits)

    def portable(self) -> "Job":
        """The job without its analysis, to send to another process."""
        return evolve(self, analysis=None)

    @property
    def label(self) -> str:
        """The name of the job in messages: `baseline seed 3`."""
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {', '.join(map(str, self.seeds))}"
        return f"{self.display_name} {seeds}"


_STEPS_REPORTED = 100  # of an epoch, approximately


def run_job(
    job: Job,
    listener: Listener,
    wants_stop: Callable[[], bool] = lambda: False,
    dataset: "Dataset | None" = None,
    artifacts: Sequence[ArtifactFile] | None = None,
) -> None:
    """Run a job. `listener` receives every event; the last is a FinalEvent.

    Loads the data unless `dataset` is passed, and the artifacts unless they are. An exception in `listener` ends the
    training and is raised here.
    """

    def listen(event: Event) -> None:
        try:
            listener(event)
        except Exception as error:
            raise _ListenerError(error) from error

    try:
        failure = _failure(job, lambda: _train(job, listen, wants_stop, dataset, artifacts))
    except _ListenerError as failed:
        raise failed.error from None
    if failure is not None:
        listener(failure)


class _ListenerError(Exception):
    """An exception in a listener, as opposed to a failure of the training."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _failure(job: Job, train: Callable[[], None]) -> TrainingStopped | TrainingFailed | None:
    """Train. Returns the final event if training stopped or failed; None if it ended normally."""
    try:
        with using(job.limits):
            train()
    except _ListenerError:
        raise
    except StoppedError:
        return TrainingStopped()
    except SpecError as error:
        return TrainingFailed("; ".join(map(render_concise, error.diagnostics)))
    except (UserError, OSError) as error:
        return failure_of(error, job.options.runs)
    except Exception as error:  # noqa: BLE001  # the other jobs continue
        return TrainingFailed(f"{type(error).__name__}: {error}", trace=traceback.format_exc())
    return None


def failure_of(error: UserError | OSError, path: Path) -> TrainingFailed:
    """The event of a training that failed with an error, which concerns `path` if it names no other file."""
    if isinstance(error, OSError):
        return TrainingFailed(f"{error.filename or path}: {error.strerror or error}")
    reason = f": {error.reason}" if error.reason else ""
    return TrainingFailed(f"{error.message}{reason}", error.help, disk_is_full=isinstance(error, DiskFullError))


def _train(
    job: Job,
    listener: Listener,
    wants_stop: Callable[[], bool],
    dataset: "Dataset | None",
    artifacts: Sequence[ArtifactFile] | None,
) -> None:
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.session import train_runs

    set_threads(job.options.threads)
    analysis = job.analyzed()
    if analysis.fingerprint != job.spec.fingerprint:
        raise RunError(
            f"the fingerprint of {job.spec.name} differs on this worker",
            "use the same version of cifar_dsl on all machines",
        )
    dataset = dataset or load_data(job)
    if dataset.digest != job.digest:
        _dataset.cache_clear()  # the file may be restored before the next job
        raise DataError(
            f"the dataset {job.data_path or job.data} has changed since the command began",
            "restore it, or rerun the command to train on what it is now",
            reason=f"its digest was {job.digest[:16]}, and is now {dataset.digest[:16]}",
        )
    train_runs(
        analysis,
        job.spec,
        dataset,
        job.seeds,
        job.options,
        choice=choose_device(job.options.device),
        artifacts=load_artifacts(job) if artifacts is None else artifacts,
        shares_device=job.shares_device,
        listener=partial(_thin_out, listener),
        wants_stop=wants_stop,
    )


def _thin_out(listener: Listener, event: Event) -> None:
    """Forward an event, but only some steps of an epoch: the listener may be in another process."""
    match event:
        case StepsDone(step=step, steps=steps) if step < steps and step % max(1, steps // _STEPS_REPORTED):
            return
    listener(event)


def load_data(job: Job) -> "Dataset":
    """Load the dataset of a job. Raises DataError."""
    subset = job.analyzed().require_recipe().data.subset
    return _dataset(job.data, job.data_path, job.options.data_dir, job.digest, subset)


def load_artifacts(job: Job) -> tuple[ArtifactFile, ...]:
    """Read the artifacts of a job, whose content may have changed since it was made. Raises RunError."""
    return tuple(_artifact(each.kind, each.path, each.digest) for each in job.uses)


@lru_cache(maxsize=4)
def _analyzed(text: str, name: str, limits: Limits) -> Analysis:
    """Analyse a text once per process: a worker gets a job for each seed of a spec."""
    with using(limits):
        return analyze_text(text, name)


@lru_cache(maxsize=1)
def _artifact(kind: str, path: str, digest: str) -> ArtifactFile:
    """Read an artifact once per process; jobs with another `digest` read it again, since its file may have changed."""
    del digest
    return read_artifact(kind, path)


@lru_cache(maxsize=1)
def _dataset(name: str, path: str | None, data_dir: Path | None, digest: str, subset: int) -> "Dataset":
    """Load a dataset, or its part with `subset` images, once per process.

    Jobs with another `digest` load it again, since its file may have changed.
    """
    del digest
    from cifar_dsl.training.datasets import load_dataset

    return load_dataset(name, path=Path(path) if path else None, data_dir=data_dir).part(subset)
