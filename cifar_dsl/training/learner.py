"""A network that is trained: its weights and all that changes with them, step by step."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from attrs import define, field
from torch import Tensor, nn

from cifar_dsl.ir import Graph, Lowering, Recipe
from cifar_dsl.training import draws
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.averages import WeightAverage, make_average
from cifar_dsl.training.engines import Engine
from cifar_dsl.training.feeds import Feed
from cifar_dsl.training.generators import Generator
from cifar_dsl.training.images import Images
from cifar_dsl.training.loss_scale import LossScale
from cifar_dsl.training.lowering.torch_module import build_module, resolve
from cifar_dsl.training.malloc_tuning import keep_freed_memory
from cifar_dsl.training.objective import Objective, sum_of
from cifar_dsl.training.optimizers import Optimizers
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.precision import precision
from cifar_dsl.training.whitening import whiten

Span = Callable[[str], AbstractContextManager[object]]


@define(eq=False)
class Learner:
    """One network and one seed. `epoch`, from 1, has begun, and so many of its steps are done.

    `span` is a context for each phase of a step: data, forward, backward, optimizer.
    """

    graph: Graph
    recipe: Recipe
    name: str
    seed: int
    images: Images
    engine: Engine
    span: Span = lambda _: nullcontext()
    epoch: int = field(default=1, init=False)
    steps_done: int = field(default=0, init=False)
    spent_s: float = field(default=0.0, init=False)  # on the steps of this epoch
    plan: Plan = field(init=False)
    module: nn.Module = field(init=False)
    tested: nn.Module = field(init=False)  # the network with the weights that are evaluated and kept
    loss_sum: Tensor = field(init=False)
    correct: Tensor = field(init=False)
    _feed: Feed = field(init=False)
    _generator: Generator = field(init=False)
    _optimizers: Optimizers = field(init=False)
    _averages: list[WeightAverage] = field(init=False)
    _objective: Objective = field(init=False)
    _clip: Lowering | None = field(init=False)
    _scale: LossScale | None = field(init=False)
    _count: int = field(default=0, init=False)  # images of the step
    _due: tuple[str, ...] = field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        device = self.device
        keep_freed_memory(device)
        self.module = build_module(self.graph, self.name, self.seed)
        self.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        whiten(self.module, self.graph, self.images)
        self.engine.adopt(self.module)
        self.tested = self.module
        self.plan = Plan.of(self.recipe, len(self.images))
        recorded = self.engine.is_recorded
        self._optimizers = Optimizers(self.module, self.graph, self.recipe, self.plan, recorded=recorded)
        self._averages = [make_average(average, self.module, self.plan, self.images) for average in self.recipe.average]
        self._objective = Objective(self.recipe)
        self._clip = self.recipe.clip.lower()
        self._scale = LossScale(device) if self.recipe.precision == "fp16" else None
        self._feed = self.engine.feed(self.seed)
        self._generator = Generator(device)
        self.loss_sum = sum_of(device)
        self.correct = torch.zeros((), device=device, dtype=torch.int64)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.images.labels.device

    @property
    def rate(self) -> float:
        """The recipe's learning rate at the last step that was taken."""
        plan, recipe = self.plan, self.recipe
        passed = self.epoch - 1 + (self.steps_done - 1) / plan.steps
        return recipe.optimizer.lr * recipe.schedule.factor(passed, recipe.epochs)

    def share_generator(self) -> None:
        """From now on other learners draw from the device's generator in turn with this one."""
        self._generator.share()

    # ---- an epoch

    def begin_epoch(self) -> None:
        """Make ready for the steps of `epoch` that aren't done yet."""
        self.module.train()
        plan, epoch = self.plan, self.epoch
        order = draws.permutation(self.seed, epoch, len(self.images))[: plan.images_in(epoch)]
        rates = self._optimizers.rates(epoch)
        self._feed.begin(epoch, order, rates, self.steps_done, self.steps_done * plan.batch)
        if self.steps_done == 0:
            self.loss_sum.zero_()
            self.correct.zero_()
            self._generator.seed(draws.key(self.seed, epoch, "torch"))  # for dropout
        else:
            self._generator.resume()

    def prepare(self) -> Hashable:
        """Make ready for the next step; gives back all that decides which kernels it launches."""
        done = (self.epoch - 1) * self.plan.steps + self.steps_done
        self._count = self.plan.images_in_step(self.epoch, self.steps_done)
        self._optimizers.prepare(self.epoch, self.steps_done)
        self._due = tuple(average.due(done + 1) for average in self._averages)
        self.steps_done += 1
        return self._count, self._optimizers.active, self._due

    def step(self) -> None:
        """Take the step that was prepared."""
        with self._generator.drawing():
            self._step()

    def _step(self) -> None:
        with self.span("data"):
            index = self._feed.take(self._count)
            batch = augmented(self.images, index, self.recipe.augment, self._feed.keys)
        with self.span("forward"), precision(self.recipe, self.device):
            scores = self.module(batch.images)
            loss = self._objective(scores.float(), batch.targets(scores.shape[1]))
        with self.span("backward"):
            self.module.zero_grad(set_to_none=True)
            if self._optimizers.parameters:
                scaled = self._scale.scaled(loss) if self._scale else loss
                scaled.backward()  # type: ignore[no-untyped-call]
        with self.span("optimizer"):
            parameters = self._optimizers.parameters
            is_allowed = self._scale.unscale(parameters) if self._scale and parameters else None
            if self._clip:
                resolve(self._clip.target)(parameters, **self._clip.keywords())
            self._optimizers.step(self._feed, is_allowed)
            for average, due in zip(self._averages, self._due, strict=True):
                average.after_step(due)
        # Kept on the device and read once an epoch: reading would wait for the device at every step.
        self.loss_sum += self._objective.total(loss.detach(), self._count)
        self.correct += (scores.detach().argmax(1) == batch.labels).sum()
        self._feed.advance()

    def end_epoch(self) -> tuple[float, float]:
        """Mean loss and accuracy of the epoch, over images as they were seen; the next one may begin."""
        seen = self.plan.images_in(self.epoch)
        loss, accuracy = self.loss_sum.item() / seen, int(self.correct.item()) / seen
        for average in self._averages:
            average.after_epoch(self.epoch)
        self._choose_tested()
        return loss, accuracy

    def _choose_tested(self) -> None:
        with precision(self.recipe, self.device):
            networks = [average.network() for average in self._averages]
        self.tested = next((network for network in networks if network is not None), self.module)

    def advance_epoch(self) -> None:
        """Begin the next epoch; none of its steps are done."""
        self.epoch += 1
        self.steps_done = 0
        self.spent_s = 0.0

    # ---- between processes

    def state(self) -> dict[str, Tensor]:
        """Everything that the rest of the training depends on, beside `epoch` and `steps_done`.

        The tensors are those that training goes on with. To be asked for while `fit` runs.
        """
        state = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        state |= {f"optimizer.{name}": tensor for name, tensor in self._optimizers.state().items()}
        for number, average in enumerate(self._averages):
            state |= {f"average.{number}.{name}": tensor for name, tensor in average.state().items()}
        if self._scale:
            state |= {f"scale.{name}": tensor for name, tensor in self._scale.state().items()}
        return state | {"sums.loss": self.loss_sum, "sums.correct": self.correct, "generator": self._generator.state()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], epoch: int, steps_done: int) -> None:
        """Go on from what `state` gave then. Raises KeyError, RuntimeError where it is of another network."""
        self.module.load_state_dict(_below(state, "module."))
        self._optimizers.restore(_below(state, "optimizer."))
        for number, average in enumerate(self._averages):
            average.restore(_below(state, f"average.{number}."))
        if self._scale:
            self._scale.restore(_below(state, "scale."))
        self.loss_sum.copy_(state["sums.loss"])
        self.correct.copy_(state["sums.correct"])
        self._generator.restore(state["generator"])
        self.epoch, self.steps_done = epoch, steps_done
        self._choose_tested()


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
