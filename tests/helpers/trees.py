"""Hypothesis strategies for syntax trees: anything that the grammar allows, sensible or not."""

from hypothesis import strategies as st

from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import KEYWORDS, nodes

NOWHERE = Span(Source("nowhere", ""), 0, 0)

_words = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda word: word not in KEYWORDS)
identifiers = _words.map(lambda word: nodes.Identifier(word, NOWHERE))
_sizes = st.lists(st.integers(0, 99), min_size=2, max_size=3).map(lambda e: nodes.SizeLiteral(tuple(e), NOWHERE))
_integers = st.integers(0, 10**6)
_fractions = st.floats(0, 1e6, allow_subnormal=False).map(abs)
_leaves = st.one_of(
    (_integers | _fractions).map(lambda value: nodes.Number(value, repr(value), NOWHERE)),
    _sizes,
    st.text("ab/. #", max_size=4).map(lambda text: nodes.String(text, NOWHERE)),
    st.booleans().map(lambda value: nodes.Truth(value, NOWHERE)),
    _words.map(lambda word: nodes.Name(word, NOWHERE)),
)


@st.composite
def _operations(draw: st.DrawFn, inner: st.SearchStrategy[nodes.Expression]) -> nodes.Operation:
    operators: list[str] = draw(
        st.one_of(
            *(
                st.lists(st.sampled_from(level), min_size=1, max_size=3)
                for level in (["or"], ["and"], ["+", "-"], ["*", "/", "//", "%"])
            ),
            st.sampled_from(["==", "!=", "<", "<=", ">", ">="]).map(lambda sign: [sign]),
        )
    )
    operands = draw(st.lists(inner, min_size=len(operators) + 1, max_size=len(operators) + 1))
    return nodes.Operation(tuple(operands), tuple(operators), NOWHERE)


def _pattern_calls(inner: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.Expression]:
    axes = st.builds(nodes.Axes, st.lists(inner, min_size=1, max_size=3).map(tuple), st.just(NOWHERE))
    extents = st.lists(st.builds(nodes.Argument, identifiers, inner, st.just(NOWHERE)), max_size=2).map(tuple)
    inputs = st.lists(axes, min_size=1, max_size=2).map(tuple)
    patterns = st.builds(nodes.Pattern, inputs, axes, st.just(NOWHERE))
    return st.builds(nodes.PatternCall, identifiers, extents, st.just(NOWHERE), axes=patterns)


def _composed(inner: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.Expression]:
    some = st.lists(inner, max_size=3).map(tuple)
    arguments = st.lists(st.builds(nodes.Argument, st.none() | identifiers, inner, st.just(NOWHERE)), max_size=3).map(
        tuple
    )
    ends = st.none() | inner
    slices = st.builds(nodes.Slice, ends, ends, ends, st.just(NOWHERE))
    places = st.lists(inner | slices, min_size=2, max_size=3).map(tuple)
    subscripts = inner | slices | st.builds(nodes.Places, places, st.just(NOWHERE))
    return st.one_of(
        st.builds(nodes.CallExpression, identifiers, arguments, st.just(NOWHERE)),
        _pattern_calls(inner),
        some.map(lambda items: nodes.Sequence(items, is_tuple=len(items) > 1, span=NOWHERE)),
        st.builds(nodes.Prefixed, st.sampled_from(["-", "not"]), st.integers(1, 3), inner, st.just(NOWHERE)),
        _operations(inner),
        st.builds(
            nodes.Conditional,
            st.lists(st.tuples(inner, inner), min_size=1, max_size=2).map(tuple),
            inner,
            st.just(NOWHERE),
        ),
        st.builds(nodes.Index, inner, st.lists(subscripts, min_size=1, max_size=2).map(tuple), st.just(NOWHERE)),
    )


expressions = st.recursive(_leaves, _composed, max_leaves=6)


_heads = expressions.filter(lambda one: isinstance(one, nodes.Name | nodes.CallExpression))


