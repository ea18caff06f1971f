"""Checks that what is exported computes what the network computes."""

import ast
import math
from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.ir import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCHES = (7, 1)  # images; a file is made with another number, so that one that is built into it is found
_TRACED = 2
_STATISTICS = 4  # batches that the statistics of batch norms see
_BATCH = 8
_SPREAD = 0.05  # of weights that all start at 0
_MODULES = frozenset({"fnmatch", "functools", "math", "torch", "torch.nn", "typing"})  # that a printed file imports
_BUILTINS = frozenset({"compile", "delattr", "eval", "exec", "getattr", "globals", "locals", "open", "setattr", "vars"})
REPORT = "please report it, with the spec: this is a bug of the export"
_RELATIVE = 1e-5  # by which scores may differ, of the largest one


@frozen
class Comparison:
    """The largest difference of the scores of two networks, and the largest score."""

    difference: float
    largest: float

    @property
    def relative(self) -> float:
        """The difference as a share of the largest score."""
        return self.difference / self.largest if self.largest else math.inf

    def __str__(self) -> str:
        sizes = " and ".join(map(str, BATCHES))
        if not self.difference:
            return f"equal scores, bit for bit, for batches of {sizes} images"
        return f"scores differ by at most {self.difference:.1e} of {self.largest:.3g}, for batches of {sizes} images"


def example(image: Shape, count: int = _TRACED, seed: int = 0) -> "Tensor":
    """Images of random pixels, uint8: (count, C, H, W)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *image.extents), generator=generator, dtype=torch.uint8)


def normalized(pixels: "Tensor") -> "Tensor":
    """Pixels as floats with about mean 0 and variance 1."""
    return (pixels.float() - 127.5) / 73.9


def fill_with_statistics(module: "nn.Module", image: Shape, images: int = _BATCH) -> None:
    """Give an untrained network weights and statistics with which errors show in its scores.

    Fresh batch norms and weights of 0, such as those of a head that starts at 0, would hide them. `images` is the
    number of images of a batch.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    norms: list[Any] = [inner for inner in module.modules() if getattr(inner, "running_mean", None) is not None]
    momenta = [norm.momentum for norm in norms]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for weight in module.parameters():
            if not weight.any():
                weight.normal_(0, _SPREAD, generator=generator)
        for norm in norms:
            norm.momentum = 0.5
        module.train()
        for number in range(_STATISTICS):
            module(normalized(example(image, images, seed=1 + number)))
        module.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def compare(
    ours: "Callable[[Tensor], Tensor]", theirs: "Callable[[Tensor], Any]", inputs: "list[Tensor]"
) -> Comparison:
    """The difference of two networks on some batches."""
    import torch

    difference = largest = 0.0
    with torch.no_grad():
        for batch in inputs:
            wanted, found = ours(batch), torch.as_tensor(theirs(batch))
            if wanted.shape != found.shape:
                return Comparison(math.inf, 1.0)
            both = (wanted.double() - found.double()).abs()
            difference = max(difference, float(both.max()) if bool(both.isfinite().all()) else math.inf)
            largest = max(largest, float(wanted.abs().max()))
    return Comparison(difference, largest)


def require_equal(comparison: Comparison, what: str) -> None:
    """Raise UserError unless two networks gave the same scores."""
    require_close(comparison, 0.0, what)


def require_close(comparison: Comparison, tolerance: float, what: str, *, is_informative: bool = True) -> None:
    """Raise UserError unless two networks gave scores that differ by at most `tolerance`.

    Scores of 0 are an error if the comparison `is_informative`, since they prove nothing.
    """
    if comparison.difference <= tolerance and (comparison.largest or not is_informative):
        return
    raise UserError(
        f"{what} doesn't compute what the network computes: scores differ by up to {comparison.difference:.3g}, "
        f"the largest score is {comparison.largest:.3g}; nothing was written",
        REPORT,
    )


def rounding_error(module: "nn.Module", inputs: "list[Tensor]") -> float:
    """The largest error of the network's scores against those computed in float64."""
    import copy

    exact = copy.deepcopy(module).double()
    return compare(
        module, lambda batch: exact(batch.double() if batch.is_floating_point() else batch), inputs
    ).difference


def tolerance_of(module: "nn.Module", comparison: Comparison, inputs: "list[Tensor]") -> float:
    """By how much scores of another implementation may differ, which adds numbers in another order."""
    share = _RELATIVE * comparison.largest
    return share if comparison.difference <= share else max(share, 2 * rounding_error(module, inputs))


def check_source(text: str, module: "nn.Module", image: Shape) -> Comparison:
    """Run the text of a printed file, give its network the weights of `module`, and compare both.

    Raises UserError if the keys or shapes of `state_dict` or the scores differ, or the printed network can't be run.
    """
    printed = network_of(text)
    ours, theirs = _described(module), _described(printed)
    if ours != theirs:
        wrong = next(pair for pair in zip_longest(ours, theirs, fillvalue="none") if pair[0] != pair[1])
        raise UserError(f"the printed network has other weights: {wrong[1]} in place of {wrong[0]}", REPORT)
    printed.load_state_dict(module.state_dict())
    inputs = [normalized(example(image, count)) for count in BATCHES]
    try:
        comparison = compare(module, printed.eval(), inputs)
    except (RuntimeError, TypeError) as error:
        raise UserError("the printed network can't be run", REPORT, reason=str(error).partition("\n")[0]) from error
    require_equal(comparison, "the printed network")
    return comparison


def _described(module: "nn.Module") -> list[str]:
    """The keys of a `state_dict`, in order, with shapes."""
    return [f"{key} {'x'.join(map(str, tensor.shape)) or '(a number)'}" for key, tensor in module.state_dict().items()]


def network_of(text: str) -> "nn.Module":
    """The network of a printed file: the last class in it.

    Raises UserError if the text could do anything but make a network: the spec may be a stranger's.
    """
    tree = ast.parse(text)
    _require_harmless(tree)
    names: dict[str, Any] = {"__name__": "printed_network"}
    exec(compile(tree, "<printed network>", "exec"), names)  # noqa: S102  # what the printer has written
    *_, last = (node.name for node in tree.body if isinstance(node, ast.ClassDef))
    network: nn.Module = names[last]()
    return network


def _require_harmless(tree: ast.Module) -> None:
    """Raise UserError unless a file only defines classes and functions that use torch."""
    for statement in tree.body:
        is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_docstring and not isinstance(statement, ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef):
            raise _harmful(ast.unparse(statement))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            if not _MODULES.issuperset(modules):
                raise _harmful(ast.unparse(node))
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in _BUILTINS or (name.startswith("__") and name != "__init__"):
            raise _harmful(name)


def _harmful(what: str) -> UserError:
    return UserError(
        f"the printed file has `{what}`, so it isn't run, and wasn't checked", "please report it, with the spec"
    )
