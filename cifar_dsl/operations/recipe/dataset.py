"""Data sets by name: what is known of them before any file is read. cifar_dsl/training/datasets reads the files."""

from cifar_dsl.ir import Shape, argument, declared
from cifar_dsl.ir.recipe import Dataset
from cifar_dsl.operations.argument_types import Text
from cifar_dsl.operations.registry import Registry

DATASETS: Registry[Dataset] = Registry("data set")


@DATASETS.register("cifar10")
@declared
class Cifar10(Dataset):
    """CIFAR-10: 50,000 + 10,000 photographs; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 60_000
    train_images = 50_000


@DATASETS.register("cifar100")
@declared
class Cifar100(Dataset):
    """CIFAR-100: 50,000 + 10,000 photographs; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 100
    images = 60_000
    train_images = 50_000


@DATASETS.register("shapes")
@declared
class Shapes(Dataset):
    """Ten drawn shapes in clutter, 10,000 + 2,000 pictures; needs no download."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 12_000
    train_images = 10_000


@DATASETS.register("npz")
@declared
class Npz(Dataset):
    """A file of arrays, named by its content: where it lies is said on the command line, `--data npz:PATH`."""

    digest: str = argument(Text(), "the first 16 digits of the arrays' SHA-256")
