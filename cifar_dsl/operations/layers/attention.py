"""Patches, learned embeddings and self-attention: the layers of transformers."""

from math import prod

from attrs import evolve

from cifar_dsl.ir import Execution, Lowering, Parameter, SavedTensors, Shape, argument, declared
from cifar_dsl.ir.execution import FLOAT_BYTES, INPUT, NOTHING
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int, Pair
from cifar_dsl.operations.layers.base import (
    BIAS_INIT,
    EMBEDDING_INIT,
    FILTER_INIT,
    FROZEN,
    FROZEN_DOC,
    LAYERS,
    Layer,
    require_image,
    require_tokens,
    weight_and_bias,
)
from cifar_dsl.operations.layers.divisible import check_divisible, check_tiles
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Normal, Standard
from cifar_dsl.operations.registry import CallOf

_PATCH_INIT = CallOf(INITIALIZERS, tuple(name for name in FILTER_INIT.symbols() if name != "whitening"))
_MATRIX_INIT = CallOf(INITIALIZERS, tuple(name for name in _PATCH_INIT.symbols() if name != "dirac"))
_TOKEN_INIT = CallOf(INITIALIZERS, tuple(name for name in EMBEDDING_INIT.symbols() if name != "sine"))


@LAYERS.register("patches")
@declared
class Patches(Layer):
    """Project each patch of an image to a token, row by row: (C, H, W) -> (H * W / size^2, features).

    Patches don't overlap; Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929.
    """

    family = "dense"
    execution = Execution(saves=INPUT, autocasts=True)

    features: int = argument(Int(1), "features of each token")
    size: tuple[int, int] = argument(Pair(1), "height and width of a patch")
    bias: bool = argument(Bool(), "add a learned bias", default=True)
    init: Initializer = argument(_PATCH_INIT, "initialiser of the weight", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of the bias", default=Standard())
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    def infer(self, x: Shape) -> Shape:
        _, height, width = require_image(self, x)
        check_tiles(self, x, self.size, "size")
        return Shape((height // self.size[0] * (width // self.size[1]), self.features))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return weight_and_bias(
            self,
            (self.features, x.channels, *self.size),
            (self.features,) if self.bias else None,
            kind="filter",
            init=self.init,
            bias_init=self.bias_init,
            frozen=self.frozen,
        )

    def macs(self, x: Shape, y: Shape) -> int:
        return y.elements * x.channels * prod(self.size)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("patches", channels=x.channels, features=self.features, size=self.size, bias=self.bias)


@LAYERS.register("class_token")
@declared
class ClassToken(Layer):
    """Prepend a learned token, the same for all images: (T, D) -> (1 + T, D).

    After attention, `token(0)` selects it for classification; Dosovitskiy et al. 2020,
    https://arxiv.org/abs/2010.11929.
    """

    family = "dense"
    execution = Execution(saves=NOTHING, output_dtype="float32")

    init: Initializer = argument(_TOKEN_INIT, "initialiser of the token", default=Normal())

    def infer(self, x: Shape) -> Shape:
        tokens, features = require_tokens(self, x)
        return Shape((1 + tokens, features))

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        shape = (x.channels,)
        return (Parameter("weight", shape, self.init.fill(shape), "embedding"),)

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("class_token", features=x.channels)


@LAYERS.register("position_embedding")
@declared
class PositionEmbedding(Layer):
    """Add an embedding for each position: (T, D) -> (T, D); learned, Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929.

    `position_embedding(init=sine, frozen=weight)` has fixed positions instead, in one dimension as in Transformers, or
    with `init=sine(grid=square)` in two.
    """

    family = "dense"
    execution = Execution(saves=NOTHING, output_dtype="float32")

    init: Initializer = argument(EMBEDDING_INIT, "initialiser of the embeddings", default=Normal())
    frozen: str = argument(Choice(("none", "weight")), FROZEN_DOC, default="none")

    def infer(self, x: Shape) -> Shape:
        require_tokens(self, x)
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (Parameter("weight", x.extents, self.init.fill(x.extents), "embedding", self.frozen == "weight"),)

    def lower(self, x: Shape) -> Lowering:
        tokens, features = x.extents
        return Lowering.to("position_embedding", tokens=tokens, features=features)


def _attention_saves(attention: "Attention", x: Shape, y: Shape) -> SavedTensors:
    tokens, _ = x.extents
    pairs = attention.heads * tokens * tokens
    is_trained = attention.frozen not in {"weight", "all"}
    if attention.dropout:
        # In float32: scaled queries, scaled keys and values; attention weights, dropout mask, and their product.
        # Also the outputs of the heads, for the gradient of the output projection.
        return SavedTensors(
            inputs=is_trained,
            numbers=x.elements if is_trained else 0,
            fixed_bytes=FLOAT_BYTES * 3 * (x.elements + pairs),
        )
    # Queries, keys, values and the outputs of the heads; and the logsumexp of each softmax.
    return SavedTensors(inputs=is_trained, numbers=4 * x.elements, fixed_bytes=FLOAT_BYTES * attention.heads * tokens)


@LAYERS.register("attention")
@declared
class Attention(Layer):
    """Multi-head self-attention: (T, D) -> (T, D); Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    `in_weight` projects each token to its query, key and value, `out_weight` the concatenated heads; their layout is
    that of https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html. Weights and biases start
    like those of dense layers, uniform up to 1 / sqrt(D). Torch starts `in_weight` like `init=xavier`, uniform up to
    1.22 / sqrt(D), and biases at 0.
    """

    family = "dense"
    execution = Execution(saves=_attention_saves, autocasts=True)

    heads: int = argument(Int(1), "number of heads; must divide D")
    bias: bool = argument(Bool(), "add a learned bias to each projection", default=True)
    init: Initializer = argument(_MATRIX_INIT, "initialiser of both weights", default=Standard())
    bias_init: Initializer = argument(BIAS_INIT, "initialiser of both biases", default=Standard())
    dropout: float = argument(
        Float(0, 1, open_high=True), "fraction of attention weights that are zeroed in training", default=0.0
    )
    frozen: str = argument(FROZEN, FROZEN_DOC, default="none")

    @property
    def is_random(self) -> bool:
        return self.dropout > 0

    def infer(self, x: Shape) -> Shape:
        _, features = require_tokens(self, x)
        check_divisible(features, "features", self.heads, "heads")
        return x

    def parameters(self, x: Shape) -> tuple[Parameter, ...]:
        return (*self._projection("in", 3 * x.channels, x.channels), *self._projection("out", x.channels, x.channels))

    def macs(self, x: Shape, y: Shape) -> int:
        tokens, features = x.extents
        projections = 4 * tokens * features * features
        products = 2 * tokens * tokens * features  # queries with keys, and attention weights with values
        return projections + products

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("attention", features=x.channels, heads=self.heads, bias=self.bias, dropout=self.dropout)

    def _projection(self, name: str, outputs: int, inputs: int) -> tuple[Parameter, ...]:
        tensors = weight_and_bias(
            self,
            (outputs, inputs),
            (outputs,) if self.bias else None,
            kind="matrix",
            init=self.init,
            bias_init=self.bias_init,
            frozen=self.frozen,
        )
        return tuple(evolve(tensor, name=f"{name}_{tensor.name}") for tensor in tensors)
