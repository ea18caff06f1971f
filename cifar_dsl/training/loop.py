"""The training loop. The recipe and the seed decide the result; nothing else does."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from attrs import define, frozen
from torch import Tensor, nn

from cifar_dsl.backends.torch_module import build_module, make, resolve
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.recipes import CLIPS, LOSSES, OPTIMIZERS, SCHEDULES
from cifar_dsl.runs import EpochMetrics
from cifar_dsl.training import draws
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.averages import WeightAverage, make_average
from cifar_dsl.training.images import Images
from cifar_dsl.training.optimizers import Optimizers
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.views import with_views
from cifar_dsl.training.whitening import whiten

EVALUATION_BATCH = 500  # images; a constant, so that evaluating a saved run repeats the very same sums


class DivergedError(Exception):
    """The loss is no longer a number."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss was not a finite number in epoch {epoch}")
        self.epoch = epoch


@frozen
class StepProgress:
    """How far an epoch has come: `step` of its `steps`, both from 1. The last of the `epochs` may be a short one."""

    epoch: int
    epochs: int
    step: int
    steps: int


@define
class Trainer:
    """Trains one network with one seed."""

    graph: Graph
    recipe: Recipe
    name: str
    seed: int
    device: torch.device
    train_images: Images
    test_images: Images

    def run(
        self,
        on_epoch: Callable[[EpochMetrics], None],
        on_step: Callable[[StepProgress], None] = lambda _: None,
    ) -> nn.Module:
        """Train all epochs and give back the network. Raises DivergedError.

        Random streams are a function of (seed, epoch), and torch's own generators are left as they were.
        """
        module = build_module(self.graph, self.name, self.seed)
        module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        whiten(module, self.graph, self.train_images)
        plan = Plan.of(self.recipe, len(self.train_images))
        optimizers = Optimizers(module, self.graph, self.recipe, plan)
        averages = [make_average(call, module, plan, self.train_images) for call in self.recipe.average]
        tested = module
        with generators_kept(self.device):
            for epoch in range(1, plan.epochs_begun + 1):
                _seed_generator(self.device, draws.key(self.seed, epoch, "torch"))  # for dropout
                start = time.perf_counter()
                loss, accuracy, lr = self._epoch(module, optimizers, averages, plan, epoch, on_step)
                trained = time.perf_counter()
                tested = self._averaged(module, averages)
                test_loss, test_accuracy = evaluate(tested, self.test_images, self.recipe)
                if not math.isfinite(test_loss):  # the last steps may have spoilt weights whose loss was still a number
                    raise DivergedError(epoch)
                on_epoch(
                    EpochMetrics(
                        epoch=epoch,
                        lr=lr,
                        train_loss=loss,
                        train_accuracy=accuracy,
                        test_loss=test_loss,
                        test_accuracy=test_accuracy,
                        time_s=trained - start,
                        evaluation_time_s=time.perf_counter() - trained,
                    )
                )
        return tested

    def _epoch(
        self,
        module: nn.Module,
        optimizers: Optimizers,
        averages: list[WeightAverage],
        plan: Plan,
        epoch: int,
        on_step: Callable[[StepProgress], None],
    ) -> tuple[float, float, float]:
        """One epoch: mean loss, accuracy, and the recipe's rate at the last step. Raises DivergedError."""
        recipe, images = self.recipe, self.train_images
        loss_function = _Loss(recipe)
        clip_call = CLIPS.of(recipe.clip).emit()
        schedule, base_lr = SCHEDULES.of(recipe.schedule), OPTIMIZERS.of(recipe.optimizer).lr
        steps, seen = plan.steps_in(epoch), plan.images_in(epoch)
        order = draws.permutation(self.seed, epoch, len(images))[:seen].to(self.device)
        loss_sum = torch.zeros((), device=self.device, dtype=torch.float64 if self.device.type != "mps" else None)
        correct = torch.zeros((), device=self.device, dtype=torch.int64)
        module.train()
        for step, index in enumerate(torch.split(order, recipe.batch)):
            optimizers.begin(epoch, step)
            batch = augmented(images, index, recipe.augment, self.seed, epoch)
            with self._precision():
                scores = module(batch.images)
                loss = loss_function(scores, batch.targets(scores.shape[1]))
            module.zero_grad(set_to_none=True)
            if optimizers.parameters:
                loss.backward()  # type: ignore[no-untyped-call]
            if clip_call:
                resolve(clip_call.name)(optimizers.parameters, **clip_call.keywords())
            optimizers.step()
            for average in averages:
                average.after_step((epoch - 1) * plan.steps + step + 1)
            # Kept on the device and read once an epoch: reading would wait for the device at every step.
            loss_sum += loss_function.total(loss.detach(), len(index))
            correct += (scores.detach().argmax(1) == batch.labels).sum()
            on_step(StepProgress(epoch, plan.epochs_begun, step + 1, steps))
        for average in averages:
            average.after_epoch(epoch)
        loss_mean = loss_sum.item() / seen
        if not math.isfinite(loss_mean):
            raise DivergedError(epoch)
        lr = base_lr * schedule.factor(epoch - 1 + (steps - 1) / plan.steps, recipe.epochs)
        return loss_mean, int(correct.item()) / seen, lr

    def _averaged(self, module: nn.Module, averages: list[WeightAverage]) -> nn.Module:
        """The network that is tested and kept."""
        with self._precision():
            networks = [average.network() for average in averages]
        return next((network for network in networks if network is not None), module)

    def _precision(self) -> torch.autocast:
        return precision(self.recipe, self.device)


