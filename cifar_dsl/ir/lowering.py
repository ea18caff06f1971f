"""What a declaration becomes in torch, as data: nothing here needs torch."""

from typing import Any

from cifar_dsl.foundation.records import frozen


@frozen
class Lowering:
    """A target and its keyword arguments: what a module builder calls, and a printer of source writes.

    `target` is the full name of torch's own (`torch.nn.Conv2d`), or the short key of ours (`tokens`) in the table
    beside the modules, losses or optimizers of `training/`.
    """

    target: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def to(cls, target: str, /, **arguments: Any) -> "Lowering":
        """`Lowering.to("torch.nn.Dropout", p=0.5)`."""
        return cls(target, tuple(arguments.items()))

    def keywords(self) -> dict[str, Any]:
        """The arguments by name."""
        return dict(self.arguments)
