"""What is trained."""

from collections.abc import Sequence

from attrs import frozen

from cifar_dsl.ir import Recipe
from cifar_dsl.runs import RunError
from cifar_dsl.semantics import Analysis, changes


@frozen
class Subject:
    """What is trained: a spec, and what its record says of where it comes from."""

    analysis: Analysis
    name: str
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """How it is trained. Raises RunError if it doesn't say."""
        return required_recipe(self.analysis)

    @classmethod
    def of(cls, analysis: Analysis, overrides: Sequence[str] = ()) -> "Subject":
        """A spec as it was read."""
        program = analysis.program
        return cls(analysis, program.name.text, program.lineage, changes(program), tuple(overrides))


def required_recipe(analysis: Analysis) -> Recipe:
    """The recipe of a spec that is to be trained. Raises RunError if it has none."""
    if analysis.recipe is None:
        raise RunError(
            f"`{analysis.program.name}` says no recipe, so it can be checked and shown but not trained",
            "add `train { data cifar10 ... }`, or extend a spec that has one",
        )
    return analysis.recipe
