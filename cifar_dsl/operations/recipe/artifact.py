"""What a training uses beside its spec and images; `training/artifacts.py` reads it."""

from collections.abc import Sequence

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import Artifact
from cifar_dsl.operations.argument_types import Text
from cifar_dsl.operations.registry import MisfitError, Registry

ARTIFACTS: Registry[Artifact] = Registry("artifact")


def check_artifacts(artifacts: Sequence[Artifact]) -> None:
    """Raise MisfitError if two artifacts are of one kind."""
    names = [artifact.name for artifact in artifacts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise MisfitError("E0403", f"`uses` has `{twice}` twice", help=("remove one of them",))


@ARTIFACTS.register("weights")
@declared
class Weights(Artifact):
    """Weights that training starts from, identified by their content; `--from` on the command line locates them.

    A tensor is copied if the network has one of its path and shape; the other ones of the network are drawn as usual.
    """

    option = "--from"
    digest: str = argument(Text(), "first 16 hexadecimal digits of the tensors' SHA-256; `--from` sets it")
