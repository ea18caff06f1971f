"""How torch executes an operation: in which precision, and in which memory. Only autograd needs to be known here."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.shape import Shape

INDEX_BYTES = 8
FLOAT_BYTES = 4
HALF_BYTES = 2


@frozen
class SavedTensors:
    """The tensors that autograd saves for an operation's backward pass, of one image.

    `inputs`, `output`: whether it saves what flows in and what flows out. A tensor that several operations save is
    there once. `numbers`: how many more numbers it saves, in the precision in which it computes. `fixed_bytes`: what
    it saves besides that no precision changes, such as indices (8 bytes) and statistics (4 bytes).
    """

    inputs: bool = False
    output: bool = False
    numbers: int = 0
    fixed_bytes: int = 0


NOTHING = SavedTensors()
INPUT = SavedTensors(inputs=True)
OUTPUT = SavedTensors(output=True)


@frozen
class Execution:
    """What an operation's class declares of its execution.

    Attributes:
        saves: What autograd saves as torch computes on a CPU, or a function of (operation, *inputs, output).
        views: Whether the output lies in the memory of the first input, or a function of (operation, *inputs).
        autocasts: Whether inputs are converted to half precision where the recipe's precision is bf16 or fp16.
        float32_on: Devices on which inputs are converted back to float32.
        output_dtype: The precision of the output: what it computes with, its input's, or float32.
        can_overwrite: Whether its module takes `inplace=True`.
        output_reusable: Whether its backward pass doesn't need its output, so that the next operation may overwrite it.
        passes_gradients: Whether the gradients of its inputs lie in the memory of the output's.
    """

    saves: SavedTensors | Callable[..., SavedTensors]
    views: bool | Callable[..., bool] = False
    autocasts: bool = False
    float32_on: frozenset[str] = frozenset()
    output_dtype: Literal["computed", "input", "float32"] = "computed"
    can_overwrite: bool = False
    output_reusable: bool = False
    passes_gradients: bool = False

    def saved_tensors(self, operation: Any, inputs: Sequence[Shape], output: Shape) -> SavedTensors:
        """What autograd saves for the backward pass of one image."""
        return self.saves if isinstance(self.saves, SavedTensors) else self.saves(operation, *inputs, output)

    def is_view(self, operation: Any, inputs: Sequence[Shape]) -> bool:
        """Whether the output lies in the memory of the first input."""
        return self.views if isinstance(self.views, bool) else self.views(operation, *inputs)
