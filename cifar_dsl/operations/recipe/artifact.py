"""What a training uses beside its spec and images; `training/artifacts.py` reads it."""

from collections.abc import Sequence

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Artifact, Recipe
from cifar_dsl.operations.argument_types import Int, Text
from cifar_dsl.operations.registry import MisfitError, Registry

ARTIFACTS: Registry[Artifact] = Registry("artifact")


def check_artifacts(artifacts: Sequence[Artifact], epochs: float) -> None:
    """Raise MisfitError if two artifacts are of one kind, or one leaves none of the training's `epochs`."""
    names = [artifact.name for artifact in artifacts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise MisfitError("E0403", f"`uses` has `{twice}` twice", help=("remove one of them",))
    for artifact in artifacts:
        if artifact.epochs_before >= epochs:
            raise MisfitError(
                "E0403",
                f"the `{artifact.name}` have {_counted(artifact.epochs_before)} behind them, but training ends after "
                f"{epochs:g}",
                help=(f"use more epochs than {artifact.epochs_before}",),
            )


def _counted(epochs: int) -> str:
    return f"{epochs} epoch{'' if epochs == 1 else 's'}"


@ARTIFACTS.register("weights")
@declared
class Weights(Artifact):
    """Weights that training starts from; `--from` on the command line locates them.

    A tensor is copied if the network has one of its path and shape; the other ones of the network are drawn as usual.
    With `epochs`, each seed continues the run of that seed: it begins after these epochs, with all of its weights.
    """

    option = "--from"
    phrase = "weights"
    misfit = "the weights are not those"
    digest: str = argument(
        Text(),
        "first 16 hexadecimal digits of the tensors' SHA-256, which `--from` sets; with `epochs`, the fingerprint of "
        "the runs",
    )
    epochs: int = argument(
        Int(0, 100_000), "epochs of the runs that are continued; `--resume RUN --set train.epochs=N` sets it", default=0
    )

    @property
    def epochs_before(self) -> int:
        return self.epochs


@ARTIFACTS.register("teacher")
@declared
class Teacher(Artifact):
    """A trained network that `distill` learns from, identified by its content; `--teacher` locates it.

    It classifies the augmented images of each batch, with the normalization of its own training, in evaluation mode.
    """

    option = "--teacher"
    phrase = "a teacher"
    misfit = "the teacher is not that"
    remedy = "`distill soft` or `distill hard`"
    override = "train.distill=soft"
    fingerprint: str = argument(Text(), "fingerprint of the teacher's spec")
    digest: str = argument(
        Text(),
        "first 16 hexadecimal digits of the SHA-256 of fingerprint, weights and normalization; `--teacher` sets it",
    )

    def is_used_by(self, recipe: Recipe) -> bool:
        return recipe.distill.weight > 0


@ARTIFACTS.register("selection")
@declared
class Selection(Artifact):
    """The images that a run with `keep hardest(...)` chose, identified by their content; `--selection` locates it.

    A training with `keep chosen` learns from them.
    """

    option = "--selection"
    phrase = "a selection of images"
    misfit = "the selection of images is not that"
    remedy = "`keep chosen`"
    override = "train.keep=chosen"
    fingerprint: str = argument(Text(), "fingerprint of the spec whose run chose")
    digest: str = argument(
        Text(), "first 16 hexadecimal digits of the SHA-256 of fingerprint, seed and choice; `--selection` sets it"
    )

    def is_used_by(self, recipe: Recipe) -> bool:
        return recipe.keep.takes_selection
