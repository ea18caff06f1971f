"""Trainings of one small network with any recipe, by any engine."""

from functools import cache

import numpy as np
from attrs import field, frozen
from helpers.training import CPU, Outcome, fitted, meaning, selection_file, teacher_file, without_idle_biases

from cifar_dsl.training.artifacts import TeacherFile
from cifar_dsl.training.distillation import Teacher
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import Splits, load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.selection import Selected

SPEC = """
arch small
input 3x8x8
model {
    conv(4, 3, bias=false) -> bn -> relu
    conv(6, 3, stride=2) -> relu -> dropout(0.3)
    flatten
    dense(10)
}
train {
    data npz("00")
    epochs 3
    batch 16
    augment crop(padding=2) -> flip -> alternating_flip -> cutout(3)
    optimizer sgd(lr=0.05, momentum=0.9)
    schedule linear(warmup=1)
}
"""


def pictures(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, 8, 8, 3), np.uint8), random.integers(0, 10, count)


TEACHER = """
arch teacher
input 3x8x8
model { conv(5, 3) -> bn -> relu -> dropout(0.5) -> flatten -> dense(10) }
"""


@frozen
class Case:
    text: str
    overrides: tuple[str, ...] = field(default=())
    rounds_to_half: bool = False  # what is computed with rates that aren't exact

    def splits(self) -> Splits:
        return load_images(meaning(self.text, self.overrides)[1], pictures(0, 50), pictures(1, 30), CPU)

    def train(self, *seeds: int, engine: EagerEngine | None = None) -> list[Outcome]:
        graph, recipe = meaning(self.text, self.overrides)
        uses = (self.teacher, self.selection)
        return fitted(without_idle_biases(graph), recipe, self.splits(), seeds or (0,), engine, *uses)

    def learner(self, seed: int = 0) -> Learner:
        graph, recipe, engine = *meaning(self.text, self.overrides), EagerEngine(CPU)
        teacher = Teacher(self.teacher, CPU, engine) if self.teacher else None
        images = self.splits().train
        return Learner(graph, recipe, "network", seed, images, engine, teacher=teacher, selection=self.selection)

    @property
    def teacher(self) -> TeacherFile | None:
        """The teacher of a recipe that distills."""
        return teacher_file(TEACHER) if meaning(self.text, self.overrides)[1].distill.weight else None

    @property
    def selection(self) -> Selected | None:
        """The images for a recipe that learns from chosen ones: those that the same network chooses with seed 7."""
        return _chosen(self) if meaning(self.text, self.overrides)[1].keep.takes_selection else None


@cache
def _chosen(case: Case) -> Selected:
    proxy = Case(case.text, (*case.overrides, "train.keep=hardest(0.5)"))
    return Selected(selection_file(proxy.train(7)[0].learner))


# ---- a training of every kind: tests train each in every way

