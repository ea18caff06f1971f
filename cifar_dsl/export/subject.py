"""What is exported: the network of a spec with its initial weights, or the trained one of a run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.compiler import Analysis, ChosenData, analyze
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape, Standardization
from cifar_dsl.ir.recipe import Normalization
from cifar_dsl.language.syntax import print_spec

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.runs import Run
    from cifar_dsl.training.input_transform import InputTransform


@frozen
class Subject:
    """The network to export; `run` is None for one that isn't trained."""

    analysis: Analysis
    run: "Run | None" = None

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.analysis.program.name.text

    @property
    def image(self) -> Shape:
        """The shape of an image."""
        return self.analysis.graph.input

    @property
    def normalization(self) -> Normalization | None:
        """The recipe's normalization, if it becomes a part of the network; None if that takes normalized images."""
        recipe = self.analysis.recipe
        if recipe is None or (recipe.normalize.is_whitening and self.run is None):
            return None
        return recipe.normalize if recipe.normalize.is_first or self.standardization else None

    @property
    def standardization(self) -> Standardization | None:
        """Mean and deviation of each channel, if they are known and the recipe normalizes with them."""
        recipe = self.analysis.recipe
        if recipe is None or recipe.normalize.is_first:
            return None
        recorded = self.run.record().normalization if self.run else None
        return recorded or recipe.normalize.standardization(self.image.channels)

    def input_transform(self) -> "InputTransform | None":
        """How the network takes images; None without `normalization`. Raises RunError."""
        from cifar_dsl.training.input_transform import first_transform, standardizing
        from cifar_dsl.training.weights import load_whitening

        normalization, constants = self.normalization, self.standardization
        if normalization is None:
            return None
        if constants:
            return standardizing(constants)
        return first_transform(normalization, load_whitening(self.run, self.analysis) if self.run else None)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if there is no run that records them."""
        return self.run.record().classes if self.run else ()

    def module(self) -> "nn.Module":
        """The network alone, which takes normalized images, in evaluation mode. Raises RunError."""
        with without_collections():  # imports create no garbage, and collecting takes an eighth of torch's time
            from cifar_dsl.training.lowering.torch_module import build_module
            from cifar_dsl.training.weights import load_weights

        if self.run is not None:
            return load_weights(self.run, self.analysis).eval()
        return build_module(self.analysis.graph, self.name, seed=0).eval()

    def metadata(self) -> dict[str, str]:
        """What a file says about the network, as texts."""
        values = {
            "name": self.name,
            "fingerprint": self.analysis.fingerprint,
            "spec": print_spec(self.analysis.program.as_spec()),
            "classes": json.dumps(self.classes),
        }
        if constants := self.standardization:
            values["normalization"] = json.dumps({"mean": constants.mean, "std": constants.std})
        elif normalization := self.normalization:
            whitening = {"whitening": self.run.record().whitening} if self.run and normalization.is_whitening else {}
            values["normalization"] = json.dumps({"normalize": str(normalization.call())} | whitening)
        return values


def subject_at(
    path: Path, root: Path | None = None, overrides: Sequence[str] = (), data: ChosenData | None = None
) -> Subject:
    """The network of the run or spec at a path. Raises RunError, SpecError, DataError."""
    if path.is_dir():
        from cifar_dsl.runs import open_run  # an export of a spec needs none of it

        run = open_run(path)
        return Subject(run.analysis(), run)
    return Subject(analyze(path, root, overrides, data))
