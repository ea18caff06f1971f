"""The training recipe, and the interface of each kind of setting.

The classes from `Dataset` to `Artifact` are abstract; the choices that a spec can name are in `operations/recipe/`.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.declaration import Declaration, declared
from cifar_dsl.ir.lowering import Lowering
from cifar_dsl.ir.shape import Shape


@frozen
class Standardization:
    """Turns pixels into network inputs: (x - mean) / std for each channel, with pixels x from 0 to 1.

    Raises ValueError unless all numbers are finite, and the deviations positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __attrs_post_init__(self) -> None:
        if len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations")
        if not all(map(math.isfinite, self.mean + self.std)) or min(self.std, default=1.0) <= 0:
            raise ValueError("means must be finite, and deviations finite and positive")

    @property
    def scale(self) -> tuple[float, ...]:
        """For each channel: a network input is pixel * scale + offset, with pixels from 0 to 255."""
        return tuple(1 / (255 * s) for s in self.std)

    @property
    def offset(self) -> tuple[float, ...]:
        """For each channel; see `scale`."""
        return tuple(-m / s for m, s in zip(self.mean, self.std, strict=True))


@frozen
class Contrast:
    """One contrast for all images: scale * (x - mean of x) / sqrt(sqrt_bias + |x - mean of x|^2), for an image x.

    A divisor below `LEAST` is 1, so that an image of one colour becomes 0.
    """

    scale: float
    sqrt_bias: float

    LEAST: ClassVar[float] = 1e-8


class Dataset(Declaration):
    """A dataset: the shape of an image (C, H, W), and counts of classes and images; None if only the file knows.

    `subset` is the number of training images that are used; 0 for all of them, with all test images.
    """

    shape: ClassVar[Shape | None] = None
    classes: ClassVar[int | None] = None
    images: ClassVar[int | None] = None  # training and test images together
    train_images: ClassVar[int | None] = None
    subset: int

    @property
    def used_train_images(self) -> int | None:
        """The training images that are used; None if only the file knows."""
        return self.subset or self.train_images

    @property
    def used_images(self) -> int | None:
        """The training and test images that are used; None if only the file knows."""
        if not self.subset or self.images is None or self.train_images is None:
            return self.images
        return self.subset + tests_of_subset(self.subset, self.train_images, self.images - self.train_images)


_LEAST_TESTS = 1000  # of a subset, if there are as many


def tests_of_subset(subset: int, train_images: int, test_images: int) -> int:
    """The test images beside a subset of the training images: their share, but enough for a meaningful accuracy.

    `train_images` and `test_images` are those of the whole dataset.
    """
    return min(test_images, max(_LEAST_TESTS, round(test_images * subset / train_images)))


class Normalization(Declaration):
    """Maps pixels to network inputs.

    Attributes:
        is_first: Whether it is applied to a dataset once, before augmentation; the others come after augmentation.
        is_whitening: Whether it multiplies an image by a matrix that is fitted on the training images.
        eps: What a whitening adds to the variances.
    """

    is_first: ClassVar[bool] = False
    is_whitening: ClassVar[bool] = False
    eps: float

    def standardization(self, channels: int) -> Standardization | None:
        """Its constants for images with this number of channels, unless it `is_first`.

        None for those measured on the training images.
        """
        raise NotImplementedError(self.name, channels)

    @property
    def contrast(self) -> Contrast | None:
        """How it normalises the contrast of each image, if it `is_first`; None for pixels from 0 to 1."""
        raise NotImplementedError(self.name)

    def check_image(self, image: Shape) -> None:
        """Raise MisfitError if it doesn't work on images of this shape."""

    def check_channels(self, channels: int) -> None:
        """Raise MisfitError if it doesn't work on images with this number of channels."""


class Augmentation(Declaration):
    """A random change to training images, drawn separately for each image.

    Attributes:
        mixes: Whether it mixes two images into one, and their labels into one target.
    """

    mixes: ClassVar[bool] = False

    @property
    def needs_pixels(self) -> bool:
        """Whether it works only on pixels from 0 to 255, and not on images that are normalised already."""
        return False

    def check_channels(self, channels: int) -> None:
        """Raise MisfitError if it doesn't work on images with this number of channels."""

    def check_size(self, height: int, width: int) -> None:
        """Raise MisfitError if it doesn't work on images of this size, in pixels."""

    @property
    def source_maps(self) -> int:
        """The number of maps that it keeps on the device; each has the index of a source pixel for every pixel."""
        return 0


