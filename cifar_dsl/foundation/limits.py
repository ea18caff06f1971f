"""How large a spec and what it stands for may be; every bound is checked before anything is allocated.

The command line may raise some of them (`--limit`): whoever uses one of those asks this module for it when it is
needed, as in `limits.LAYERS`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

FILE_BYTES = 64 * 1024
INCLUDED_BYTES = 256 * 1024
EXTENDS_DEPTH = 8
TOKEN_CHARACTERS = 1024
IDENTIFIER_CHARACTERS = 64
NESTING = 64
INTEGER_MAGNITUDE = 10**12
LAYERS = 10_000
STEPS = 200_000  # stages and loop rounds that an expansion may take, layers or not
EVALUATIONS = 1_000_000  # parts of expressions that are worked out, those of every round of a loop
LIST_ITEMS = 10_000
BLOCK_DEPTH = 64
BODY_DEPTH = 100  # of bodies in each other, through block calls too
PARAM_DEPTH = 64  # of params that use each other
PARAMETERS = 2_000_000_000
UNASKED_PARAMETERS = 100_000_000  # of a network that is trained without a question
TENSOR = 100_000_000  # numbers in one tensor, for one image
GROUPS = 64  # of parameters in a recipe
SELECTED = 64  # kinds and patterns that a group selects
CHANGES = 32  # augmentations of a recipe
MIXTURES = 2  # of them those that mix images: each doubles the work
VIEWS = 4  # stages of `test_augment`: each doubles or triples the work
AVERAGES = 4
DIAGNOSTICS = 20

# The others keep this program from calling itself too deep, or bound what nobody needs more of.
RAISABLE = (
    "FILE_BYTES",
    "INCLUDED_BYTES",
    "LAYERS",
    "STEPS",
    "EVALUATIONS",
    "LIST_ITEMS",
    "PARAMETERS",
    "UNASKED_PARAMETERS",
    "TENSOR",
)
DEFAULTS: Mapping[str, int] = {
    name: value for name, value in globals().items() if name.isupper() and name != "RAISABLE"
}


def raised() -> dict[str, int]:
    """The limits that are raised now."""
    return {name: globals()[name] for name in RAISABLE if globals()[name] != DEFAULTS[name]}


@contextmanager
def raising(figures: Mapping[str, int]) -> Iterator[None]:
    """While these are the limits of the whole process."""
    before = {name: globals()[name] for name in figures}
    globals().update(figures)
    try:
        yield
    finally:
        globals().update(before)


def remedy(name: str) -> str:
    """What to do where a limit is passed on purpose."""
    return f"if that is meant, raise the limit: `cifar-dsl --limit {name}=... COMMAND`"
