"""Early stopping: when a training ends before its last epoch, decided on the held-out images."""

from collections.abc import Sequence

from cifar_dsl.ir import argument, declared
from cifar_dsl.ir.recipe import EarlyStopping, NoEarlyStopping
from cifar_dsl.operations.argument_types import Float, Int
from cifar_dsl.operations.registry import Registry

EARLY_STOPPINGS: Registry[EarlyStopping] = Registry("early stopping")
EARLY_STOPPINGS.register("none")(NoEarlyStopping)

_PATIENCE = Int(1, 100_000)
_PATIENCE_DOC = "epochs without improvement after which training stops"


class _Patient(EarlyStopping):
    """Stops after `patience` epochs in a row without a value better than the best one so far by more than `delta`."""

    patience: int
    delta: float
    sign: int  # 1 if larger values are better, -1 if smaller ones are

    @property
    def shortest(self) -> int:
        return self.patience + 1

    def is_over(self, values: Sequence[float]) -> bool:
        best, waited = values[0] if values else 0.0, 0
        for value in values[1:]:
            waited += 1
            if self.sign * (value - best) > self.delta:
                best, waited = value, 0
            if waited >= self.patience:
                return True
        return False


@EARLY_STOPPINGS.register("accuracy")
@declared
class Accuracy(_Patient):
    """Stop when the accuracy on the held-out images no longer rises.

    The rule of https://keras.io/api/callbacks/early_stopping. The schedule runs as if the training continued.
    """

    measure = "validation_accuracy"
    sign = 1
    patience: int = argument(_PATIENCE, _PATIENCE_DOC)
    delta: float = argument(
        Float(0, 1), "an improvement is a rise by more than this, as a fraction of the images", default=0.0
    )


@EARLY_STOPPINGS.register("loss")
@declared
class Loss(_Patient):
    """Stop when the loss on the held-out images no longer falls; see `accuracy`."""

    measure = "validation_loss"
    sign = -1
    patience: int = argument(_PATIENCE, _PATIENCE_DOC)
    delta: float = argument(Float(0), "an improvement is a fall by more than this", default=0.0)
