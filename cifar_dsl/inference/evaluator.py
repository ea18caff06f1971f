"""The network of a run, ready to be evaluated on its test images, on other images, and on corrupted ones."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import torch

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.inference.corruptions import SEVERITIES, corrupted
from cifar_dsl.inference.evaluation import Evaluation
from cifar_dsl.inference.labelled_images import LabelledImages, open_images
from cifar_dsl.inference.predictor import names_of
from cifar_dsl.ir import Recipe
from cifar_dsl.operations.recipe import LOSSES
from cifar_dsl.runs import Run
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.datasets.progress import Progress
from cifar_dsl.training.evaluation import evaluate
from cifar_dsl.training.images import Images
from cifar_dsl.training.lowering.torch_module import Network
from cifar_dsl.training.weights import Weights, classes_of, load_weights, other_images, own_images


@frozen(eq=False)
class RunEvaluator:
    """The network of a run on a device, with the test views and the precision of its recipe."""

    run: Run
    analysis: Analysis
    network: Network
    weights: Weights
    device: torch.device
    data_dir: Path | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return names_of(classes_of(self.run), self.analysis)

    def open_images(
        self,
        data: str | None = None,
        *,
        progress: Progress | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> LabelledImages:
        """Images to evaluate on; see `labelled_images.open_images`."""
        return open_images(self.run, self.analysis, data, data_dir=self.data_dir, progress=progress, warn=warn)

    def evaluate(self, images: LabelledImages) -> Evaluation:
        """Evaluate on images. Raises RunError."""
        dataset, recipe = images.dataset, self.analysis.require_recipe()
        if dataset is not None:
            placed = own_images(self.run, self.analysis, dataset, self.device)
        else:
            placed, recipe = self._placed(images), self._recipe_for_others
        found = evaluate(self.network, placed, recipe, keep_probabilities=True)
        assert found.probabilities is not None
        return Evaluation(
            data=images.name,
            is_own=dataset is not None,
            weights=self.weights,
            classes=self.classes,
            images=images.images,
            labels=images.labels,
            probabilities=found.probabilities.cpu().numpy(),
            predicted=found.predicted.cpu().numpy(),
            accuracy=found.accuracy,
            cross_entropy=found.cross_entropy,
            loss=None if dataset is None else found.loss,
        )

    def corruptions(
        self, images: LabelledImages, names: Sequence[str], seed: int = 0
    ) -> Iterator[tuple[str, tuple[float, ...]]]:
        """The accuracy on corrupted images at severities 1 to 5, for each of these corruptions. Raises UserError."""
        for name in names:
            changed = (evolve(images, images=corrupted(images.images, name, level, seed)) for level in SEVERITIES)
            yield name, tuple(self._accuracy(each) for each in changed)

    def _accuracy(self, images: LabelledImages) -> float:
        return evaluate(self.network, self._placed(images), self._recipe_for_others).accuracy

    def _placed(self, images: LabelledImages) -> Images:
        """Other images than the test images, on the device."""
        return other_images(self.run, self.analysis, (images.images, images.labels), self.device, self._reference)

    @cached_property
    def _reference(self) -> Dataset | None:
        """The run's dataset, if its record lacks the normalization, as that of version 0.1.0 does."""
        is_first = self.analysis.require_recipe().normalize.is_first
        return None if is_first or self.run.record().normalization else self.open_images().dataset

    @cached_property
    def _recipe_for_others(self) -> Recipe:
        """The recipe with a loss that doesn't depend on the training images, which may be elsewhere."""
        return evolve(self.analysis.require_recipe(), loss=LOSSES["cross_entropy"]())


def evaluator_of(
    run: Run, device: torch.device, weights: Weights = "last", *, data_dir: Path | None = None
) -> RunEvaluator:
    """The evaluator of a run. Datasets are in `data_dir`, by default the folder for downloads. Raises RunError."""
    analysis = run.analysis()
    network = load_weights(run, analysis, weights)
    placed = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return RunEvaluator(run, analysis, placed, weights, device, data_dir)