_GROUPS = """
    group whole {
        select filter
        optimizer sgd(lr=0.02, momentum=0.9, nesterov=true)
        epochs 1
    }
    group rest {
        select bias
        optimizer adamw(lr=1e-3, eps=1e-3)
        schedule cosine
        epochs 2
    }
"""
_MUON = """
    group whole {
        select filter
        optimizer muon(lr=0.015625)
        epochs 2
    }
"""
_CYCLED = """
    group whole {
        select filter
        optimizer adamw(lr=0.003, eps=1e-3)
        schedule one_cycle(momentum=[0.5, 0.9])
        epochs 1
    }
    group rest {
        select bias
        optimizer sgd(lr=0.02, momentum=0.5)
        schedule one_cycle(peak=0.5, momentum=[0.2, 0.9])
        epochs 2
    }
"""
# Where a last bit can decide about more than itself (a sign, a rounding to 16 bits),
# rates are powers of two: these are the same in float32 and in float64, so that no last bit differs.
_RECIPES = {
    "ragged last batch": (),
    "accumulated gradients": (
        "train.accumulate=2",
        "train.batch=8",
        "train.augment=flip -> mixup",
        "train.clip=norm(0.1)",
    ),
    "accumulated in fp16": ("train.accumulate=3", "train.batch=5", "train.precision=fp16", "train.optimizer.lr=0.0625"),
    "sam": ("train.perturb=sam(rho=0.5)", "train.average=ema(0.9)", "train.clip=norm(0.1)"),
    "adaptive sam in fp16": (
        "train.perturb=sam(rho=2, adaptive=true)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.0625",
    ),
    "no ragged batch": ("train.drop_last=true",),
    "a part of an epoch": ("train.epochs=2.5",),
    "clipping by norm": ("train.clip=norm(0.1)",),
    "clipping by value": ("train.clip=value(0.01)",),
    "limited norms": ("train.constrain=max_norm(0.3)", "train.average=ema(0.9)"),
    "no augmentation": ("train.augment=none",),
    "whitened images": ("train.normalize=zca(eps=0.1)", "train.augment=crop(1) -> flip -> cutout(2, mean)"),
    "mixing": ("train.augment=flip -> mixup(0.4) -> cutmix",),
    "colours and erasing": ("train.augment=color_jitter(brightness=0.5) -> random_erasing(p=0.5, fill=noise)",),
    "policies": ("train.augment=randaugment -> crop(1) -> trivial_augment -> autoaugment -> mixup",),
    "rotation and hue": ("train.augment=rotate(30, bilinear) -> color_jitter(hue=0.2)",),
    "ema": ("train.average=ema(0.9, every=2, start=0.5)",),
    "swa": ("train.average=swa(start=1)",),
    "lookahead and ema": ("train.average=lookahead(every=3) -> ema(0.8)",),
    "averages with rates that change": (
        "train.average=lookahead(every=3, growth=2, statistics=true, final=slow) -> ema(0.9, warmup_power=0.5)",
        "train.optimizer=adam(lr=0.003, eps=1e-3)",
    ),
    "adam": ("train.optimizer=adam(lr=0.003, eps=1e-3)",),
    "adamw": ("train.optimizer=adamw(lr=0.003, eps=1e-3)",),
    "rmsprop": ("train.optimizer=rmsprop(lr=0.003, eps=1e-3)",),
    "nadam": ("train.optimizer=nadam(lr=0.003, eps=1e-3)",),
    "lion": ("train.optimizer=lion(lr=0.0009765625)",),
    "nesterov and decay": ("train.optimizer=sgd(lr=0.05, momentum=0.9, nesterov=true, weight_decay=0.01)",),
    "cycled momentum": (
        "train.optimizer=sgd(lr=0.05, momentum=0.9, nesterov=true, weight_decay=0.01)",
        "train.schedule=one_cycle(anneal=cosine, momentum=[0.85, 0.95])",
    ),
    "cycled beta": (
        "train.optimizer=adam(lr=0.003, eps=1e-3, weight_decay=0.01)",
        "train.schedule=one_cycle(momentum=[0.5, 0.95])",
    ),
    "smoothed sum": ("train.loss=cross_entropy(label_smoothing=0.1, reduction=sum)", "train.optimizer.lr=0.003"),
    "balanced weights": ("train.loss=cross_entropy(weights=balanced)", "train.validation=12"),
    "views of test images": ("train.test_augment=mirror -> shift(1)",),
    "a teacher": ("train.distill=soft", "train.augment=flip -> mixup", "train.average=ema(0.9)", "train.perturb=sam"),
    "a teacher's classes in fp16": (
        "train.distill=hard",
        "train.loss=cross_entropy(label_smoothing=0.1, reduction=sum)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.001953125",
    ),
    "hard images": (
        "train.keep=hardest(0.5, every=2)",
        "train.optimizer.lr=0.0625",
        "train.augment=flip -> mixup",
        "train.average=ema(0.9)",
        "train.perturb=sam(rho=0.5)",
    ),
    "hard images in fp16": (
        "train.keep=hardest(0.3)",
        "train.accumulate=2",
        "train.batch=8",
        "train.precision=fp16",
        "train.optimizer.lr=0.0625",
    ),
    "chosen images": ("train.keep=chosen", "train.accumulate=2", "train.batch=8", "train.epochs=2.5"),
    "early stopping": ("train.validation=12", "train.early_stopping=loss(2)"),
    "held-out images": ("train.validation=12",),
    "bf16": ("train.precision=bf16", "train.optimizer.lr=0.0625"),
    "fp16": ("train.precision=fp16", "train.optimizer.lr=0.0625"),
    "half weights": (
        "train.precision=bf16",
        "train.weight_precision=half",
        "train.optimizer.lr=0.0625",
        "train.average=lookahead(every=3) -> ema(0.8)",
        "train.clip=norm(1)",
    ),
    "half weights and swa in fp16": (
        "train.precision=fp16",
        "train.weight_precision=half",
        "train.optimizer=lion(lr=0.0009765625)",
        "train.average=swa(start=1)",
        "train.perturb=sam(rho=0.5)",
        "train.constrain=max_norm(0.5)",
    ),
    "half weights and nadam": (
        "train.precision=bf16",
        "train.weight_precision=half",
        "train.optimizer=nadam(lr=0.0078125, eps=0.0009765625)",
    ),
    "fp16 and nadam": ("train.precision=fp16", "train.optimizer=nadam(lr=0.003, eps=1e-3)", "train.clip=norm(1)"),
}
# One exit before the dropout, one behind it, and the network's output with a weight of its own.
_EXITS = SPEC.replace(
    "-> relu -> dropout", "\n let early = flatten -> dense(10) -> exit(0.25)\n relu -> dropout"
).replace("flatten\n    dense(10)", "flatten\n let late = dense(10) -> exit(0.5)\n dense(10) -> exit(0.75)")
_GROUPED, _GROUPED_CYCLES = (SPEC.replace("    schedule", groups + "    schedule") for groups in (_GROUPS, _CYCLED))
_GROWING = SPEC.replace("flatten", "global_avgpool")
_WEIGHTS = (
    SPEC.replace("conv(4, 3, bias=false)", "conv(4, 3, bias=false, weight=scaled(gamma=1.7))")
    .replace("conv(6, 3, stride=2)", "conv(6, 3, stride=2, weight=spectral)")
    .replace("dense(10)", "dense(10, weight=normalized(gain=learned))")
)
_TIED = SPEC.replace(
    "conv(6, 3, stride=2) -> relu", "let f = tied { conv(4, 3, pad=1, bias=false) -> bn -> relu }\n    f -> f"
)
_CHANCE = SPEC.replace(
    "dropout(0.3)",
    """mean(drop=0.3, global_share=0.5) { tanh | relu | identity }
    shake { relu | tanh }
    drop_path(0.3) -> shake_drop(0.3) -> drop_block(2, 0.3)
    relu -> stochastic_pool(2)""",
)
_CHANCE_GROWS = ("train.drop_schedule=linear", "train.average=swa(start=1)", "train.accumulate=2", "train.batch=8")
KINDS = {name: Case(SPEC, overrides, name == "fp16 and nadam") for name, overrides in _RECIPES.items()} | {
    "exits": Case(_EXITS, ("train.average=ema(0.9)", "train.augment=flip -> mixup(0.4)")),
    "exits and accumulated gradients": Case(_EXITS, ("train.accumulate=2", "train.batch=8")),
    "hard images of exits with a teacher": Case(
        _EXITS, ("train.keep=hardest(0.5)", "train.distill=soft", "train.optimizer.lr=0.0625")
    ),
    "groups that freeze": Case(_GROUPED),
    "groups with cycled momenta": Case(_GROUPED_CYCLES),
    "muon": Case(SPEC.replace("lr=0.05", "lr=0.0625").replace("    schedule", _MUON + "    schedule")),
    "images that grow, and a teacher": Case(
        _GROWING, ("train.augment=flip -> mixup -> resize([0, 1, 2], [5, 6, 8])", "train.distill=soft")
    ),
    "functions of weights": Case(_WEIGHTS),
    "their averages": Case(_WEIGHTS, ("train.average=ema(0.9)", "train.accumulate=2", "train.batch=8")),
    "tied weights": Case(_TIED, _RECIPES["sam"]),
    "tied weights and muon": Case(
        _TIED.replace("lr=0.05", "lr=0.0625").replace("    schedule", _MUON + "    schedule"),
        _RECIPES["accumulated in fp16"][:2],
    ),
    "chance that grows": Case(_CHANCE, _CHANCE_GROWS),
    "tied half weights and muon": Case(
        _TIED.replace("lr=0.05", "lr=0.0625").replace("    schedule", _MUON + "    schedule"),
        ("train.precision=bf16", "train.weight_precision=half", "train.accumulate=2", "train.batch=8"),
    ),
}
