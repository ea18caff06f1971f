"""One training as plain data, and what is told of it while it runs."""

import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.errors import StoppedError, UserError
from cifar_dsl.language.diagnostics import SpecError, render_concise
from cifar_dsl.runs import EpochMetrics, Run, RunError, run_path
from cifar_dsl.training.habits import Habits

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class Job:
    """A spec and seeds that are to be trained side by side.

    The spec travels as its resolved text; `lineage`, `changes` and `overrides` say where it comes from. `data` is a
    name, or npz with a `data_path`; `digest` is that of the images, so that no others are trained on. `raised` are the
    limits that are raised for it. `title` is what people call the spec where that is not its name.
    """

    spec_text: str
    name: str
    fingerprint: str
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    overrides: tuple[str, ...]
    data: str
    digest: str
    seeds: tuple[int, ...]
    runs: str
    data_path: str | None = None
    data_dir: str | None = None
    device: str = "auto"
    threads: int | None = None
    habits: Habits = field(factory=Habits)
    raised: tuple[tuple[str, int], ...] = field(factory=lambda: tuple(limits.raised().items()))
    title: str | None = None

    @classmethod
    def of_run(cls, run: Run, *, data_dir: str | None, device: str, threads: int | None, habits: Habits) -> "Job":
        """The training of a run that was broken off, to go on with. Raises RunError."""
        record, path = run.record(), run.path.absolute()
        root = path.parents[min(1, len(path.parents) - 1)]
        place = run_path(root, record.name, record.fingerprint, record.seed)
        if path.with_suffix("") != place:  # a record that is someone else's may name any path
            raise RunError(
                f"{run.path} is not where its record says that it lies",
                f"it is called {record.name}-{record.fingerprint}/seed-{record.seed}; give the folders these names",
            )
        return cls(
            spec_text=run.spec_text,
            name=record.name,
            fingerprint=record.fingerprint,
            lineage=record.lineage,
            changes=record.changes,
            overrides=record.overrides,
            data=record.data.name,
            digest=record.data.digest,
            seeds=(record.seed,),
            runs=str(root),
            data_path=record.data.path,
            data_dir=data_dir,
            device=device,
            threads=threads,
            habits=habits,
        )

    @property
    def called(self) -> str:
        """What people call the spec."""
        return self.title or self.name

    @property
    def label(self) -> str:
        """What people call it."""
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {', '.join(map(str, self.seeds))}"
        return f"{self.called} {seeds}"


@frozen
class Began:
    """Training starts or goes on: so many epochs in all."""

    epochs: float


@frozen
class Stepped:
    """So many epochs have passed."""

    epochs: float


@frozen
class EpochEnded:
    """What an epoch of a seed gave."""

    seed: int
    metrics: EpochMetrics


@frozen
class Noted:
    """A sentence for people."""

    text: str


@frozen
class Finished:
    """The runs are complete."""

    paths: tuple[str, ...]


@frozen
class Stopped:
    """It was asked to stop; what was trained is kept."""


@frozen
class Failed:
    """It could not be trained. `trace` is the traceback where that is a bug of ours."""

    message: str
    help: tuple[str, ...] = ()
    trace: str | None = None


Event = Began | Stepped | EpochEnded | Noted | Finished | Stopped | Failed
Report = Callable[[Event], None]
_EVERY = 100  # of an epoch's steps that are told


def run_job(
    job: Job,
    report: Report,
    wants_stop: Callable[[], bool] = lambda: False,
    dataset: "Dataset | None" = None,
) -> None:
    """Train, and tell everything; the last that is told is Finished, Stopped or Failed.

    The data is loaded unless `dataset` is it. What `report` raises ends the training, and is raised here.
    """

    def tell(event: Event) -> None:
        try:
            report(event)
        except Exception as error:
            raise _UntoldError(error) from error

    try:
        outcome = _outcome(job, tell, wants_stop, dataset)
    except _UntoldError as untold:
        raise untold.error from None
    report(outcome)


@define
class _UntoldError(Exception):
    """What a listener raised, which is no failure of the training in whose midst it did."""

    error: Exception


def _outcome(
    job: Job, report: Report, wants_stop: Callable[[], bool], dataset: "Dataset | None"
) -> Finished | Stopped | Failed:
    try:
        with limits.raising(dict(job.raised)):
            return _trained(job, report, wants_stop, dataset)
    except _UntoldError:
        raise
    except StoppedError:
        return Stopped()
    except UserError as error:
        reason = f": {error.reason}" if error.reason else ""
        return Failed(f"{error.message}{reason}", error.help)
    except SpecError as error:
        return Failed("; ".join(map(render_concise, error.diagnostics)))
    except OSError as error:
        return Failed(f"{error.filename or job.runs}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001  # whatever it is, the other jobs go on
        return Failed(f"{type(error).__name__}: {error}", trace=traceback.format_exc())


def _trained(job: Job, report: Report, wants_stop: Callable[[], bool], dataset: "Dataset | None") -> Finished:
    import torch

    from cifar_dsl.compiler import analyze_text
    from cifar_dsl.training.device import choose_device
    from cifar_dsl.training.loop import StepProgress
    from cifar_dsl.training.recorder import Listener
    from cifar_dsl.training.session import train_runs
    from cifar_dsl.training.subject import Subject

    if job.threads is not None:
        torch.set_num_threads(job.threads)
    analysis = analyze_text(job.spec_text, f"{job.name}.arch")
    if analysis.fingerprint != job.fingerprint:
        raise RunError(
            f"{job.name} means something else here than where it was sent from", "use the same version of cifar_dsl"
        )
    dataset = dataset or load_data(job)
    if dataset.digest != job.digest:
        raise RunError(f"the images called {job.data} here are not those of the job")
    subject = Subject(analysis, job.name, job.lineage, job.changes, job.overrides)
    report(Began(subject.recipe.epochs))

    def tell_step(progress: StepProgress) -> None:
        if progress.step % max(1, progress.steps // _EVERY) == 0 or progress.step == progress.steps:
            report(Stepped(min(progress.epoch - 1 + progress.step / progress.steps, subject.recipe.epochs)))

    def listener(seed: int) -> Listener:
        return Listener(
            on_epoch=lambda metrics: report(EpochEnded(seed, metrics)),
            on_step=tell_step if seed == job.seeds[0] else lambda _: None,
            on_note=lambda text: report(Noted(text)),
        )

    runs = train_runs(
        subject,
        dataset,
        job.seeds,
        root=Path(job.runs),
        choice=choose_device(job.device),
        habits=job.habits,
        listen=listener,
        wants_stop=wants_stop,
    )
    return Finished(tuple(str(run.path) for run in runs))


def load_data(job: Job) -> "Dataset":
    """The images that a job is trained on. Raises DataError."""
    return _dataset(job.data, job.data_path, job.data_dir)


@lru_cache(maxsize=1)
def _dataset(name: str, path: str | None, data_dir: str | None) -> "Dataset":
    from cifar_dsl.training.datasets import load_dataset

    return load_dataset(name, path=Path(path) if path else None, data_dir=Path(data_dir) if data_dir else None)