def _chains(kinds: st.SearchStrategy[object]) -> st.SearchStrategy[nodes.Chain]:
    claims = st.lists(st.integers(1, 99), min_size=1, max_size=3).map(lambda e: nodes.ShapeClaim(tuple(e), NOWHERE))
    elements = st.builds(nodes.Element, kinds, st.none() | identifiers, st.none() | claims, st.just(NOWHERE))
    return st.builds(nodes.Chain, st.lists(elements, min_size=1, max_size=3).map(tuple), st.just(NOWHERE))


def _bodies(kinds: st.SearchStrategy[object], least: int = 0) -> st.SearchStrategy[nodes.Body]:
    targets = st.lists(identifiers, min_size=1, max_size=3).map(tuple)
    lets = st.builds(nodes.Let, targets, _chains(kinds), st.just(NOWHERE))
    assignments = st.builds(nodes.Assignment, targets, _chains(kinds), st.just(NOWHERE))
    stages = st.lists(lets | assignments | _chains(kinds), min_size=least, max_size=3).map(tuple)
    return st.builds(nodes.Body, stages, st.just(NOWHERE))


def _compounds(kinds: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    body = _bodies(kinds)
    arms = st.lists(st.tuples(expressions, body), min_size=1, max_size=2).map(tuple)
    branches = st.lists(_bodies(kinds, least=1), min_size=1, max_size=3).map(tuple)
    targets = st.lists(identifiers, min_size=1, max_size=3).map(tuple)
    loops = st.builds(nodes.For, targets, expressions, st.none() | expressions, body, st.just(NOWHERE))
    return st.one_of(
        st.builds(nodes.Branched, _heads, branches | loops, st.just(NOWHERE)),
        loops,
        st.builds(nodes.Repeat, expressions, body, st.just(NOWHERE)),
        st.builds(nodes.If, arms, st.none() | body, st.just(NOWHERE)),
    )


_kinds = st.recursive(expressions, lambda kinds: _compounds(kinds) | expressions, max_leaves=4)
_types = st.lists(identifiers | st.just(nodes.Identifier("block", NOWHERE)), max_size=3).map(tuple)
_parameters = st.builds(nodes.BlockParameter, identifiers, _types, st.none() | expressions, st.just(NOWHERE))
_settings = st.builds(
    nodes.Setting,
    st.lists(identifiers, min_size=1, max_size=2).map(tuple),
    # A setting's value follows its name without a sign, so one that begins with a bracket would be its arguments.
    _chains(_words.map(lambda word: nodes.Name(word, NOWHERE))),
    st.just(NOWHERE),
)
_groups = st.builds(nodes.Group, identifiers, st.lists(_settings, max_size=2).map(tuple), st.just(NOWHERE))
_items = st.one_of(
    st.builds(nodes.Input, _sizes, st.just(NOWHERE)),
    st.builds(nodes.Param, identifiers, expressions, st.just(NOWHERE)),
    st.builds(
        nodes.Block, identifiers, st.lists(_parameters, max_size=3).map(tuple), _bodies(_kinds), st.just(NOWHERE)
    ),
    st.builds(nodes.Model, _bodies(_kinds), st.just(NOWHERE)),
    st.builds(nodes.Train, st.lists(_settings | _groups, max_size=3).map(tuple), st.just(NOWHERE)),
    st.builds(nodes.Assertion, expressions, st.just(NOWHERE)),
)
_bases = st.one_of(
    st.none(),
    _words.map(lambda word: nodes.Base(word, is_file=False, span=NOWHERE)),
    st.text("ab/.", max_size=6).map(lambda name: nodes.Base(name, is_file=True, span=NOWHERE)),
)


def specs() -> st.SearchStrategy[nodes.Spec]:
    """Whole files."""
    specs = st.builds(nodes.Header, identifiers, _bases, st.just(False), st.just(NOWHERE))
    libraries = st.builds(nodes.Header, identifiers, st.none(), st.just(True), st.just(NOWHERE))
    headers = specs | libraries
    return st.builds(nodes.Spec, headers, st.lists(_items, max_size=3).map(tuple), st.just(NOWHERE))
