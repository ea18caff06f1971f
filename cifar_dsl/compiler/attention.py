"""The long forms of `attend` and `attention`, in the language itself.

`attend` with blocks on its scores, or in a shifted window, is two products with what runs on the scores between them;
`attention` with other arguments than those of one layer is an `attend` between two projections.
"""

from functools import cache

from cifar_dsl.compiler.names import Names, resolve_library
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Reporter
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, parse_spec

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

block attention(heads, inner, before, after, qk_norm, bias, qkv_bias, dropout_share, start, bias_start, unchanged) {
    let d = in_channels
    let qkv = dense(3 * inner, bias=bias and qkv_bias, init=start, bias_init=bias_start, frozen=unchanged)
    attend(heads, before=before, after=after, dropout=dropout_share) {
        qkv[:inner]
        if qk_norm != identity { each(t, heads * e -> t, e) { qk_norm } }
      | qkv[inner:2 * inner]
        if qk_norm != identity { each(t, heads * e -> t, e) { qk_norm } }
      | qkv[2 * inner:]
    }
    dense(d, bias=bias, init=start, bias_init=bias_start, frozen=unchanged)
}
"""


@frozen
class LongForms:
    """The blocks by name, and the names in their texts."""

    blocks: dict[str, nodes.Block]
    names: Names


@cache
def long_forms() -> LongForms:
    """The long forms, read on their first use."""
    spec = parse_spec(Source("attention.arch", _TEXT, is_library=True))
    blocks = {item.name.text: item for item in spec.items if isinstance(item, nodes.Block)}
    reporter = Reporter()
    names = resolve_library(blocks, {}, reporter)
    reporter.raise_if_any()
    return LongForms(blocks, names)