class Optimizer(Declaration):
    """An optimizer.

    Attributes:
        has_fused: Whether torch has a fused implementation, which runs a step in one pass over the weights.
        has_capturable: Whether the torch class accepts `capturable`, which keeps its step counters on the device.
        momentum_on_device: Whether a recorded step can read its momentum from a tensor on the device.
        keeps_squares: Whether its state has squares of gradients.
        trains_only: The parameters that it can train, in words for messages; empty if it trains any.
        target: The torch class, or a key in the table of this package's own optimizers.
        lr: The learning rate, which the schedule scales.
    """

    has_fused: ClassVar[bool] = True
    has_capturable: ClassVar[bool] = False
    momentum_on_device: ClassVar[bool] = False
    keeps_squares: ClassVar[bool] = False
    trains_only: ClassVar[str] = ""
    target: ClassVar[str]
    lr: float

    def can_train(self, shape: tuple[int, ...]) -> bool:  # noqa: ARG002
        """Whether it can train a parameter of this shape."""
        return True

    @property
    def states(self) -> int:
        """How many numbers it keeps for each trained parameter, such as momenta."""
        raise NotImplementedError(self.name)

    @property
    def momentum_argument(self) -> str | None:
        """The argument that holds its momentum: `momentum`, or `betas`, whose first is one; None without momentum."""
        return None

    @property
    def can_be_recorded(self) -> bool:
        """Whether a CUDA graph can record its step: the host never waits for the learning rate on the device."""
        return True

    def lower(self) -> Lowering:
        """The torch class, as data, without its first argument, the parameters."""
        return Lowering.to(self.target, **self.arguments())


class Schedule(Declaration):
    """A learning rate schedule: a pure function of time, so that a resumed run continues it exactly."""

    def factor(self, epoch: float, epochs: float) -> float:
        """The factor on the optimizer's learning rate after `epoch` of `epochs` epochs; `epoch` may be a fraction."""
        raise NotImplementedError(self.name, epoch, epochs)

    @property
    def sets_momentum(self) -> bool:
        """Whether it sets the optimizer's momentum in every step."""
        return False

    def momentum_at(self, epoch: float, epochs: float) -> float:
        """The momentum after `epoch` of `epochs` epochs, if it `sets_momentum`."""
        raise NotImplementedError(self.name, epoch, epochs)

    def unreached(self, epochs: float) -> str | None:  # noqa: ARG002
        """The argument that names a time after the end of training; None if there is none."""
        return None


class Loss(Declaration):
    """A loss: logits (N, classes), and labels (N,) or class probabilities (N, classes) -> a scalar."""

    target: ClassVar[str]  # the torch module, or a key in the table of this package's own losses
    reduction: str

    def check_classes(self, classes: int) -> None:
        """Raise MisfitError if it doesn't work with this number of classes."""

    def lower(self, class_images: Sequence[int] = ()) -> Lowering:  # noqa: ARG002
        """The torch module, as data. `class_images` is the number of training images of each class."""
        return Lowering.to(self.target, **self.arguments())


class Distillation(Declaration):
    """What a network learns from a teacher, the trained network that the recipe uses.

    Attributes:
        target: The key in the table of distillations in `training/losses.py`.
        weight: The share of the teacher's part in the loss; the rest is that of the labels. 0 without a teacher.
    """

    target: ClassVar[str]
    weight: float

    def lower(self, reduction: str) -> Lowering:
        """The loss of student and teacher scores, as data; `reduction` is that of the recipe's loss."""
        arguments = {name: value for name, value in self.arguments().items() if name != "weight"}
        return Lowering.to(self.target, **arguments, reduction=reduction)


@declared
class NoDistillation(Distillation):
    """The network learns from the labels alone."""

    name = "none"

    @property
    def weight(self) -> float:  # type: ignore[override]
        """There is no teacher."""
        return 0.0


class Keeping(Declaration):
    """Which images of each batch training learns from.

    Attributes:
        takes_selection: Whether the run of another network has chosen them, the `Artifact` that the recipe uses.
        every: The number of steps per change of the weights.
    """

    takes_selection: ClassVar[bool] = False
    every: int = 1

    @property
    def chooses(self) -> bool:
        """Whether the losses of the images decide, in training."""
        return False

    def kept_of(self, images: int) -> int:
        """How many of a batch of `images` it chooses."""
        return images


@declared
class KeepAll(Keeping):
    """Training learns from all images."""

    name = "all"


class Perturbation(Declaration):
    """Where the gradients of a step are taken.

    `passes`: how often a step computes the gradients of its images.
    """

    passes: ClassVar[int] = 1


@declared
class NoPerturbation(Perturbation):
    """The gradients are those at the weights themselves."""

    name = "none"


class Clip(Declaration):
    """Gradient clipping, between the backward pass and the optimizer's step."""

    def lower(self) -> Lowering | None:
        """The torch function, as data, without its first argument, the parameters; None for no clipping."""
        raise NotImplementedError(self.name)


class Constraint(Declaration):
    """What holds for weights after each step of the optimizer."""


