"""How a network is trained, and what the training relies on of each setting.

The classes from `Dataset` to `Views` are abstract; `operations/recipe/` has those that a spec can name.
"""

from typing import ClassVar

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.declaration import Declaration
from cifar_dsl.ir.lowering import Lowering
from cifar_dsl.ir.shape import Shape

Affine = tuple[tuple[float, ...], tuple[float, ...]]


class Dataset(Declaration):
    """A data set: shape of an image (C, H, W), classes and images; None where only the file knows."""

    shape: ClassVar[Shape | None] = None
    classes: ClassVar[int | None] = None
    images: ClassVar[int | None] = None  # for training and testing together
    train_images: ClassVar[int | None] = None


class Normalization(Declaration):
    """How bytes 0 to 255 become numbers: a scale and an offset for each channel."""

    def affine(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Affine:
        """Scales and offsets, given each channel's mean and deviation over the training images / 255."""
        raise NotImplementedError(self.name, mean, std)

    def check_channels(self, channels: int) -> None:
        """Does it go with images of so many channels? Raises MisfitError."""


class Augmentation(Declaration):
    """A random change to images; each image of a batch gets its own.

    One that `mixes` makes one picture of two training images, and one target of two labels. One that is `on_host`
    works on the CPU, image by image.
    """

    mixes: ClassVar[bool] = False
    on_host: ClassVar[bool] = False

    def check_channels(self, channels: int) -> None:
        """Does it go with images of so many channels? Raises MisfitError."""


class Optimizer(Declaration):
    """An optimizer. Torch does the whole step of one that `has_fused` in one pass over the weights.

    One that `has_capturable` has torch's argument of this name, which keeps its counters on the device. `takes_only`
    says in words which parameters it `takes`, where that isn't any.
    """

    has_fused: ClassVar[bool] = True
    has_capturable: ClassVar[bool] = False
    takes_only: ClassVar[str] = ""
    target: ClassVar[str]  # of its lowering
    lr: float

    def takes(self, shape: tuple[int, ...]) -> bool:  # noqa: ARG002
        """Whether it can train a parameter of this shape."""
        return True

    @property
    def states(self) -> int:
        """How many numbers it keeps for each trained parameter."""
        raise NotImplementedError(self.name)

    @property
    def can_be_recorded(self) -> bool:
        """Whether a step with its rate on the device never waits for the device."""
        return True

    def lower(self) -> Lowering:
        """The torch class, as data; its first argument, the parameters, is left out."""
        return Lowering.to(self.target, **self.arguments())


class Schedule(Declaration):
    """A learning rate over time; a pure function, so that a resumed run finds its place."""

    def factor(self, epoch: float, epochs: float) -> float:
        """Factor of the optimizer's rate when `epoch` of `epochs` have passed (fractions between steps)."""
        raise NotImplementedError(self.name, epoch, epochs)

    def unreached(self, epochs: float) -> str | None:  # noqa: ARG002
        """The argument that names a time after so many epochs, when training has ended; None if none does."""
        return None


class Loss(Declaration):
    """A loss: scores (N, classes), and labels (N,) or shares of classes (N, classes) -> one number."""

    target: ClassVar[str]  # of its lowering
    reduction: str

    def lower(self) -> Lowering:
        """The module, as data."""
        return Lowering.to(self.target, **self.arguments())


class Clip(Declaration):
    """A bound on gradients, applied between the backward pass and the optimizer's step."""

    def lower(self) -> Lowering | None:
        """The torch function, as data, without the parameters; None where nothing is clipped."""
        raise NotImplementedError(self.name)


class Average(Declaration):
    """A mean of the weights at several times.

    One that `is_tested` is what is evaluated and kept, while training goes on with the weights themselves. Each
    keeps one more number for every parameter.
    """

    is_tested: ClassVar[bool] = True

    def check_epochs(self, epochs: float) -> None:
        """Does it go with a training of so many epochs? Raises MisfitError."""


class Views(Declaration):
    """Some views of a test image. Each is given to what stands before in the chain, at first the network itself."""


@frozen
class Group:
    """Parameters that are trained in a way of their own.

    `select`: kinds of parameters and patterns of their paths; any one suffices. `epochs`: how long they are
    trained, after which they stay as they are; None is to the end.
    """

    name: str
    select: tuple[str, ...]
    optimizer: Optimizer
    schedule: Schedule
    epochs: int | float | None = None


@frozen
class Recipe:
    """How the network is trained: all that decides the result, but the seed.

    A field that has a default here came to the language later; it enters the fingerprint where it differs.
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
