"""Learners outside of a run: for measurements that need some real steps, and keep no weights."""

from collections.abc import Sequence

from cifar_dsl.compiler import Analysis
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.training.artifacts import ArtifactFile
from cifar_dsl.training.datasets import Dataset
from cifar_dsl.training.device import Choice
from cifar_dsl.training.engines import Engine
from cifar_dsl.training.images import Splits, load_images
from cifar_dsl.training.learner import Learner, taken_from


@frozen(eq=False)
class Trial:
    """What a training of a spec uses, on a device: its network, recipe and images."""

    graph: Graph
    recipe: Recipe
    name: str
    choice: Choice
    splits: Splits = field(repr=False)
    artifacts: tuple[ArtifactFile, ...] = ()

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        dataset: Dataset,
        choice: Choice,
        artifacts: Sequence[ArtifactFile] = (),
        recipe: Recipe | None = None,
    ) -> "Trial":
        """The trial of a spec; `recipe` replaces its own."""
        used = recipe or analysis.require_recipe()
        splits = load_images(used, (dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test), choice.device)
        return cls(analysis.graph, used, analysis.program.name.text, choice, splits, tuple(artifacts))

    def learner(self, engine: Engine, seed: int = 0) -> Learner:
        """A learner before its first step, as a run with `seed` has it. Raises RunError if no starting weight fits."""
        taken = taken_from(self.artifacts, self.graph, self.recipe, engine, self.choice.device)
        return Learner(self.graph, self.recipe, self.name, seed, self.splits.train, engine, *taken)


def run_steps(learner: Learner, steps: int) -> None:
    """Run this number of steps, or those left of the epoch, if they are fewer."""
    for _ in range(min(steps, learner.plan.steps_in(learner.epoch) - learner.steps_done)):
        learner.engine.run([learner.prepare()])
