"""A text with mistakes -> the tree of everything else."""

from lark.exceptions import VisitError

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import Diagnostic, SpecError
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.builder import RecoveringBuilder
from cifar_dsl.language.syntax.parser import check_depth, parse_spec
from cifar_dsl.language.syntax.repairs import RepairingReader
from cifar_dsl.language.syntax.tables import START_SPEC


@frozen
class Recovered:
    """What can be read of a text that may be wrong.

    `spec` is the tree of all that could be read; None only where nothing could. A text without mistakes has the tree of
    `parse_spec`, no `errors` and nothing `skipped`. In the tree of another text

    - `nodes.Missing` stands for an expression or stage that is not there: in `conv(32, pad=)`, `let x =`, `a -> `. Its
      span covers the space where it would be written, up to the next token or the end of the line;
    - an `Identifier` with the text "" stands for a name that is not there (`let = 3`), a `SizeLiteral` or `ShapeClaim`
      without extents for a size (`input`), a `Base` with the name "" for a base (`extends` alone);
    - a call that is not closed (`conv(32, `) is a `CallExpression` as ever, whose span reaches to the end of its line;
    - a body whose head can't be read belongs to a `Block` named "", a `Repeat` of `Missing` or a `Group` named "".

    Compare spans, not texts, to learn whether a node was written: of what is missing, `span.text` is blank.

    `errors` are those of `check`, at most 20. `skipped` are the stretches of text that are in no node, in their order.
    """

    spec: nodes.Spec | None
    errors: tuple[Diagnostic, ...] = ()
    skipped: tuple[Span, ...] = ()


def parse_recovering(source: Source) -> Recovered:
    """The tree of a text that may be wrong, for editors: to be looked up in and checked, never to be compiled."""
    try:
        return Recovered(parse_spec(source))
    except SpecError as error:
        errors = error.diagnostics
    reader = RepairingReader.of(source, START_SPEC)
    tree = reader.read()
    skipped = sorted(reader.skipped, key=lambda span: span.start)
    spec: nodes.Spec | None = None
    try:
        if tree is not None:
            spec = RecoveringBuilder(source).transform(tree)
            check_depth(spec)
    except (VisitError, SpecError):  # it is too large somewhere
        spec = None
    return Recovered(spec, errors, tuple(skipped))
