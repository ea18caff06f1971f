"""How torch executes an operation: the precision that it computes in, and the memory that it uses and saves."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir.shape import Shape

INDEX_BYTES = 8
FLOAT_BYTES = 4
HALF_BYTES = 2


@frozen
class SavedTensors:
    """The tensors that autograd saves for an operation's backward pass, per image.

    Attributes:
        inputs: Whether it saves its inputs. A tensor that several operations save exists once.
        output: Whether it saves its output.
        is_factor: Whether it saves an input only if another one needs a gradient, as a product does.
        numbers: How many other numbers it saves in the precision that it computes in, such as a dropout mask.
        fixed_bytes: Bytes that it saves in any precision, such as indices (8 bytes each) and statistics (4 bytes each).
    """

    inputs: bool = False
    output: bool = False
    is_factor: bool = True
    numbers: int = 0
    fixed_bytes: int = 0


@frozen
class ComputedWeight:
    """How many numbers an operation computes from its weight, or 0.

    Attributes:
        used: What it uses in place of the weight.
        kept: What autograd saves, with `used`.
        rearranged: A copy of `used` in the memory layout of images, which each pass makes and frees.
        in_backward: What is live in the backward pass of the computation, beside what it saved.
        is_factor: Whether autograd saves `used` only if the input needs a gradient, as for a product.
    """

    used: int = 0
    kept: int = 0
    rearranged: int = 0
    in_backward: int = 0
    is_factor: bool = False


NOTHING = SavedTensors()
INPUT = SavedTensors(inputs=True)
OUTPUT = SavedTensors(output=True)


@frozen
class Execution:
    """The execution of an operation; each class declares its own.

    Attributes:
        saves: What autograd saves on a CPU, or a function of (operation, *input shapes, output shape) that returns it.
        saves_for_weights: The same where no input needs a gradient; None if that makes no difference.
        views: Whether the output is a view of the first input, or a function of (operation, *input shapes).
        expands: Whether the output is a weight, expanded over the batch without a copy.
        merges_tokens: Whether it merges tokens with the batch, which copies some of the tokens of each image.
        autocasts: Whether inputs are converted to half precision when the recipe's precision is bf16 or fp16, or a
            function of (operation).
        float32_on: Types of device on which half-precision inputs are converted to float32.
        output_dtype: The precision of the output: that of the computation, that of the input, or float32.
        can_overwrite: Whether its module accepts `inplace=True`.
        output_reusable: Whether its backward pass doesn't need its output, so that the next operation may overwrite it.
        passes_gradients: Whether the gradients of its inputs share the memory of the output's gradient.
    """

    saves: SavedTensors | Callable[..., SavedTensors]
    saves_for_weights: SavedTensors | Callable[..., SavedTensors] | None = None
    views: bool | Callable[..., bool] = False
    expands: bool = False
    merges_tokens: bool = False
    autocasts: bool | Callable[..., bool] = False
    float32_on: frozenset[str] = frozenset()
    output_dtype: Literal["computed", "input", "float32"] = "computed"
    can_overwrite: bool = False
    output_reusable: bool = False
    passes_gradients: bool = False

    def saved_tensors(
        self, operation: Any, inputs: Sequence[Shape], output: Shape, *, only_weights: bool = False
    ) -> SavedTensors:
        """The tensors that autograd saves, per image; `only_weights`: no input needs a gradient."""
        saves = self.saves_for_weights if only_weights and self.saves_for_weights is not None else self.saves
        return saves if isinstance(saves, SavedTensors) else saves(operation, *inputs, output)

    def is_autocast(self, operation: Any) -> bool:
        """Whether the operation's inputs are converted to half precision in a recipe with that precision."""
        return self.autocasts if isinstance(self.autocasts, bool) else self.autocasts(operation)

    def is_view(self, operation: Any, inputs: Sequence[Shape]) -> bool:
        """Whether the output is a view of the first input."""
        return self.views if isinstance(self.views, bool) else self.views(operation, *inputs)
