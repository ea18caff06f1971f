"""Evaluation: losses, accuracy and predictions of a network in eval mode, over the test views of the recipe."""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own name for it

from cifar_dsl.analysis import EVALUATION_BATCH
from cifar_dsl.foundation.records import define, field, frozen
from cifar_dsl.ir import Recipe
from cifar_dsl.training.engines import EagerEngine, Engine, Step
from cifar_dsl.training.images import Images
from cifar_dsl.training.objective import Objective, new_sum
from cifar_dsl.training.precision import float32_products, precision
from cifar_dsl.training.step_inputs import StepInputs
from cifar_dsl.training.test_time_augmentation import with_views


@frozen
class EvaluationResult:
    """Mean losses and accuracy over N images, and the prediction for each of them.

    `loss` is the recipe's. `cross_entropy` is that of the softmax of the scores, without label smoothing, whatever the
    recipe's loss is: the same measure for every recipe.

    `predicted` is the class, (N,) int64, and `truth_probability` the probability of the true class, (N,) float32. Both
    are in the order of the images, on the device. `probabilities` are those of all classes, (N, classes) float32; None
    unless the evaluator keeps them.
    """

    loss: float
    cross_entropy: float
    accuracy: float
    predicted: Tensor
    truth_probability: Tensor
    probabilities: Tensor | None = None

    @property
    def is_finite(self) -> bool:
        """Whether neither loss is NaN or infinite."""
        return math.isfinite(self.loss) and math.isfinite(self.cross_entropy)


@define(eq=False)
class Evaluator:
    """Evaluates networks on the same images, batch by batch. It can be used many times."""

    images: Images
    recipe: Recipe
    engine: Engine
    keeps_probabilities: bool = False
    _objective: Objective = field(init=False)
    _inputs: StepInputs = field(init=False)
    _loss_sum: Tensor = field(init=False)
    _cross_entropy_sum: Tensor = field(init=False)
    _predicted: Tensor = field(init=False)
    _truth_probability: Tensor = field(init=False)
    _probabilities: Tensor | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        device = self.images.labels.device
        self._objective = Objective(self.recipe, self.images)
        self._inputs = self.engine.new_inputs(0)
        self._loss_sum, self._cross_entropy_sum = new_sum(device), new_sum(device)
        self._predicted = torch.zeros_like(self.images.labels)
        self._truth_probability = torch.zeros(len(self.images), device=device)

    def begin(self, module: nn.Module) -> list[int]:
        """Prepare to evaluate a network. Returns the batch size of each step."""
        count = len(self.images)
        module.eval()
        self._loss_sum.zero_()
        self._cross_entropy_sum.zero_()
        self._inputs.begin_epoch(0, torch.arange(count), (), 0, 0)
        return [min(EVALUATION_BATCH, count - start) for start in range(0, count, EVALUATION_BATCH)]

    @torch.no_grad()
    def step(self, module: nn.Module, count: int) -> None:
        """Evaluate the next `count` images."""
        index = self._inputs.next_images(count)
        labels = self.images.labels.index_select(0, index)
        with precision(self.recipe, labels.device):
            # Scores (N, classes) of several views are added, which takes more digits than bfloat16 has.
            scores = with_views(lambda x: module(x).float(), self.recipe.test_augment)(self.images.batch(index))
            self._loss_sum += self._objective.total(self._objective(scores, labels), count)
            self._cross_entropy_sum += F.cross_entropy(scores, labels) * count
        self._predicted.index_copy_(0, index, scores.argmax(1))
        probabilities = scores.softmax(1)
        self._truth_probability.index_copy_(0, index, probabilities.gather(1, labels[:, None])[:, 0])
        if self.keeps_probabilities:
            if self._probabilities is None:
                self._probabilities = probabilities.new_zeros(len(self.images), probabilities.shape[1])
            self._probabilities.index_copy_(0, index, probabilities)

    def result(self) -> EvaluationResult:
        """The result after the last step. Waits for the device."""
        count = len(self.images)
        correct = int((self._predicted == self.images.labels).sum().item())
        return EvaluationResult(
            loss=self._loss_sum.item() / count,
            cross_entropy=self._cross_entropy_sum.item() / count,
            accuracy=correct / count,
            predicted=self._predicted,
            truth_probability=self._truth_probability,
            probabilities=self._probabilities,
        )


def evaluate_together(evaluators: list[Evaluator], modules: list[nn.Module]) -> list[EvaluationResult]:
    """Evaluate several networks side by side, each with its own evaluator, of one engine and one number of images."""
    pairs = list(zip(evaluators, modules, strict=True))
    counts = [evaluator.begin(module) for evaluator, module in pairs]
    with float32_products(evaluators[0].images.labels.device):
        for count in counts[0]:
            steps = [Step(one, (module, count), partial(one.step, module, count)) for one, module in pairs]
            evaluators[0].engine.run(steps)
    return [evaluator.result() for evaluator in evaluators]


def evaluate(
    module: nn.Module, images: Images, recipe: Recipe, *, keep_probabilities: bool = False
) -> EvaluationResult:
    """Evaluate one network once, with the eager engine."""
    evaluator = Evaluator(images, recipe, EagerEngine(images.labels.device), keep_probabilities)
    return evaluate_together([evaluator], [module])[0]
