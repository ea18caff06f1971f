"""The long forms of `attend` and `attention`, in the language itself.

`attend` with blocks on its scores, or in a shifted window, is two products with what runs on the scores between them;
`attention` with other arguments than those of one layer is an `attend` between two projections.

They are text, since they call blocks that a spec passes: what such a block may contain, how its stages are named, and
where its errors are shown then follow from the expansion of any call.
"""

from collections.abc import Sequence
from functools import cache

from cifar_dsl.compiler.draft import Region
from cifar_dsl.compiler.invocation import Invocation
from cifar_dsl.compiler.names import Names, resolve_library
from cifar_dsl.compiler.values import Bound, Flow, Tensor, Unknown
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Symbol
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_spec
from cifar_dsl.operations.layers.attention import Attend, Attention
from cifar_dsl.operations.layers.parts import WindowMask

_TEXT = """library long_forms

block attend(queries, keys, values, heads, factor, before, after, dropout_share, image, size, shift) {
    einsum(t, heads * e | s, heads * e -> heads, t, s) { queries | keys }
    if factor != 1 { scale(factor) }
    if before != identity { before as before }
    if len(image) > 0 { window_mask(image, size, shift) }
    softmax(columns)
    if after != identity { after as after }
    if dropout_share > 0 { dropout(dropout_share) }
    einsum(heads, t, s | s, heads * e -> t, heads * e) { identity | values }
}

block attention(heads, inner, before, after, qk_norm, bias, qkv_bias, dropout_share, start, bias_start, fixed, used) {
    let d = in_channels
    let qkv = dense(3 * inner, bias=bias and qkv_bias, init=start, bias_init=bias_start, frozen=fixed, weight=used)
    attend(heads, before=before, after=after, dropout=dropout_share) {
        qkv[:inner]
        if qk_norm != identity { each(t, heads * e -> t, e) { qk_norm } }
      | qkv[inner:2 * inner]
        if qk_norm != identity { each(t, heads * e -> t, e) { qk_norm } }
      | qkv[2 * inner:]
    }
    dense(d, bias=bias, init=start, bias_init=bias_start, frozen=fixed, weight=used)
}
"""
_SOURCE = Source("attention.arch", _TEXT, is_library=True)


@frozen
class LongForms:
    """The blocks by name, and the names in their texts."""

    blocks: dict[str, nodes.Block]
    names: Names


@cache
def long_forms() -> LongForms:
    """The long forms, read on their first use."""
    spec = parse_spec(_SOURCE)
    blocks = {item.name.text: item for item in spec.items if isinstance(item, nodes.Block)}
    reporter = Reporter()
    names = resolve_library(blocks, {}, reporter)
    reporter.raise_if_any()
    return LongForms(blocks, names)


def values_of_attention(attention: Attention, channels: int) -> dict[str, Bound | Unknown]:
    """The values of the parameters of the long form of `attention`, for tokens with this number of features."""
    inner = channels if isinstance(attention.dim_head, str) else attention.heads * attention.dim_head
    return {
        "heads": attention.heads,
        "inner": inner,
        "before": attention.before,
        "after": attention.after,
        "qk_norm": attention.qk_norm,
        "bias": attention.bias,
        "qkv_bias": attention.qkv_bias,
        "dropout_share": attention.dropout,
        "start": attention.init,
        "bias_start": attention.bias_init,
        "fixed": Symbol(attention.frozen),
        "used": attention.weight,
    }


def values_of_attend(attend: Attend, inputs: Sequence[Tensor], region: Region) -> dict[str, Bound | Unknown]:
    """The values of the parameters of the long form of `attend`, for queries, keys and values in a region."""
    queries, keys, values = inputs
    assert queries.shape is not None
    windows, image = region.windows, region.image
    is_masked = not region.is_neighbourly
    return {
        "queries": queries,
        "keys": keys,
        "values": values,
        "heads": attend.heads,
        "factor": (queries.shape.channels / attend.heads) ** -0.5 if attend.scaled else 1,
        "before": attend.before,
        "after": attend.after,
        "dropout_share": attend.dropout,
        "image": image.extents[1:] if is_masked and image else (),
        "size": windows.size if windows else (),
        "shift": windows.shift if windows else (),
    }


def check_block(call: Invocation, x: Flow, y: Flow, reporter: Reporter) -> None:
    """Report a block on scores, queries or keys, called in a long form, that changes their shape.

    A block before the softmax may change the number of heads. Raises EvaluationFailed.
    """
    name = call.callee
    if call.callee_span.source is not _SOURCE or name not in {"before", "after", "qk_norm"}:
        return
    if not (isinstance(x, Tensor) and isinstance(y, Tensor) and x.shape and y.shape):
        return
    given, extents = y.shape.extents, x.shape.extents
    is_kept = given[1:] == extents[1:] and len(given) == len(extents) if name == "before" else given == extents
    if not is_kept:
        whose, kept = "the scores", "heads x queries x keys"
        if name == "qk_norm":
            whose, kept = "the queries and keys of a head", "tokens x features"
        message = f"`{name}` gives {y.shape}, and not the {x.shape} of {whose}"
        raise reporter.error("E0306", message, call.span, help=f"pass a block that keeps {kept}")


def check_mask(mask: WindowMask, region: Region, call: Invocation, reporter: Reporter) -> None:
    """Report a mask of other windows than those around it: which window a score is of follows from them."""
    image = region.image.extents[1:] if region.image else ()
    found = region.windows
    if found is None or (image, found.size, found.shift) != (mask.image, mask.size, mask.shift):
        raise reporter.error(
            "E0306",
            "window_mask works in the body of `windows` with the same size and shift, and its image",
            call.span,
            help="use `attend` or `attention`, which need no mask",
        )