@declared
class NoConstraint(Constraint):
    """The weights are as the optimizer leaves them."""

    name = "none"


class EarlyStopping(Declaration):
    """When a training ends before its last epoch.

    `measure`: the field of an epoch's metrics that decides; "" for none.
    """

    measure: ClassVar[str] = ""

    @property
    def shortest(self) -> float:
        """The smallest number of epochs after which it can end a training."""
        return math.inf

    def is_over(self, values: Sequence[float]) -> bool:  # noqa: ARG002
        """Whether training ends after epochs with these `values` of the measure."""
        return False


@declared
class NoEarlyStopping(EarlyStopping):
    """Train to the last epoch."""

    name = "none"


class DropSchedule(Declaration):
    """How the probabilities of stages that drop grow: a pure function of time, as a learning rate schedule is."""

    def factor(self, epoch: float, epochs: float) -> float:  # noqa: ARG002
        """The factor on these probabilities after `epoch` of `epochs` epochs, from 0 to 1."""
        return 1.0


@declared
class ConstantDrop(DropSchedule):
    """The probabilities that the spec gives, from the first step on."""

    name = "constant"


class Average(Declaration):
    """An average of the weights over time; it keeps one number for every parameter.

    `is_tested`: whether the average is evaluated and saved in place of the weights. Training continues with the
    weights themselves.
    """

    is_tested: ClassVar[bool] = True

    def revision(self, recipe: "Recipe") -> int:  # noqa: ARG002
        """How often what it computes in this recipe has changed; see `fingerprint`."""
        return 0

    def check_epochs(self, epochs: float) -> None:
        """Raise MisfitError if it doesn't work in a training of this number of epochs."""


class Views(Declaration):
    """Test-time augmentation: several views of a test image.

    The previous element of the chain scores each view; the views of the first element are scored by the network.
    """


class Artifact(Declaration):
    """Something that a training uses beside the spec and its images, such as weights to start from.

    A spec identifies it by its content, so that a training with it has a fingerprint of its own; a command-line option
    locates it.

    Attributes:
        option: The option, such as `--from`.
        phrase: What it is, for messages, such as "a teacher".
        misfit: That it is another one, for messages: "the teacher is not that".
        remedy: The settings with which a recipe learns from it, for messages; empty if every recipe uses it.
        override: One of them, in the syntax of `--set`.
        digest: Hexadecimal digits that identify it.
    """

    is_positional: ClassVar[bool] = True
    option: ClassVar[str]
    phrase: ClassVar[str]
    misfit: ClassVar[str]
    remedy: ClassVar[str] = ""
    override: ClassVar[str] = ""
    digest: str

    @property
    def epochs_before(self) -> int:
        """The epochs of the training that it stands for; the training continues after them."""
        return 0

    def is_used_by(self, recipe: "Recipe") -> bool:  # noqa: ARG002
        """Whether a recipe uses such an artifact."""
        return True


@frozen
class Group:
    """Parameters with an optimizer and schedule of their own.

    Attributes:
        name: Its name, which has no meaning.
        select: Kinds of parameters and patterns of their paths; a parameter belongs to the group if any one matches.
        optimizer: The optimizer of these parameters.
        schedule: The learning rate schedule of these parameters.
        epochs: After how many epochs the parameters are frozen; None to train them to the end.
        constrain: What holds for these parameters after each step.
    """

    name: str
    select: tuple[str, ...]
    optimizer: Optimizer
    schedule: Schedule
    epochs: int | float | None = None
    constrain: Constraint = NoConstraint()


@frozen
class Recipe:
    """How the network is trained: everything that determines the result, except the seed.

    A field with a default here was added to the language later; it affects the fingerprint only if it differs.
    """

    data: Dataset
    normalize: Normalization
    augment: tuple[Augmentation, ...]
    epochs: int | float
    batch: int
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    clip: Clip
    precision: str
    drop_last: bool = False
    average: tuple[Average, ...] = ()
    test_augment: tuple[Views, ...] = ()
    groups: tuple[Group, ...] = ()
    validation: int = 0
    accumulate: int = 1
    perturb: Perturbation = NoPerturbation()
    uses: tuple[Artifact, ...] = ()
    early_stopping: EarlyStopping = NoEarlyStopping()
    constrain: Constraint = NoConstraint()
    drop_schedule: DropSchedule = ConstantDrop()
    distill: Distillation = NoDistillation()
    keep: Keeping = KeepAll()
    weight_precision: str = "fp32"

    @property
    def has_half_weights(self) -> bool:
        """Whether weights are kept in the number format of `precision`."""
        return self.weight_precision == "half"

    @property
    def epochs_before(self) -> int:
        """The epochs that another run has trained; this training begins after them."""
        return max((artifact.epochs_before for artifact in self.uses), default=0)
