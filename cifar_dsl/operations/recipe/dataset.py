"""Data sets by name: what is known of them before any file is read. cifar_dsl/training/datasets reads the files."""

from typing import ClassVar

from cifar_dsl.ir import Shape
from cifar_dsl.operations.argument_types import Text
from cifar_dsl.operations.registry import Declaration, Registry, argument, declared


class DatasetInfo(Declaration):
    """A data set: shape of an image (C, H, W), classes and images; None where only the file knows."""

    shape: ClassVar[Shape | None] = None
    classes: ClassVar[int | None] = None
    images: ClassVar[int | None] = None  # for training and testing together
    train_images: ClassVar[int | None] = None


DATASETS: Registry[DatasetInfo] = Registry("data set")


@DATASETS.register("cifar10")
@declared
class Cifar10(DatasetInfo):
    """CIFAR-10: 50,000 + 10,000 photographs; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 60_000
    train_images = 50_000


@DATASETS.register("cifar100")
@declared
class Cifar100(DatasetInfo):
    """CIFAR-100: 50,000 + 10,000 photographs; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 100
    images = 60_000
    train_images = 50_000


@DATASETS.register("shapes")
@declared
class Shapes(DatasetInfo):
    """Ten drawn shapes in clutter, 10,000 + 2,000 pictures; needs no download."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 12_000
    train_images = 10_000


@DATASETS.register("npz")
@declared
class Npz(DatasetInfo):
    """A file of arrays, named by its content: where it lies is said on the command line, `--data npz:PATH`."""

    digest: str = argument(Text(), "the first 16 digits of the arrays' SHA-256")
