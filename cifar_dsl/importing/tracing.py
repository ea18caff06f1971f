"""A module as the operations of ATen that it runs, in order: the front end of the importer."""

import contextlib
import io
import logging
import operator
import os
import re
import traceback
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.resources import source_root
from cifar_dsl.importing.network import Place, unsupported
from cifar_dsl.ir import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 5  # images of the trace; few extents of networks are a multiple of it
_WITHOUT_GRADIENTS = "wrap_with_set_grad_enabled"  # the call of what stands in `with torch.no_grad():`
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@frozen
class Ref:
    """A value of the trace: what the call with this name makes."""

    name: str


@frozen
class Stored:
    """A tensor of the module, by its name in `state_dict`."""

    key: str
    shape: tuple[int, ...]


@frozen(eq=False)
class Known:
    """A tensor whose numbers are fixed: they depend on neither images nor parameters."""

    tensor: "Tensor"


@frozen
class Constant:
    """A tensor that is neither a parameter nor a buffer; its numbers are computed while the module runs."""

    shape: tuple[int, ...]


@frozen
class AtenCall:
    """One operation of ATen.

    Attributes:
        name: The name of the value that it makes.
        op: Its name without overload, and without the underscore of those that change their input.
        in_place: Whether it changes its first input.
        arguments: All its arguments by name, defaults included.
        changed: The names of those that differ from their default.
        shape: The shape of its output; that of each output, if there are several; None if it is no tensor.
        place: Where in the module it stands.
        function: What computes it: an operation of torch, or a function of Python.
    """

    name: str
    op: str
    in_place: bool
    arguments: dict[str, Any]
    changed: frozenset[str]
    shape: Any
    place: Place
    function: Any = field(eq=False)  # of torch


@frozen
class Trace:
    """The calls of a module, the name of its input, and its output; `stored` are the keys of its `state_dict`."""

    input: Ref
    calls: tuple[AtenCall, ...]
    output: Any
    stored: tuple[str, ...]
    in_training: bool


def trace(module: "nn.Module", image: Shape) -> Trace:
    """Trace a module for images of this shape.

    In training mode, so that layers that do nothing in evaluation are seen; in evaluation mode, if its output isn't one
    tensor in training, as with auxiliary heads. Raises UserError if torch can't trace it.
    """
    try:
        found = _trace(module.train(), image, in_training=True)
    except UserError:
        return _trace(module.eval(), image, in_training=False)
    return found if isinstance(found.output, Ref) else _trace(module.eval(), image, in_training=False)


def _trace(module: "nn.Module", image: Shape, *, in_training: bool) -> Trace:
    import torch

    example = torch.zeros(BATCH, *image.extents)
    try:
        with quiet():
            program = torch.export.export(module, (example,))
    except Exception as error:
        raise _untraceable(error, image) from error
    return _Reader(program, in_training).trace()