@contextmanager
def generators_kept(device: torch.device) -> Iterator[None]:
    """Leave torch's generators, of the CPU and of `device`, in the end as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # knows nothing of mps
        state = torch.mps.get_rng_state() if device.type == "mps" else None
        try:
            yield
        finally:
            if state is not None:
                torch.mps.set_rng_state(state)


def _seed_generator(device: torch.device, seed: int) -> None:
    """Seed the generator of `device` alone; `torch.manual_seed` would reseed those of all devices."""
    match device.type:
        case "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        case "mps":
            torch.mps.manual_seed(seed)
        case _:
            torch.default_generator.manual_seed(seed)


def precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The context in which a network computes with the numbers that the recipe names."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16")


class _Loss:
    """The loss of a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        declared = LOSSES.of(recipe.loss)
        self._function = make(declared.emit())
        self._is_sum = declared.reduction == "sum"

    def __call__(self, scores: Tensor, targets: Tensor) -> Tensor:
        """The batch's loss, as the recipe reduces it."""
        return self._function(scores, targets)  # type: ignore[no-any-return]

    def total(self, loss: Tensor, count: int) -> Tensor:
        """The sum over a batch of `count` images whose loss this is."""
        return loss if self._is_sum else loss * count


@torch.inference_mode()
def evaluate(module: nn.Module, images: Images, recipe: Recipe) -> tuple[float, float]:
    """Mean loss and accuracy of `module` on `images`, in evaluation mode, over the views that the recipe names."""
    loss_function = _Loss(recipe)
    device = images.labels.device
    # Scores of several views are added, which takes more digits than bfloat16 has.
    score = with_views(lambda x: module(x).float(), recipe.test_augment)
    module.eval()
    losses: list[Tensor] = []
    correct = torch.zeros((), device=device, dtype=torch.int64)
    for index in torch.split(torch.arange(len(images), device=device), EVALUATION_BATCH):
        y = images.labels.index_select(0, index)
        with precision(recipe, device):
            scores = score(images.batch(index))
            losses.append(loss_function.total(loss_function(scores, y), len(index)))
        correct += (scores.argmax(1) == y).sum()
    return torch.stack(losses).sum().item() / len(images), int(correct.item()) / len(images)
