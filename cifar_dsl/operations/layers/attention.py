"""Patches, learned embeddings and self-attention: the layers of transformers."""

from math import prod
from typing import Self

from cifar_dsl.foundation.records import evolve
from cifar_dsl.ir import ComputedWeight, Execution, Lowering, Parameter, SavedTensors, Shape, Symbol, argument, declared
from cifar_dsl.ir.execution import FLOAT_BYTES, INPUT, NOTHING
from cifar_dsl.operations.argument_types import Bool, Choice, Float, Int, OneOf, Pair, Stage
from cifar_dsl.operations.layers.base import (
    BIAS_INIT,
    EMBEDDING_INIT,
    FILTER_INIT,
    FROZEN,
    FROZEN_DOC,
    JOINS,
    LAYERS,
    Branches,
    Join,
    JoinError,
    Layer,
    noun,
    require_image,
    require_tokens,
    weight_and_bias,
)
from cifar_dsl.operations.layers.divisible import check_divisible, check_tiles
from cifar_dsl.operations.layers.initializer import INITIALIZERS, Initializer, Normal, Standard
from cifar_dsl.operations.layers.weight import WEIGHT, WEIGHT_DOC, Unchanged, WeightFunction
from cifar_dsl.operations.registry import CallOf

_GROUP = "Tokens and attention"

_PATCH_INIT = CallOf(INITIALIZERS, tuple(name for name in FILTER_INIT.symbols() if name != "whitening"))
_MATRIX_INIT = CallOf(INITIALIZERS, tuple(name for name in _PATCH_INIT.symbols() if name != "dirac"))
_TOKEN_INIT = CallOf(INITIALIZERS, tuple(name for name in EMBEDDING_INIT.symbols() if name != "sine"))


@LAYERS.register("patches", _GROUP)
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
    weight: WeightFunction = argument(WEIGHT, WEIGHT_DOC, default=Unchanged())

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
            function=self.weight,
        )

    def computed_weight(self, x: Shape) -> ComputedWeight:
        size, has_pixels = self.features * x.channels * prod(self.size), prod(self.size) > 1
        return self.weight.computed(size, copies=has_pixels, rearranges=has_pixels)

    def macs(self, x: Shape, y: Shape) -> int:
        return y.elements * x.channels * prod(self.size)

    def lower(self, x: Shape) -> Lowering:
        return self.weight.lower_layer(
            "patches", "patches_of_weight", channels=x.channels, features=self.features, size=self.size, bias=self.bias
        )


@LAYERS.register("class_token", _GROUP)
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


@LAYERS.register("position_embedding", _GROUP)
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


_NONE = Symbol("identity")  # the stage that does nothing


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


@LAYERS.register("attention", _GROUP)
@declared
class Attention(Layer):
    """Multi-head self-attention: (T, D) -> (T, D); Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    `in_weight` projects each token to its query, key and value, `out_weight` the concatenated heads; their layout is
    that of https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html. Weights and biases start
    like those of dense layers, uniform up to 1 / sqrt(D). Torch starts `in_weight` like `init=xavier`, uniform up to
    1.22 / sqrt(D), and biases at 0.

    With `before`, `after`, `dim_head`, `qkv_bias`, `qk_norm` or `weight`, it is `attend` between two dense layers,
    `qkv.dense` and `dense`, with weights of the same layout; `show --expand` prints it.
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

    before: str = argument(
        Stage(),
        "block that runs on the scores (heads, T, T) before the softmax, such as `relative_bias`",
        default=_NONE,
    )
    after: str = argument(Stage(), "block that runs on the attention weights after the softmax", default=_NONE)
    dim_head: int | str = argument(
        OneOf((Choice(("share",)), Int(1))), "features of each head; `share`: D / heads", default="share"
    )
    qkv_bias: bool = argument(
        Bool(), "add the bias of the first projection, that of queries, keys and values", default=True
    )
    qk_norm: str = argument(
        Stage(), "block that runs on the queries and keys of each head, such as `layernorm`", default=_NONE
    )
    weight: WeightFunction = argument(WEIGHT, "function of both weights", default=Unchanged())

    @property
    def is_random(self) -> bool:
        return self.dropout > 0

    @property
    def is_one_layer(self) -> bool:
        """Whether it is one layer of the graph; otherwise, it's an `attend` between two projections."""
        blocks = (self.before, self.after, self.qk_norm)
        is_plain = self.dim_head == "share" and self.qkv_bias and self.weight.is_none
        return is_plain and all(one == _NONE for one in blocks)

    def without_blocks(self) -> Self:
        """The same without the blocks, which change no shape of the whole."""
        return self.changed(before=_NONE, after=_NONE, qk_norm=_NONE)

    def infer(self, x: Shape) -> Shape:
        _, features = require_tokens(self, x)
        if self.dim_head != "share":
            return x
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


