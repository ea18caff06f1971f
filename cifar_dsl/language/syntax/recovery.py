"""`parse_recovering`: the tree of a text with errors. `balancing` and `repairs` do the work; this builds the nodes."""

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.limits import Limits
from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.builder import LiteralError, RecoveringBuilder
from cifar_dsl.language.syntax.parser import check_depth, parse_spec
from cifar_dsl.language.syntax.recent import recent
from cifar_dsl.language.syntax.repairs import repaired
from cifar_dsl.language.syntax.tables import START_SPEC


@frozen
class Recovered:
    """The readable parts of a text that may have errors.

    `spec` is the tree of the readable parts, or None if there are none. A text without errors has the tree of
    `parse_spec`, no `errors` and nothing `skipped`. In the tree of any other text

    - a `nodes.Missing` marks a missing expression or stage: in `conv(32, pad=)`, `let x =`, `a -> `. Its span covers
      the space where it belongs, up to the next token or the end of the line;
    - an `Identifier` with the text "" marks a missing name (`let = 3`), a `SizeLiteral` or `ShapeClaim` without
      extents a missing size (`input`), a `Base` with the name "" a missing base (`extends` alone);
    - an unclosed call (`conv(32, `) is a `CallExpression` whose span ends with its line;
    - a body whose head can't be read belongs to a `Block` named "", a `Repeat` of `Missing` or a `Group` named "".

    To find out whether a node was written, look at `span.text`: it is blank for missing nodes.

    `errors` are those of `check`. `skipped` are the parts of the text that are in no node, in order.
    """

    spec: nodes.Spec | None
    errors: tuple[Diagnostic, ...] = ()
    skipped: tuple[Span, ...] = ()


def parse_recovering(source: Source) -> Recovered:
    """The tree of a text that may have errors. It is checked as far as possible without expanding it."""
    return _recovered_within(source, limits.current())


@recent  # an editor and the check that it asks for read the same text
def _recovered_within(source: Source, bounds: Limits) -> Recovered:
    del bounds
    try:
        return Recovered(parse_spec(source))
    except SpecError as error:
        errors = error.diagnostics
    reader = repaired(source, START_SPEC)
    skipped = sorted(reader.skipped, key=lambda span: span.start)
    spec: nodes.Spec | None = None
    try:
        if reader.tree is not None:
            spec = RecoveringBuilder(source).transform(reader.tree)
            spec = nodes.replace(spec, size=check_depth(spec))
    except (LiteralError, SpecError):  # too large
        spec = None
    return Recovered(spec, errors, tuple(skipped))