class _Reader:
    """Turns the graph of torch.export into calls."""

    def __init__(self, program: Any, in_training: bool) -> None:
        signature = program.graph_signature
        self._program = program
        self._in_training = in_training
        self._keys = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self._inputs = [name for name in signature.user_inputs if isinstance(name, str)]
        self._calls: list[AtenCall] = []
        self._values: dict[str, Any] = {}  # by the names of the graph at hand
        self._prefix = ""  # of these names among those of the trace

    def trace(self) -> Trace:
        output = self._read(self._program.graph_module)
        return Trace(Ref(self._inputs[0]), tuple(self._calls), output, self._stored(), self._in_training)

    def _stored(self) -> tuple[str, ...]:
        return tuple(key for key in self._keys.values() if self._table(key) is None)

    def _read(self, part: Any) -> Any:
        """Add the calls of a graph of torch. Returns what it gives."""
        for node in part.graph.nodes:
            if node.op == "placeholder" and node.name not in self._values:
                self._values[node.name] = self._placeholder(node)
            elif node.op == "get_attr":
                self._values[node.name] = getattr(part, node.target)
            elif node.op == "call_function":
                self._values[node.name] = self._made(node)
            elif node.op == "output":
                return self._output(node) if not self._prefix else self._plain(node.args[0])
        return None

    def _made(self, node: Any) -> Any:
        """What a call gives: that of its graph, an item of that, or the value of a new call."""
        if getattr(node.target, "__name__", "") == _WITHOUT_GRADIENTS:
            _, part, *inputs = node.args
            return self._inner(self._values[part.name], [self._plain(one) for one in inputs], node.name)
        if node.target is operator.getitem and isinstance(several := self._plain(node.args[0]), tuple):
            return several[node.args[1]]
        call = self._call(node)
        self._calls.append(call)
        return Ref(call.name)

    def _inner(self, part: Any, inputs: list[Any], name: str) -> Any:
        """Add the calls of a graph within the graph, which has names of its own. Returns what it gives."""
        outer, prefix = self._values, self._prefix
        names = [node.name for node in part.graph.nodes if node.op == "placeholder"]
        self._values, self._prefix = dict(zip(names, inputs, strict=True)), f"{prefix}{name}."
        given = self._read(part)
        self._values, self._prefix = outer, prefix
        return given

    def _placeholder(self, node: Any) -> Any:
        if node.name in self._keys:
            key = self._keys[node.name]
            if (table := self._table(key)) is not None:
                return Known(table)
            return Stored(key, tuple(node.meta["val"].shape))
        if node.name in self._inputs:
            return Ref(node.name)
        if (key := self._program.graph_signature.inputs_to_lifted_tensor_constants.get(node.name)) is not None:
            return Known(self._program.constants[key])
        return Constant(tuple(getattr(node.meta.get("val"), "shape", ())))

    def _table(self, key: str) -> "Tensor | None":
        """A buffer of integers, such as a table of indices; None for others, and for the counter of a batch norm."""
        if key not in self._program.graph_signature.inputs_to_buffers.values():
            return None
        tensor: Tensor = self._program.state_dict.get(key, self._program.constants.get(key))
        return tensor if tensor.ndim and not tensor.is_floating_point() else None

    def _output(self, node: Any) -> Any:
        """What the module gives: a value, or those in a tuple, dictionary or other container as a tuple."""
        specs = self._program.graph_signature.output_specs
        given = [
            self._plain(argument)
            for argument, spec in zip(node.args[0], specs, strict=True)
            if spec.kind.name == "USER_OUTPUT"
        ]
        is_tensor = self._program.call_spec.out_spec.is_leaf()
        return given[0] if is_tensor and len(given) == 1 else tuple(given)

    def _call(self, node: Any) -> AtenCall:
        schema = getattr(node.target, "_schema", None)
        if schema is None:  # operator.getitem, and functions of Python
            name = getattr(node.target, "__name__", str(node.target))
            arguments = {str(place): self._plain(value) for place, value in enumerate(node.args)}
        else:
            name = schema.name.partition("::")[2]
            arguments = self._arguments(node, schema)
        in_place = schema is not None and name.endswith("_") and not name.endswith("__")
        declared = schema.arguments if schema else ()
        changed = frozenset(one.name for one in declared if arguments[one.name] != self._plain(one.default_value))
        place = _place(node)
        shape = _shape(node.meta.get("val"), place)
        called = self._prefix + node.name, name.rstrip("_")
        return AtenCall(*called, in_place, arguments, changed, shape, place, node.target)

    def _arguments(self, node: Any, schema: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for place, argument in enumerate(schema.arguments):
            if place < len(node.args):
                value = node.args[place]
            elif argument.name in node.kwargs:
                value = node.kwargs[argument.name]
            else:
                value = argument.default_value
            found[argument.name] = self._plain(value)
        return found

    def _plain(self, value: Any) -> Any:
        import torch

        if isinstance(value, torch.fx.Node):
            return self._values[value.name]
        if isinstance(value, list | tuple):
            return tuple(map(self._plain, value))
        return value


def _shape(value: Any, place: Place) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_shape(one, place) for one in value)
    if not hasattr(value, "shape"):
        return None
    if not all(type(extent) is int for extent in value.shape):  # but a symbol
        raise unsupported("the size of a tensor depends on the numbers in another", place)
    return tuple(value.shape)


def _place(node: Any) -> Place:
    stack = tuple((node.meta.get("nn_module_stack") or {}).values())
    modules = tuple((path.split("@")[0], _class_name(kind)) for path, kind in stack)
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    return Place(modules[-1][0] if modules else "", _own_line(frames), modules)


def _class_name(kind: Any) -> str:
    return str(kind if isinstance(kind, str) else kind.__qualname__).rpartition(".")[2]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _untraceable(error: Exception, image: Shape) -> UserError:
    """The error about a module that torch can't trace, with the line that fails, as far as it is known."""
    text = str(error)
    named = re.findall(r'raised this error:\s+File "(.+?)", line (\d+)', text)
    line = _own_line(named or [(one.filename, one.lineno) for one in traceback.extract_tb(error.__traceback__)])
    if "data-dependent" in text:
        return unsupported(
            "it decides by the numbers in a tensor, and a spec computes the same for all images",
            Place(line=line),
            "compute both sides, and choose with `torch.where`; or import the part that all images pass",
        )
    return UserError(
        f"torch.export can't trace this module for an input of {image}: {_first_line(error)}",
        "check that it takes a batch of such images as its only argument",
        reason=f"{line} fails" if line else "",
    )


def _own_line(frames: Iterable[tuple[str, Any]]) -> str:
    """File and line of the innermost call that no library makes: `models.py:12`."""
    own = [(file, line) for file, line in frames if not _is_library(file)]
    return f"{Path(own[-1][0]).name}:{own[-1][1]}" if own else ""


@cache
def _is_library(file: str) -> bool:
    """Whether a file is one of torch, of this package, or of Python, in whose folder other packages may be, too."""
    import torch

    torchs, ours, pythons = (
        f"{folder}{os.sep}"
        for folder in (Path(torch.__file__).parent, source_root() / "cifar_dsl", Path(os.__file__).parent)
    )
    return file.startswith((torchs, ours)) or (file.startswith(pythons) and "-packages" not in file)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what torch prints and warns about while it traces."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # torch logs the graph so far as an error, and raises, too
    unseen = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(unseen), contextlib.redirect_stderr(unseen):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
