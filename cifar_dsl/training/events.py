"""What happens while a spec is trained, as events: one vocabulary from the training loop to progress bars and trackers.

    loop, recorder, session -> job -> executor -> progress display, trackers

Whoever wants to follow a training passes a `Listener`, a function that takes an `Event`:

    def listener(event: Event) -> None:
        match event:
            case EpochEnded(seed=seed, metrics=metrics):
                print(seed, metrics.epoch, metrics.test_accuracy)

    train("specs/baseline.arch", listener=listener)

Events are frozen and hold plain data, so they can be sent to another process. One training, of one or several seeds
side by side, sends them in this order:

    TrainingStarted
    Note ...                                    whenever there is something to say to the user
    StepsDone ... CheckpointSaved EpochEnded    for each epoch; the last two for each seed
    TrainingEnded | TrainingStopped | TrainingFailed

An exception that a listener raises ends the training at once and reaches the caller of `train`.
"""

from collections.abc import Callable

from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs import EpochMetrics


@frozen
class TrainingStarted:
    """Training starts or resumes; a recipe of 2.5 epochs has `epochs` 2.5."""

    seeds: tuple[int, ...]
    epochs: float


@frozen
class StepsDone:
    """So many steps of an epoch are done, by all seeds that train side by side.

    `epoch` and `step` count from 1; `steps` are those of this epoch, and `epochs` those of the recipe.
    The loop sends one after every step, a job about a hundred an epoch.
    """

    epoch: int
    epochs: float
    step: int
    steps: int

    @property
    def epochs_done(self) -> float:
        """How many epochs of training are done, in parts of one: 1.25 a quarter into the second epoch."""
        return min(self.epoch - 1 + self.step / self.steps, self.epochs)


@frozen
class CheckpointSaved:
    """A checkpoint of a seed is on disk: training can resume after `steps_done` steps of `epoch`, from 1."""

    seed: int
    epoch: int
    steps_done: int


@frozen
class EpochEnded:
    """An epoch of a seed is trained and evaluated, and its metrics are on disk."""

    seed: int
    metrics: EpochMetrics


@frozen
class Note:
    """A sentence for the user, without a period."""

    text: str


@frozen
class TrainingEnded:
    """The runs are complete, also those that diverged; `paths` are their folders, in the order of the seeds."""

    paths: tuple[str, ...]


@frozen
class TrainingStopped:
    """Training stopped because it was asked to; a checkpoint holds its progress."""


@frozen
class TrainingFailed:
    """Training failed. `help` says what to do; `trace` is the traceback where the cause is a bug of cifar_dsl."""

    message: str
    help: tuple[str, ...] = ()
    trace: str | None = None


FinalEvent = TrainingEnded | TrainingStopped | TrainingFailed
Event = TrainingStarted | StepsDone | CheckpointSaved | EpochEnded | Note | FinalEvent
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does nothing."""
