"""What is exported: the network of a spec with its initial weights, or the trained one of a run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.compiler import Analysis, ChosenData, analyze
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape, Standardization
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.runs import Run, open_run

if TYPE_CHECKING:
    from torch import nn


@frozen
class Subject:
    """The network to export; `run` is None for one that isn't trained."""

    analysis: Analysis
    run: Run | None = None

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.analysis.program.name.text

    @property
    def image(self) -> Shape:
        """The shape of an image."""
        return self.analysis.graph.input

    @property
    def normalization(self) -> Standardization | None:
        """The normalization that becomes a part of the network; None if it takes images that are normalized."""
        if self.run is not None and (recorded := self.run.record().normalization):
            return recorded
        recipe = self.analysis.recipe
        return recipe.normalize.standardization(self.image.channels) if recipe else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if there is no run that records them."""
        return self.run.record().classes if self.run else ()

    def module(self) -> "nn.Module":
        """The network alone, which takes normalized images, in evaluation mode. Raises RunError."""
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
        if normalization := self.normalization:
            values["normalization"] = json.dumps({"mean": normalization.mean, "std": normalization.std})
        return values


def subject_at(
    path: Path, root: Path | None = None, overrides: Sequence[str] = (), data: ChosenData | None = None
) -> Subject:
    """The network of the run or spec at a path. Raises RunError, SpecError, DataError."""
    if path.is_dir():
        run = open_run(path)
        return Subject(run.analysis(), run)
    return Subject(analyze(path, root, overrides, data))
