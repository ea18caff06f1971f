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
from cifar_dsl.training.images import Images

EVALUATION_BATCH = 500  # images; a constant, so that evaluating a saved run repeats the very same sums


class DivergedError(Exception):
    """The loss is no longer a number."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"the loss was not a finite number in epoch {epoch}")
        self.epoch = epoch


@frozen
class StepProgress:
    """How far an epoch has come: `step` of `steps`, both from 1."""

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
        optimizer = self._optimizer(module)
        with generators_kept(self.device):
            for epoch in range(1, self.recipe.epochs + 1):
                _seed_generator(self.device, draws.key(self.seed, epoch, "torch"))  # for dropout
                on_epoch(self._epoch(module, optimizer, epoch, on_step))
        return module

    def _optimizer(self, module: nn.Module) -> torch.optim.Optimizer:
        declared = OPTIMIZERS.of(self.recipe.optimizer)
        call = declared.emit()
        keywords: dict[str, object] = dict(call.arguments)
        if declared.has_fused:
            keywords["fused"] = True  # the same arithmetic in one pass over the weights
        optimizer: torch.optim.Optimizer = resolve(call.name)(module.parameters(), **keywords)
        return optimizer

    def _epoch(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        epoch: int,
        on_step: Callable[[StepProgress], None],
    ) -> EpochMetrics:
        recipe, images = self.recipe, self.train_images
        loss_function = make(LOSSES.of(recipe.loss).emit())
        clip_call = CLIPS.of(recipe.clip).emit()
        schedule = SCHEDULES.of(recipe.schedule)
        base_lr = OPTIMIZERS.of(recipe.optimizer).lr
        parameters = list(module.parameters())
        order = draws.permutation(self.seed, epoch, len(images)).to(self.device)
        steps = math.ceil(len(images) / recipe.batch)
        loss_sum = torch.zeros((), device=self.device, dtype=torch.float64 if self.device.type != "mps" else None)
        correct = torch.zeros((), device=self.device, dtype=torch.int64)
        lr = base_lr
        module.train()
        start = time.perf_counter()
        for step, index in enumerate(torch.split(order, recipe.batch)):
            lr = base_lr * schedule.factor(epoch - 1 + step / steps, recipe.epochs)
            for group in optimizer.param_groups:
                group["lr"] = lr
            x = images.augmented(index, recipe.augment, self.seed, epoch)
            y = images.labels.index_select(0, index)
            with self._precision():
                scores = module(x)
                loss = loss_function(scores, y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if clip_call:
                resolve(clip_call.name)(parameters, **clip_call.keywords())
            optimizer.step()
            # Kept on the device and read once an epoch: reading would wait for the device at every step.
            loss_sum += loss.detach() * len(index)
            correct += (scores.detach().argmax(1) == y).sum()
            on_step(StepProgress(epoch, recipe.epochs, step + 1, steps))
        train_loss = loss_sum.item() / len(images)
        train_accuracy = int(correct.item()) / len(images)
        trained = time.perf_counter()
        if not math.isfinite(train_loss):
            raise DivergedError(epoch)
        test_loss, test_accuracy = evaluate(module, self.test_images, recipe)
        if not math.isfinite(test_loss):  # the last steps may have spoilt weights whose loss was still a number
            raise DivergedError(epoch)
        return EpochMetrics(
            epoch=epoch,
            lr=lr,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            time_s=trained - start,
            evaluation_time_s=time.perf_counter() - trained,
        )

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


@torch.inference_mode()
def evaluate(module: nn.Module, images: Images, recipe: Recipe) -> tuple[float, float]:
    """Mean loss and accuracy of `module` on `images`, in evaluation mode."""
    loss_function = make(LOSSES.of(recipe.loss).emit())
    module.eval()
    losses: list[Tensor] = []
    correct = torch.zeros((), device=images.labels.device, dtype=torch.int64)
    for index in torch.split(torch.arange(len(images), device=images.labels.device), EVALUATION_BATCH):
        y = images.labels.index_select(0, index)
        with precision(recipe, images.labels.device):
            scores = module(images.batch(index))
            losses.append(loss_function(scores, y) * len(index))
        correct += (scores.argmax(1) == y).sum()
    return torch.stack(losses).sum().item() / len(images), int(correct.item()) / len(images)
