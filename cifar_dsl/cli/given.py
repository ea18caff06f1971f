"""What a command line gives in place of parts of specs: the dataset, artifacts, and a part of the images."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.cli.output import warn
from cifar_dsl.foundation.records import frozen
from cifar_dsl.training.options import TrainOptions

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.training.artifacts import ArtifactFile
    from cifar_dsl.training.datasets import DataChoice


@frozen
class Given:
    """The dataset and artifacts of a command, each file read once, with which specs are loaded.

    `subset` is the number of training images to use; None: all.
    """

    data: "DataChoice | None"
    start: "ArtifactFile | None"
    teacher: "ArtifactFile | None"
    selection: "ArtifactFile | None"
    subset: int | None

    @classmethod
    def of(cls, options: TrainOptions) -> "Given":
        """Read the files that the options name. Raises DataError, RunError, UserError."""
        from cifar_dsl import api

        return cls(
            api.choice_of(options.data, warn),
            api.artifact_at("weights", options.start),
            api.artifact_at("teacher", options.teacher),
            api.artifact_at("selection", options.selection),
            options.fast,
        )

    def load(self, path: Path, root: Path | None, overrides: tuple[str, ...]) -> "Spec":
        """Load the spec at `path` with them. Raises SpecError, RunError."""
        from cifar_dsl import api

        return api.load(
            path,
            root=root,
            overrides=overrides,
            data=self.data,
            start=self.start,
            teacher=self.teacher,
            selection=self.selection,
            subset=self.subset,
        )

    def check_used(self, specs: "Iterable[Spec]") -> None:
        """Raise UserError if an artifact is given that none of the specs uses."""
        from cifar_dsl import api

        api.check_used(specs, teacher=self.teacher, selection=self.selection)


def training_images(spec: "Spec") -> int | None:
    """The number of training images that a spec uses; None if only a file that isn't open knows."""
    recipe = spec.analysis.require_recipe()
    file = spec.data.file if spec.data else None
    return recipe.data.subset or (len(file.y_train) if file else recipe.data.train_images)
