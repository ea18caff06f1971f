"""The records of a run, of which `record_json` writes and reads the files."""

import math
from pathlib import Path
from typing import Literal

from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.ir import Standardization
from cifar_dsl.runs.identity import RunIdentity, SpecIdentity

SCHEMA = 5  # of run.json; docs/runs.md lists what each one added
SCHEMA_WITH_SUMS = 3  # runs have SHA256SUMS from this schema on


class WrongValueError(ValueError):
    """A value that no run has. The message says which, for people."""


def _require(is_valid: bool, name: str, value: object) -> None:
    if not is_valid:
        raise WrongValueError(f"{name} is {value!r}")


def _require_shares(**values: float | None) -> None:
    for name, value in values.items():
        _require(value is None or 0 <= value <= 1, name, value)


def _require_amounts(**values: float | None) -> None:
    """Finite, and not negative."""
    for name, value in values.items():
        _require(value is None or 0 <= value < math.inf, name, value)


@frozen
class DataRecord:
    """The dataset of a run. `digest` is the SHA-256 of its arrays.

    `origin` is for people. `path` is that of an .npz file, and None for datasets that are found by name. Of a part of a
    dataset, `of_train_images` are the training images of the whole; JSON has no such key for a whole one.
    """

    name: str
    digest: str
    origin: str
    train_images: int
    test_images: int
    path: str | None = None
    of_train_images: int | None = None

    @property
    def subset(self) -> int:
        """The number of training images of a part of a dataset; 0 for a whole one."""
        return 0 if self.of_train_images is None else self.train_images

    @property
    def title(self) -> str:
        """Its name for people, which says if it is a part: `cifar10 (2,000 of 50,000 images)`."""
        if self.of_train_images is None:
            return self.name
        return f"{self.name} ({self.train_images:,} of {self.of_train_images:,} images)"

    @property
    def shareable(self) -> "DataRecord":
        """The record for a report or table: without the folders of this machine. The digest identifies the data.

        `origin` of earlier versions is the path of an .npz file that doesn't name its source.
        """
        is_path = self.path is not None and self.path.endswith(self.origin)
        return evolve(self, path=None, origin=Path(self.origin).name if is_path else self.origin)


@frozen
class ArtifactRecord:
    """An artifact of a run, of one of the kinds that a recipe `uses`. `digest` is the recipe's, and `path` its file.

    `origin` is for people: what the file says of itself, such as the spec and run that it is from.
    """

    kind: str
    digest: str
    path: str
    origin: str = ""

    @property
    def source(self) -> str:
        """Where it is from, for people."""
        return f"{self.origin} ({self.path})" if self.origin else self.path


@frozen
class Machine:
    """The software and hardware of a run: `environment` in its JSON. `threads` counts the CPU threads of the process.

    `commit` is the commit of cifar_dsl's checkout, and None for an installed package. `fp32_products` says how a GPU
    multiplies float32 numbers; it is empty for other devices, and then JSON has no such key.
    """

    cifar_dsl: str
    torch: str
    python: str
    platform: str
    processor: str
    device: str
    device_name: str
    threads: int
    commit: str | None = None
    engine: str = "eager"
    fp32_products: str = ""

    def differs(self, other: "Machine") -> tuple[str, ...]:
        """The differences that may change the result's last bits, in words."""
        names = ("cifar_dsl", "torch", "processor", "device", "device_name", "threads", "engine", "fp32_products")
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return tuple(f"{name} {mine}, then {theirs}" for name, mine, theirs in pairs if mine != theirs)


@frozen
class Resumption:
    """A resumption of an interrupted run, after `steps_done` steps of `epoch`."""

    epoch: int
    steps_done: int
    when: str
    environment: Machine


@frozen
class Failure:
    """Why and when a training failed, and how to fix it."""

    when: str
    message: str
    help: tuple[str, ...] = ()


@frozen
class RunRecord:
    """The facts of a run that are known at its start, and its resumptions.

    `together` counts the seeds that trained side by side on one device. `normalization` is what the network expects of
    its inputs, and `classes` the names of its outputs; schemas below 4 have neither. `uses` locates the artifacts of
    the recipe; schemas below 5 have none. `whitening` is the SHA-256 of the file of the whitening; None if the recipe
    doesn't whiten, and then JSON has no such key. In JSON, the fields of `spec` are at the top level, not in an object
    of their own.
    """

    spec: SpecIdentity
    seed: int
    data: DataRecord
    environment: Machine
    started: str
    schema: int = SCHEMA
    together: int = 1
    resumed: tuple[Resumption, ...] = ()
    normalization: Standardization | None = None
    classes: tuple[str, ...] = ()
    uses: tuple[ArtifactRecord, ...] = ()
    whitening: str | None = None

    def __attrs_post_init__(self) -> None:
        _require(self.seed >= 0, "seed", self.seed)
        _require(self.schema >= 1, "schema", self.schema)

    @property
    def identity(self) -> RunIdentity:
        """The identity of the run."""
        return RunIdentity(self.spec, self.seed, self.data.digest)


@frozen
class ExitMetrics:
    """Mean loss and accuracy of an exit over the augmented training images of an epoch; tests don't compute it."""

    name: str
    train_loss: float
    train_accuracy: float

    def __attrs_post_init__(self) -> None:
        _require_amounts(train_loss=self.train_loss)
        _require_shares(train_accuracy=self.train_accuracy)


