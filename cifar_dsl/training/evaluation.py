"""How good a network is: its scores for images, in evaluation mode, over the views that the recipe names."""

from functools import partial

import torch
from attrs import define, field
from torch import Tensor, nn

from cifar_dsl.analysis import EVALUATION_BATCH
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Recipe
from cifar_dsl.training.engines import Eager, Engine
from cifar_dsl.training.feeds import Feed
from cifar_dsl.training.images import Images
from cifar_dsl.training.objective import Objective, sum_of
from cifar_dsl.training.precision import precision
from cifar_dsl.training.views import with_views


@frozen
class Measured:
    """Mean loss and accuracy, and of each image, in order, the predicted class and the probability of the right one.

    `predicted` is (N,) int64, `confidence` (N,) float32; both on the device.
    """

    loss: float
    accuracy: float
    predicted: Tensor
    confidence: Tensor


@define
class Evaluation:
    """Measures networks on the same images again and again, batch by batch."""

    images: Images
    recipe: Recipe
    engine: Engine
    _objective: Objective = field(init=False)
    _feed: Feed = field(init=False)
    _loss: Tensor = field(init=False)
    _predicted: Tensor = field(init=False)
    _confidence: Tensor = field(init=False)

    def __attrs_post_init__(self) -> None:
        device = self.images.labels.device
        self._objective = Objective(self.recipe)
        self._feed = self.engine.feed(0)
        self._loss = sum_of(device)
        self._predicted = torch.zeros_like(self.images.labels)
        self._confidence = torch.zeros(len(self.images), device=device)

    def begin(self, module: nn.Module) -> list[int]:
        """Make ready to measure a network; gives back how many images each step takes."""
        count = len(self.images)
        module.eval()
        self._loss.zero_()
        self._feed.begin(0, torch.arange(count), (), 0, 0)
        return [min(EVALUATION_BATCH, count - start) for start in range(0, count, EVALUATION_BATCH)]

    @torch.no_grad()
    def step(self, module: nn.Module, count: int) -> None:
        """Measure the next `count` images."""
        index = self._feed.take(count)
        labels = self.images.labels.index_select(0, index)
        with precision(self.recipe, labels.device):
            # Scores of several views are added, which takes more digits than bfloat16 has.
            scores = with_views(lambda x: module(x).float(), self.recipe.test_augment)(self.images.batch(index))
            self._loss += self._objective.total(self._objective(scores, labels), count)
        self._predicted.index_copy_(0, index, scores.argmax(1))
        self._confidence.index_copy_(0, index, scores.softmax(1).gather(1, labels[:, None])[:, 0])

    def result(self) -> Measured:
        """What was measured. Waits for the device."""
        count = len(self.images)
        correct = int((self._predicted == self.images.labels).sum().item())
        return Measured(self._loss.item() / count, correct / count, self._predicted, self._confidence)


def measure(evaluations: list[Evaluation], modules: list[nn.Module]) -> list[Measured]:
    """Measure several networks side by side, each by its own evaluation; all have the same engine and sizes."""
    pairs = list(zip(evaluations, modules, strict=True))
    counts = [evaluation.begin(module) for evaluation, module in pairs]
    identity = tuple((id(evaluation), id(module)) for evaluation, module in pairs)
    for count in counts[0]:
        steps = [partial(evaluation.step, module, count) for evaluation, module in pairs]
        evaluations[0].engine.run(("evaluate", count, identity), steps)
    return [evaluation.result() for evaluation in evaluations]


def evaluate(module: nn.Module, images: Images, recipe: Recipe) -> Measured:
    """Measure one network once."""
    return measure([Evaluation(images, recipe, Eager(images.labels.device))], [module])[0]
