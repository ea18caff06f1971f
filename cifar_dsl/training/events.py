"""Events of a training: one vocabulary from the training loop to progress bars and trackers.

    loop, recorder, session -> job -> executor -> progress display, trackers

To follow a training, pass a `Listener`, a function that takes an `Event`:

    def listener(event: Event) -> None:
        match event:
            case EpochEnded(seed=seed, metrics=metrics):
                print(seed, metrics.epoch, metrics.test_accuracy)

    train("specs/baseline.arch", listener=listener)

Events are frozen and hold plain data, so they can be sent to another process. One training, of one or several seeds
side by side, sends them in this order:

    TrainingStarted
    Note ...                                    at any time: a message for the user
    StepsDone ... CheckpointSaved EpochEnded    in each epoch; the last two for each seed
    TrainingEnded | TrainingStopped | TrainingFailed

An exception that a listener raises ends the training at once and reaches the caller of `train`.
"""

from collections.abc import Callable

from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics


@frozen
class TrainingStarted:
    """Training starts or resumes. `epochs` is the recipe's, which may be a fraction such as 2.5."""

    seeds: tuple[int, ...]
    epochs: float


@frozen
class StepsDone:
    """All seeds that train side by side have finished step `step` of an epoch.

    `epoch` and `step` count from 1; `steps` are those of this epoch, and `epochs` those of the recipe.
    The loop sends one after every step, a job about a hundred an epoch.
    """

    epoch: int
    epochs: float
    step: int
    steps: int

    @property
    def epochs_done(self) -> float:
        """The number of finished epochs, with fractions: 1.25 a quarter into the second epoch."""
        return min(self.epoch - 1 + self.step / self.steps, self.epochs)


@frozen
class CheckpointSaved:
    """A checkpoint of a seed is on disk: training can resume after `steps_done` steps of `epoch`, counted from 1."""

    seed: int
    epoch: int
    steps_done: int


@frozen
class EpochEnded:
    """An epoch of a seed is trained and evaluated, and its metrics are on disk. It trained on `images`."""

    seed: int
    metrics: EpochMetrics
    images: int


@frozen
class Note:
    """A message for the user: one sentence without a period."""

    text: str


@frozen
class TrainingEnded:
    """The runs are complete, diverged ones included. `paths` are their folders, in the order of the seeds."""

    paths: tuple[str, ...]


@frozen
class TrainingStopped:
    """Training stopped on request. A checkpoint holds its progress."""


@frozen
class TrainingFailed:
    """Training failed. `help` suggests fixes; `trace` is the traceback if the cause is a bug in cifar_dsl.

    With `disk_is_full`, the folder of runs can hold no other training either.
    """

    message: str
    help: tuple[str, ...] = ()
    trace: str | None = None
    disk_is_full: bool = False


FinalEvent = TrainingEnded | TrainingStopped | TrainingFailed
Event = TrainingStarted | StepsDone | CheckpointSaved | EpochEnded | Note | FinalEvent
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does nothing."""
