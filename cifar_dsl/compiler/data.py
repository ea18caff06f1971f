"""What the compiler knows of the dataset: the spec takes `classes` from it, and its input if the text has none."""

from collections.abc import Mapping

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape
from cifar_dsl.ir.recipe import Dataset
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.recipe import DATASETS

# Advice for a spec whose dataset is unknown.
NAME_DATA = "name the dataset: `train { data cifar10 ... }`, or `--data` on the command line"
GIVE_FILE = "pass the file: `--data npz:PATH`"


@frozen
class DataShape:
    """The image shape, classes and training images of a dataset, as far as they are known."""

    name: str
    image: Shape | None
    classes: int | None
    train_images: int | None

    @classmethod
    def declared(cls, dataset: type[Dataset]) -> "DataShape":
        """What is known of a dataset without its images."""
        return cls(dataset.name, dataset.shape, dataset.classes, dataset.train_images)


@frozen
class ChosenData:
    """A dataset that replaces the one of a spec: its `setting` in `train`, such as `cifar100`, and its shape."""

    setting: str
    shape: DataShape

    @property
    def override(self) -> str:
        """The dataset as an override, in the syntax of `--set`."""
        return f"train.data={self.setting}"

    @property
    def source(self) -> Source:
        """The text of the override, for messages."""
        return Source("--data", self.override)


@frozen
class KnownData:
    """The dataset of a program, and where it is chosen.

    `shape` is None if the setting names no dataset, which is reported elsewhere.
    """

    shape: DataShape | None
    span: Span


def known_data(settings: Mapping[str, nodes.Setting], chosen: ChosenData | None) -> KnownData | None:
    """The dataset of a program with these settings; `chosen` replaces theirs. None if there is neither."""
    if chosen is not None:
        return KnownData(chosen.shape, Span(chosen.source, 0, len(chosen.override)))
    setting = settings.get("data")
    if setting is None:
        return None
    kind = setting.chain.elements[0].kind
    match kind:
        case nodes.Name(text=name) | nodes.CallExpression(callee=nodes.Identifier(text=name)) if name in DATASETS:
            return KnownData(DataShape.declared(DATASETS[name]), setting.span)
    return KnownData(None, setting.span)


def input_of(data: KnownData | None) -> nodes.Input | None:
    """The input that the images of a dataset need; None if their shape is unknown."""
    if data is None or data.shape is None or data.shape.image is None:
        return None
    return nodes.Input(nodes.SizeLiteral(data.shape.image.extents, data.span), data.span)