@frozen
class EpochMetrics:
    """The metrics of an epoch: mean loss and accuracy over the augmented training images and over the test images.

    Those of the test images are None after an epoch without an evaluation; the last epoch of a training has one.

    Losses are the recipe's, with its label smoothing; that of the training images is of their mixed labels, too. A
    cross-entropy is that of the softmax of the scores and the true classes, whatever the recipe's loss: it compares
    recipes. Runs of version 0.1.0 have none.

    The training loss of a network with exits is that of all its outputs, times their weights. The training accuracy,
    and all metrics of the test images, are those of its last output. In JSON, `exits` is left out if it is empty.

    `time_s` is the training time in seconds without evaluation; seeds that train together have equal shares. `lr` is
    the learning rate of the last step. The validation metrics are None if no images are held out.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    time_s: float
    evaluation_time_s: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    test_cross_entropy: float | None = None
    validation_cross_entropy: float | None = None
    exits: tuple[ExitMetrics, ...] = ()

    def __attrs_post_init__(self) -> None:
        _require(self.epoch >= 1, "epoch", self.epoch)
        _require_shares(
            train_accuracy=self.train_accuracy,
            test_accuracy=self.test_accuracy,
            validation_accuracy=self.validation_accuracy,
        )
        _require_amounts(
            train_loss=self.train_loss,
            test_loss=self.test_loss,
            validation_loss=self.validation_loss,
            test_cross_entropy=self.test_cross_entropy,
            validation_cross_entropy=self.validation_cross_entropy,
            time_s=self.time_s,
            evaluation_time_s=self.evaluation_time_s,
        )


@frozen
class Best:
    """The first epoch with the highest accuracy on the held-out images.

    `accuracy` is its accuracy on the test images, and `weights_digest` the SHA-256 of its weights file.
    """

    epoch: int
    validation_accuracy: float
    accuracy: float
    weights_digest: str

    def __attrs_post_init__(self) -> None:
        _require(self.epoch >= 1, "epoch", self.epoch)
        _require_shares(validation_accuracy=self.validation_accuracy, accuracy=self.accuracy)


@frozen
class ExitResult:
    """An exit of a trained network: its metrics in the last epoch, None if training diverged.

    `parameters` counts those of the stages that only lead to it. `weight` is that of its loss.
    """

    name: str
    weight: float
    parameters: int
    train_loss: float | None
    train_accuracy: float | None

    def __attrs_post_init__(self) -> None:
        _require_amounts(weight=self.weight, parameters=self.parameters, train_loss=self.train_loss)
        _require_shares(train_accuracy=self.train_accuracy)


@frozen
class RunResult:
    """The result of a run. Raises ValueError for values that no training has.

    `accuracy`, `loss` (the recipe's) and `cross_entropy` are those of the last epoch on the test images; None if
    training diverged. Runs of version 0.1.0 have no `cross_entropy`. `best` is the best epoch on the held-out images,
    if there are any. `weights_digest` is the SHA-256 of the weights file.

    `parameters` includes those of exits, and `macs` doesn't, since tests don't compute them. In JSON, `exits` is left
    out if it is empty.

    `peak_share` is the training's speed in multiply-accumulates per second, as a fraction of that of a large matrix
    product or convolution on the device; None if not measured. `energy_j` is the energy of the device during training
    and evaluation, in joules; seeds that train together have equal shares. It is None if unknown, or if other trainings
    used the device. `passes` is how often a step computes the gradients of its images: 2 with `perturb sam`.
    `teacher_macs` are those of the teacher for an image; in JSON, they are left out without one. `training_macs` are
    those of a forward pass in training: with exits, and in the mean over the epochs, whose images can differ in size.
    They are None, and left out in JSON, if they equal `macs`. `work_share` is the work of a training that keeps some
    images only, relative to one that learns from all of them in every step; in JSON, it is left out if it is 1.
    `stopped_early`: whether early stopping ended the training, so that `epochs` are fewer than those of the recipe.
    """

    status: Literal["finished", "diverged"]
    accuracy: float | None
    loss: float | None
    epochs: float
    parameters: int
    macs: int
    time_s: float
    images_per_s: float
    weights_digest: str | None = None
    best: Best | None = None
    peak_share: float | None = None
    energy_j: float | None = None
    cross_entropy: float | None = None
    passes: int = 1
    stopped_early: bool = False
    exits: tuple[ExitResult, ...] = ()
    teacher_macs: int = 0
    training_macs: float | None = None
    work_share: float = 1.0

    def __attrs_post_init__(self) -> None:
        for name, value in (("accuracy", self.accuracy), ("loss", self.loss)):
            _require((value is not None) == (self.status == "finished"), f"the run {self.status}, but {name}", value)
        _require_shares(accuracy=self.accuracy)
        _require(self.passes >= 1, "passes", self.passes)
        _require(self.epochs > 0 or self.status == "diverged", "epochs", self.epochs)
        _require_amounts(
            loss=self.loss,
            cross_entropy=self.cross_entropy,
            epochs=self.epochs,
            parameters=self.parameters,
            macs=self.macs,
            time_s=self.time_s,
            images_per_s=self.images_per_s,
            peak_share=self.peak_share,
            energy_j=self.energy_j,
            training_macs=self.training_macs,
            work_share=self.work_share,
        )
