"""Trainings of one small network with any recipe, by any engine."""

import numpy as np
from attrs import field, frozen
from helpers.training import CPU, Outcome, fitted, meaning, without_idle_biases

from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import Splits, load_images
from cifar_dsl.training.learner import Learner

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


@frozen
class Case:
    text: str
    overrides: tuple[str, ...] = field(default=())
    rounds_to_half: bool = False  # what is computed with rates that aren't exact

    def splits(self) -> Splits:
        return load_images(meaning(self.text, self.overrides)[1], pictures(0, 50), pictures(1, 30), CPU)

    def train(self, *seeds: int, engine: EagerEngine | None = None) -> list[Outcome]:
        graph, recipe = meaning(self.text, self.overrides)
        return fitted(without_idle_biases(graph), recipe, self.splits(), seeds or (0,), engine)

    def learner(self, seed: int = 0) -> Learner:
        return Learner(*meaning(self.text, self.overrides), "network", seed, self.splits().train, EagerEngine(CPU))