def _attend_saves(attend: "Attend", *shapes: Shape) -> SavedTensors:
    queries, keys, values, _ = shapes
    if queries.channels != values.channels:  # products of matrices, in float32
        pairs = attend.heads * queries.extents[0] * keys.extents[0]
        numbers = pairs + queries.elements + keys.elements + values.elements
        return SavedTensors(fixed_bytes=FLOAT_BYTES * numbers)
    return SavedTensors(inputs=True, output=True, fixed_bytes=FLOAT_BYTES * attend.heads * queries.extents[0])


@JOINS.register("attend")
@declared
class Attend(Join):
    """Attention of queries (Tq, D) to keys (Tk, D) and values (Tk, Dv) -> (Tq, Dv): `attend(4) { q | k | v }`.

    Each head has its share of the features, with scores q k / sqrt(D / heads). `before` and `after` are blocks that run
    on the scores, an image (heads, Tq, Tk), before and after the softmax over the keys: `before=relative_bias` as in
    Swin, or a convolution of kernel 1 as in the talking heads of CaiT, https://arxiv.org/abs/2103.17239.
    """

    branches = Branches.named("queries", "keys", "values")
    family = "dense"
    execution = Execution(saves=_attend_saves, autocasts=True)

    heads: int = argument(Int(1), "number of heads; must divide D and Dv")
    before: str = argument(Stage(), "block that runs on the scores before the softmax", default=_NONE)
    after: str = argument(Stage(), "block that runs on the attention weights after the softmax", default=_NONE)
    scaled: bool = argument(Bool(), "divide the scores by sqrt(D / heads)", default=True)
    dropout: float = argument(
        Float(0, 1, open_high=True), "fraction of attention weights that are zeroed in training", default=0.0
    )

    @property
    def is_one_layer(self) -> bool:
        """Whether it is one layer of the graph; otherwise, it's two products with what is between them."""
        return self.before == self.after == _NONE and not self.dropout

    def without_blocks(self) -> Self:
        """The same without the blocks, which change no shape of the whole."""
        return self.changed(before=_NONE, after=_NONE)

    def infer(self, *branches: Shape) -> Shape:
        for place, branch in enumerate(branches):
            if not branch.is_tokens:
                message = f"attend works on tokens, but its {self.branches.names[place]} are {noun(branch)}"
                help_text = "end the branch with `tokens`" if branch.is_image else "keep the tokens in each branch"
                raise JoinError(message, place, place, help=(help_text,))
        queries, keys, values = branches
        if queries.channels != keys.channels:
            help_text = f"end both with projections of one size, such as `dense({queries.channels})`"
            raise JoinError("queries and keys need the same number of features", 0, 1, help=(help_text,))
        if keys.extents[0] != values.extents[0]:
            help_text = "make keys and values of the same tokens"
            raise JoinError("each key needs a value", 1, 2, help=(help_text,))
        for branch in (queries, values):
            check_divisible(branch.channels, "features", self.heads, "heads")
        return Shape((queries.extents[0], values.channels))

    def macs(self, *shapes: Shape) -> int:
        queries, keys, values, _ = shapes
        return queries.extents[0] * keys.extents[0] * (queries.channels + values.channels)

    def lower(self, *branches: Shape) -> Lowering:
        return Lowering.to("attend", heads=self.heads, scaled=self.scaled)
