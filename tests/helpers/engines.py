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
