"""The torch module, function or class that a declaration lowers to, as data, so that torch need not be imported."""

from typing import Any

from cifar_dsl.foundation.records import frozen


@frozen
class Lowering:
    """A call: `target` with keyword arguments. The module builder runs it; the source printer prints it.

    `target` is a full name in torch (`torch.nn.Conv2d`), or a key (`tokens`) in the tables of this package's own
    modules, losses and optimizers in `training/`.
    """

    target: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def to(cls, target: str, /, **arguments: Any) -> "Lowering":
        """Create a lowering from keyword arguments: `Lowering.to("torch.nn.Dropout", p=0.5)`."""
        return cls(target, tuple(arguments.items()))

    def keywords(self) -> dict[str, Any]:
        """The arguments by name."""
        return dict(self.arguments)
