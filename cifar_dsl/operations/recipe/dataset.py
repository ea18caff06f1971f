"""Datasets by name, and their shapes and sizes as far as known without reading files (cifar_dsl/training/datasets)."""

from cifar_dsl.ir import Shape, argument, declared
from cifar_dsl.ir.recipe import Dataset
from cifar_dsl.operations.argument_types import Int, Text
from cifar_dsl.operations.registry import Registry

_SUBSET = Int(0, 100_000_000)
_SUBSET_DOC = "number of training images to use, an equal share of each class, for a first try; 0: all"

DATASETS: Registry[Dataset] = Registry("dataset")


@DATASETS.register("cifar10")
@declared
class Cifar10(Dataset):
    """CIFAR-10: 50,000 training and 10,000 test images in 10 classes; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 60_000
    train_images = 50_000
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("cifar100")
@declared
class Cifar100(Dataset):
    """CIFAR-100: 50,000 training and 10,000 test images in 100 classes; https://www.cs.toronto.edu/~kriz/cifar.html."""

    shape = Shape((3, 32, 32))
    classes = 100
    images = 60_000
    train_images = 50_000
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("mnist")
@declared
class Mnist(Dataset):
    """MNIST: 60,000 training and 10,000 test images of handwritten digits, grey; http://yann.lecun.com/exdb/mnist."""

    shape = Shape((1, 28, 28))
    classes = 10
    images = 70_000
    train_images = 60_000
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("fashion_mnist")
@declared
class FashionMnist(Dataset):
    """Fashion-MNIST: 60,000 training and 10,000 test images of clothes, grey; https://arxiv.org/abs/1708.07747."""

    shape = Shape((1, 28, 28))
    classes = 10
    images = 70_000
    train_images = 60_000
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("svhn")
@declared
class Svhn(Dataset):
    """SVHN: 73,257 training and 26,032 test images of digits on houses; http://ufldl.stanford.edu/housenumbers."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 99_289
    train_images = 73_257
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("shapes")
@declared
class Shapes(Dataset):
    """Drawings of ten shapes in clutter, 10,000 training and 2,000 test images; needs no download."""

    shape = Shape((3, 32, 32))
    classes = 10
    images = 12_000
    train_images = 10_000
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)


@DATASETS.register("npz")
@declared
class Npz(Dataset):
    """A file of arrays, identified by its content; `--data npz:PATH` on the command line locates it."""

    digest: str = argument(Text(), "first 16 hexadecimal digits of the arrays' SHA-256; `--data npz:PATH` sets it")
    subset: int = argument(_SUBSET, _SUBSET_DOC, default=0)
