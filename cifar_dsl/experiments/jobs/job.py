"""One training as plain data, and what runs it."""

import traceback
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import Factory, define, evolve, field

from cifar_dsl.compiler import Analysis, analyze_text
from cifar_dsl.foundation.errors import RunError, StoppedError, UserError
from cifar_dsl.foundation.limits import Limits, using
from cifar_dsl.foundation.limits import current as current_limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import SpecError, render_concise
from cifar_dsl.runs import Run, RunIdentity, SpecIdentity, run_path
from cifar_dsl.training.events import Event, Listener, StepsDone, TrainingFailed, TrainingStopped
from cifar_dsl.training.options import RunOptions

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class Job:
    """A spec and seeds that are to be trained side by side.

    The spec travels as its resolved text. `data` is a name, or npz with a `data_path`; `digest` is that of the images,
    so that no others are trained on. `limits` are those in force where the job was made. `display_name` is what users
    see; by default the name of the spec. Where the job `shares_device` with others, its energy can't be measured.
    `analysis` spares this process to analyse the text again.
    """

    spec_text: str
    spec: SpecIdentity
    data: str
    digest: str
    seeds: tuple[int, ...]
    options: RunOptions = field(factory=RunOptions)
    data_path: str | None = None
    shares_device: bool = False
    limits: Limits = field(factory=current_limits)
    display_name: str = field(default=Factory(lambda self: self.spec.name, takes_self=True))
    analysis: Analysis | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of_run(cls, run: Run, analysis: Analysis, options: RunOptions) -> "Job":
        """The training of a run that was broken off, to go on with where the run lies. Raises RunError."""
        record, path = run.record(), run.path.absolute()
        root = path.parents[min(1, len(path.parents) - 1)]
        place = run_path(root, record.spec, record.seed)
        if path.with_suffix("") != place:  # a record that is someone else's may name any path
            raise RunError(
                f"{run.path} is not where its record says that it lies",
                f"it is called {record.identity.folder}; give the folders these names",
            )
        return cls(
            spec_text=run.spec_text,
            spec=record.spec,
            data=record.data.name,
            digest=record.data.digest,
            seeds=(record.seed,),
            options=evolve(options, runs=root, threads=options.threads or record.environment.threads),
            data_path=record.data.path,
            analysis=analysis,
        )

    def identity(self, seed: int) -> RunIdentity:
        """The identity of the run of one of its seeds."""
        return RunIdentity(self.spec, seed, self.digest)

    def analyzed(self) -> Analysis:
        """What the spec means: the analysis that came with the job, else that of its text. Raises SpecError."""
        if self.analysis is not None:
            return self.analysis
        return _analyzed(self.spec_text, f"{self.spec.name}.arch", self.limits)

    def portable(self) -> "Job":
        """The job as it is sent to another process, which analyses the text itself."""
        return evolve(self, analysis=None)

    @property
    def label(self) -> str:
        """The job in messages: `baseline seed 3`."""
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {', '.join(map(str, self.seeds))}"
        return f"{self.display_name} {seeds}"


_STEPS_REPORTED = 100  # about so many of an epoch's steps


def run_job(
    job: Job,
    listener: Listener,
    wants_stop: Callable[[], bool] = lambda: False,
    dataset: "Dataset | None" = None,
) -> None:
    """Train; `listener` gets every event, of which the last is a FinalEvent.

    Loads the data unless it is given as `dataset`. An exception of `listener` ends the training and is raised here.
    """

    def listen(event: Event) -> None:
        try:
            listener(event)
        except Exception as error:
            raise _ListenerError(error) from error

    try:
        failure = _failure(job, listen, wants_stop, dataset)
    except _ListenerError as failed:
        raise failed.error from None
    if failure is not None:
        listener(failure)


@define
class _ListenerError(Exception):
    """An exception of a listener, which is no failure of the training that it interrupts."""

    error: Exception


def _failure(
    job: Job, listener: Listener, wants_stop: Callable[[], bool], dataset: "Dataset | None"
) -> TrainingStopped | TrainingFailed | None:
    """Train. Why training did not come to its end; None where it did."""
    try:
        with using(job.limits):
            _train(job, listener, wants_stop, dataset)
    except _ListenerError:
        raise
    except StoppedError:
        return TrainingStopped()
    except UserError as error:
        reason = f": {error.reason}" if error.reason else ""
        return TrainingFailed(f"{error.message}{reason}", error.help)
    except SpecError as error:
        return TrainingFailed("; ".join(map(render_concise, error.diagnostics)))
    except OSError as error:
        return TrainingFailed(f"{error.filename or job.options.runs}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001  # whatever it is, the other jobs continue
        return TrainingFailed(f"{type(error).__name__}: {error}", trace=traceback.format_exc())
    return None


def _train(job: Job, listener: Listener, wants_stop: Callable[[], bool], dataset: "Dataset | None") -> None:
    import torch

    from cifar_dsl.training.device import choose_device
    from cifar_dsl.training.session import train_runs

    if job.options.threads is not None:
        torch.set_num_threads(job.options.threads)
    analysis = job.analyzed()
    if analysis.fingerprint != job.spec.fingerprint:
        raise RunError(
            f"{job.spec.name} means something else here than where it was sent from",
            "use the same version of cifar_dsl",
        )
    dataset = dataset or load_data(job)
    if dataset.digest != job.digest:
        raise RunError(f"the images called {job.data} here are not those of the job")
    train_runs(
        analysis,
        job.spec,
        dataset,
        job.seeds,
        job.options,
        choice=choose_device(job.options.device),
        shares_device=job.shares_device,
        listener=partial(_thin_out, listener),
        wants_stop=wants_stop,
    )


def _thin_out(listener: Listener, event: Event) -> None:
    """Pass an event on, but of an epoch's steps only some: events may have to reach another process."""
    match event:
        case StepsDone(step=step, steps=steps) if step < steps and step % max(1, steps // _STEPS_REPORTED):
            return
    listener(event)


def load_data(job: Job) -> "Dataset":
    """The images that a job is trained on. Raises DataError."""
    return _dataset(job.data, job.data_path, job.options.data_dir)


@lru_cache(maxsize=4)
def _analyzed(text: str, name: str, limits: Limits) -> Analysis:
    """A worker gets a job for each seed of a spec, and analyses the spec once."""
    with using(limits):
        return analyze_text(text, name)


@lru_cache(maxsize=1)
def _dataset(name: str, path: str | None, data_dir: Path | None) -> "Dataset":
    from cifar_dsl.training.datasets import load_dataset

    return load_dataset(name, path=Path(path) if path else None, data_dir=data_dir)
