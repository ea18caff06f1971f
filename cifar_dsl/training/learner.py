"""A network in training: its weights and all other state that changes from step to step."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain

import torch
from torch import Tensor, nn

from cifar_dsl.analysis import estimate
from cifar_dsl.analysis.work import step_macs, work_share
from cifar_dsl.foundation.records import define, field
from cifar_dsl.ir import Graph, Lowering, Recipe, TrainedOutput, trained_outputs
from cifar_dsl.operations.recipe.augmentation import Resize, resizing
from cifar_dsl.operations.recipe.groups import keep_statistics
from cifar_dsl.operations.recipe.half_weights import half_weights
from cifar_dsl.training import draws
from cifar_dsl.training.artifacts import ArtifactFile, selection_of, teacher_of
from cifar_dsl.training.augmentation import augmented
from cifar_dsl.training.averages import Averages, StepUpdate
from cifar_dsl.training.constraints import Constraints
from cifar_dsl.training.distillation import Lesson, Teacher
from cifar_dsl.training.drops import Drops
from cifar_dsl.training.engines import Engine, Step
from cifar_dsl.training.generators import Generator
from cifar_dsl.training.images import Images
from cifar_dsl.training.loss_scale import LossScale
from cifar_dsl.training.lowering.fused_modules import why_not_fused
from cifar_dsl.training.lowering.torch_module import build_training_module, resolve
from cifar_dsl.training.malloc_tuning import keep_freed_memory
from cifar_dsl.training.objective import ExitSums, Objective, new_sum
from cifar_dsl.training.optimizers import Optimizers
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.precision import keep_in_half, precision
from cifar_dsl.training.selection import Chooser, Selected
from cifar_dsl.training.sharpness import Sam, make_sam
from cifar_dsl.training.starting_weights import match_all, tensors_to_start_from
from cifar_dsl.training.step_inputs import StepInputs
from cifar_dsl.training.whitening import whiten

Span = Callable[[str], AbstractContextManager[object]]


Taken = tuple[Mapping[str, Tensor], Teacher | None, Selected | None]


def taken_from(
    artifacts: Sequence[ArtifactFile], graph: Graph, recipe: Recipe, engine: Engine, device: torch.device
) -> Taken:
    """What learners on a device take from artifacts, and can share: `start`, `teacher` and `selection`.

    Raises RunError if no tensor of a file of weights fits.
    """
    teacher, selection = teacher_of(artifacts), selection_of(artifacts)
    return (
        tensors_to_start_from(match_all(graph, recipe, artifacts)),
        Teacher(teacher, device, engine) if teacher else None,
        Selected(selection) if selection else None,
    )


@define(eq=False)
class Learner:
    """One network in training with one seed.

    `epoch` is the current epoch, counted from 1, and `steps_done` the number of its finished steps. `start` are tensors
    to start from, by their paths in the network; the others are drawn. `teacher` is that of a recipe that distills, and
    `selection` that of one that learns from chosen images; both can be shared. `chooser` has the images that a recipe
    chooses itself. `span` opens a context around each phase of a step: data, forward, backward, optimizer.
    """

    graph: Graph
    recipe: Recipe
    name: str
    seed: int
    images: Images
    engine: Engine
    start: Mapping[str, Tensor] = field(factory=dict)
    teacher: Teacher | None = None
    selection: Selected | None = None
    span: Span = lambda _: nullcontext()
    epoch: int = field(init=False)
    steps_done: int = field(default=0, init=False)
    epoch_time_s: float = field(default=0.0, init=False)  # for the steps of this epoch so far
    plan: Plan = field(init=False)
    module: nn.Module = field(init=False)
    evaluated: nn.Module = field(init=False)  # the network with the weights to evaluate and save: averaged or trained
    loss_sum: Tensor = field(init=False)  # (), over this epoch's images; that of all outputs, times their weights
    correct: Tensor = field(init=False)  # () int64, of this epoch's images
    exit_sums: ExitSums = field(init=False)
    outputs: tuple[TrainedOutput, ...] = field(init=False)  # the network's, then those of exits
    chooser: Chooser | None = field(init=False)
    _inputs: StepInputs = field(init=False)
    _table: draws.DrawTable = field(init=False)
    _generator: Generator = field(init=False)
    _optimizers: Optimizers = field(init=False)
    _resize: Resize | None = field(init=False)
    _constraints: Constraints = field(init=False)
    _averages: Averages = field(init=False)
    _drops: Drops = field(init=False)
    _objective: Objective = field(init=False)
    _lesson: Lesson | None = field(init=False)
    _clip: Lowering | None = field(init=False)
    _sam: Sam | None = field(init=False)
    _scale: LossScale | None = field(init=False)
    _still: list[str] = field(init=False)  # paths of the layers whose running statistics are frozen
    _batches: list[int] = field(factory=list, init=False)  # the images in each batch of the prepared step
    _learns: bool = field(default=True, init=False)  # whether the prepared step changes the weights
    _updates: tuple[StepUpdate, ...] = field(default=(), init=False)  # of the averages, after the prepared step

    def __attrs_post_init__(self) -> None:
        device = self.device
        keep_freed_memory(device, self._estimated_bytes)
        fuses = self.engine.fuses and why_not_fused(device) is None
        self.module = build_training_module(self.graph, self.name, self.seed, device, fuses=fuses)
        self.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        whiten(self.module, self.graph, self.images)
        self._copy_start()
        keep_in_half(self.module, half_weights(self.graph, self.recipe), self.recipe)
        self.engine.prepare_module(self.module)
        self.evaluated = self.module
        if self.recipe.keep.takes_selection and not self.selection:
            raise ValueError("a recipe that learns from chosen images needs a selection")
        self.plan = Plan.of(self.recipe, len(self.images), self.selection.share if self.selection else 1.0)
        self.epoch = self.recipe.epochs_before + 1
        on_device = self.engine.inputs_on_device
        self._optimizers = Optimizers(self.module, self.graph, self.recipe, self.plan, inputs_on_device=on_device)
        first_column = self._optimizers.columns
        self._averages = Averages(self.recipe.average, self.module, self.plan, self.images, first_column)
        first_column += self._averages.columns
        self._drops = Drops(self.recipe.drop_schedule, self.module, self.plan, self.seed, device, first_column)
        self._resize = resizing(self.recipe.augment)
        self._constraints = Constraints(self.module, self.graph, self.recipe)
        self._objective = Objective(self.recipe, self.images, of_each=self.recipe.keep.chooses)
        before = self.recipe.epochs_before
        self.chooser = Chooser(self.recipe.keep, self.plan, before, device) if self.recipe.keep.chooses else None
        self._clip = self.recipe.clip.lower()
        self._still = keep_statistics(self.graph, self.recipe)
        self._sam = make_sam(self.recipe.perturb)
        # A gradient in float16 can't be divided by the factor without losing what the factor kept.
        is_scaled = self.recipe.precision == "fp16" and not self.recipe.has_half_weights
        self._scale = LossScale(device) if is_scaled else None
        self._inputs = self.engine.new_inputs(self._seed_of_images)
        self._table = draws.DrawTable(len(self.images), device)
        self._generator = Generator(device)
        self.loss_sum = new_sum(device)
        self.correct = torch.zeros((), device=device, dtype=torch.int64)
        self.outputs = trained_outputs(self.graph)
        if self.recipe.distill.weight and not self.teacher:
            raise ValueError("a recipe that distills needs a teacher")
        self._lesson = Lesson(self.recipe, self.outputs, self._objective.reduction) if self.teacher else None
        self.exit_sums = ExitSums(self.outputs[1:], device)

    def _estimated_bytes(self) -> int:
        """The memory that the training is estimated to take, without that of test images."""
        teacher = self.teacher.graph if self.teacher else None
        share = self.selection.share if self.selection else 1.0
        parts = estimate(self.graph, self.recipe, len(self.images), self.device.type, teacher, share)
        return parts["total"]

    @torch.no_grad()
    def _copy_start(self) -> None:
        here = self.module.state_dict()
        for path, tensor in self.start.items():
            here[path].copy_(tensor)

    @property
    def device(self) -> torch.device:
        """The device that holds the images and the network."""
        return self.images.labels.device

    def step_macs(self, forward: float) -> float:
        """The multiply-accumulates of a step for an image that takes `forward` of them in the forward pass.

        The mean over all steps, of which some may have no backward pass.
        """
        teacher = self.teacher.graph.cost.macs if self.teacher else 0
        return step_macs(forward, teacher, self.recipe.perturb.passes) * work_share(self.recipe, forward, teacher)

    @property
    def _seed_of_images(self) -> int:
        """The seed that decides their order and augmentation."""
        return self.selection.seed if self.selection else self.seed

    @property
    def rate(self) -> float:
        """The recipe's learning rate in the last step."""
        plan, recipe = self.plan, self.recipe
        passed = self.epoch - 1 + (self.steps_done - 1) / plan.steps
        return recipe.optimizer.lr * recipe.schedule.factor(passed, recipe.epochs)

    def share_generator(self) -> None:
        """Prepare for other learners that draw from the device's generator in turn with this one."""
        self._generator.share()

    # ---- an epoch

    def begin_epoch(self) -> None:
        """Prepare for the remaining steps of `epoch`."""
        self.module.train()
        for path in self._still:
            self.module.get_submodule(path).eval()
        plan, epoch = self.plan, self.epoch
        order = draws.permutation(self._seed_of_images, epoch, len(self.images))[: plan.drawn_in(epoch)]
        if self.selection:
            order = self.selection.of(order, epoch)
        tables = [part.hyperparameters(epoch) for part in (self._optimizers, self._averages, self._drops)]
        hyperparameters = [list(chain(*rows)) for rows in zip(*tables, strict=True)]
        self._inputs.begin_epoch(epoch, order, hyperparameters, self.steps_done, self.steps_done * plan.images_per_step)
        self._table.begin_epoch(self._inputs.keys)
        if self.steps_done == 0:
            self.loss_sum.zero_()
            self.correct.zero_()
            self.exit_sums.clear()
            if self.chooser:
                self.chooser.begin_epoch()
            self._generator.seed(draws.key(self.seed, epoch, "torch"))  # for dropout
        else:
            self._generator.resume()

    def prepare(self) -> Step:
        """Prepare the next step, to be run once."""
        done = (self.epoch - 1) * self.plan.steps + self.steps_done
        self._batches = self.plan.batches_in_step(self.epoch, self.steps_done)
        self._learns = done % self.recipe.keep.every == 0
        self._optimizers.prepare(self.epoch, self.steps_done)
        self._updates = self._averages.updates_after(done + 1)
        self.steps_done += 1
        size = self._resize.size_in(self.epoch) if self._resize else None
        return Step(
            owner=self,
            variant=(tuple(self._batches), size, self._learns, self._optimizers.active, self._updates),
            launch=self.step,
            context=self._generator.drawing if self._generator.is_shared else None,
        )

    def step(self) -> None:
        """Launch the prepared step."""
        batches = [self._inputs.next_images(count) for count in self._batches]
        parameters = self._optimizers.parameters
        if self.chooser:
            self.chooser.begin_step()
        with self._drops.in_step(self._inputs), torch.set_grad_enabled(self._learns):
            self._take_gradients(batches)
            if self._sam and parameters and self._learns:
                with self._sam.perturbed(self.module, parameters, self._scale.factor if self._scale else 1.0):
                    self._take_gradients(batches, is_counted=False)
        with self.span("optimizer"):
            if self._learns:
                self._change_weights(parameters)
            self._averages.after_step(self._updates, self._inputs)
        self._inputs.advance()

    def _change_weights(self, parameters: list[nn.Parameter]) -> None:
        """Apply the gradients of a step."""
        is_allowed = self._scale.unscale(parameters) if self._scale and parameters else None
        if self._clip:
            resolve(self._clip.target)(parameters, **self._clip.keywords())
        self._optimizers.step(self._inputs, is_allowed)
        self._constraints.apply(parameters)

    def _take_gradients(self, batches: Sequence[Tensor], *, is_counted: bool = True) -> None:
        """Replace the gradients by those of a step's batches of images; `is_counted` if metrics include this pass."""
        for number, index in enumerate(batches):
            self._add_gradients(index, number=number, is_counted=is_counted)

    def _add_gradients(self, index: Tensor, *, number: int, is_counted: bool) -> None:
        """Add the gradients of the images at `index` to those of the step; batch `number` 0 replaces all others."""
        images = len(index)
        with self.span("data"):
            chain, has_teacher = self.recipe.augment, self.teacher is not None
            keys = self._inputs.keys
            batch = augmented(self.images, index, chain, keys, self.epoch, keeps_values=has_teacher, table=self._table)
        with self.span("forward"), precision(self.recipe, self.device):
            taught = self.teacher(batch.values) if self.teacher and batch.values is not None else None
            returned = self.module(batch.images)
            scores = list(returned) if isinstance(returned, tuple) else [returned]  # (N, classes) of each output
            targets = batch.targets(scores[0].shape[1])
            losses = [self._objective(one.float(), targets) for one in scores]
            if self._lesson and taught is not None:
                losses = self._lesson.losses(losses, scores, taught)
            minimized = loss = _weighted_sum(losses, self.outputs)
            if self.chooser:
                minimized = self._objective.reduced(loss.index_select(0, self.chooser.kept(number, loss, index)))
                loss, *losses = (self._objective.reduced(each) for each in (loss, *losses))
        with self.span("backward"):
            if number == 0:
                for parameter in self._optimizers.parameters:  # `zero_grad` would search the network for them
                    parameter.grad = None
            if self._optimizers.parameters and self._learns:
                kept = [self.recipe.keep.kept_of(each) for each in self._batches]
                share = self._objective.share(minimized, kept[number], sum(kept))
                scaled = self._scale.scaled(share) if self._scale else share
                scaled.backward()  # type: ignore[no-untyped-call]
        if not is_counted:
            return
        # The sums stay on the device and are read once an epoch: reading them in every step would wait for the device.
        self.loss_sum += self._objective.total(loss.detach(), images)
        hits = [(one.detach().argmax(1) == batch.labels).sum() for one in scores]
        self.correct += hits[0]
        self.exit_sums.add([self._objective.total(one, images) for one in losses[1:]], hits[1:])

    def end_epoch(self) -> tuple[float, float]:
        """Finish the epoch. Returns mean loss and accuracy over its training batches, before each step."""
        seen = self.plan.images_in(self.epoch)
        loss, accuracy = self.loss_sum.item() / seen, int(self.correct.item()) / seen
        if self.chooser:
            self.chooser.end_epoch(self.epoch)
        self._averages.after_epoch(self.epoch)
        self._choose_evaluated()
        return loss, accuracy

    def exit_means(self) -> list[tuple[float, float]]:
        """Mean loss and accuracy of each exit over the training batches of the epoch, before each step."""
        return self.exit_sums.means(self.plan.images_in(self.epoch))

    def _choose_evaluated(self) -> None:
        with precision(self.recipe, self.device):
            self.evaluated = self._averages.network() or self.module

    def advance_epoch(self) -> None:
        """Move to the start of the next epoch."""
        self.epoch += 1
        self.steps_done = 0
        self.epoch_time_s = 0.0

    # ---- checkpoints

    def state(self) -> dict[str, Tensor]:
        """All tensors that the rest of the training depends on; `epoch` and `steps_done` complete them.

        These are the live tensors, not copies. Call this only while `fit` runs.
        """
        state = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        state |= {f"optimizer.{name}": tensor for name, tensor in self._optimizers.state().items()}
        state |= {f"average.{name}": tensor for name, tensor in self._averages.state().items()}
        if self._scale:
            state |= {f"scale.{name}": tensor for name, tensor in self._scale.state().items()}
        if self.chooser:
            state |= {f"chooser.{name}": tensor for name, tensor in self.chooser.state().items()}
        state |= {f"exits.{name}": tensor for name, tensor in self.exit_sums.state().items()}
        return state | {"sums.loss": self.loss_sum, "sums.correct": self.correct, "generator": self._generator.state()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], epoch: int, steps_done: int) -> None:
        """Restore what `state` returned at this point. Raises KeyError or RuntimeError if it is of another network."""
        self.module.load_state_dict(_without_prefix(state, "module."))
        self._optimizers.restore(_without_prefix(state, "optimizer."))
        self._averages.restore(_without_prefix(state, "average."))
        if self._scale:
            self._scale.restore(_without_prefix(state, "scale."))
        if self.chooser:
            self.chooser.restore(_without_prefix(state, "chooser."))
        self.loss_sum.copy_(state["sums.loss"])
        self.correct.copy_(state["sums.correct"])
        self.exit_sums.restore(_without_prefix(state, "exits."))
        self._generator.restore(state["generator"])
        self.epoch, self.steps_done = epoch, steps_done
        self._choose_evaluated()


def _weighted_sum(losses: Sequence[Tensor], outputs: Sequence[TrainedOutput]) -> Tensor:
    """The losses of outputs, () or (N,) each, times the weights; one without weight has no part in the gradient."""
    weighted = [
        loss if output.weight == 1 else loss * output.weight
        for loss, output in zip(losses, outputs, strict=True)
        if output.weight
    ]
    return sum(weighted[1:], start=weighted[0])


def _without_prefix(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
