"""Networks as files: of torch.export (.pt2), and of ONNX."""

import copy
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import (
    BATCHES,
    REPORT,
    Comparison,
    compare,
    example,
    fill_with_statistics,
    normalized,
    require_close,
    tolerance_of,
)
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import missing
from cifar_dsl.foundation.records import define, field, frozen

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT = "images"
OUTPUT = "scores"
INPUTS = ("uint8", "float32")  # what a network with its normalization can take
_LARGEST_BATCH = 65536
_OPSET = 18  # of ONNX, as torch has by default


@frozen
class Exported:
    """The content of a file, and how its scores compare with those of the network; None if that wasn't checked."""

    content: bytes
    comparison: Comparison | None


def pt2(subject: Subject, dtype: str = INPUTS[0], *, verify: bool = True) -> Exported:
    """The network as a file of torch.export. Raises UserError if it computes something else."""
    return _exported(subject, dtype, _Pt2, verify=verify)


def onnx(subject: Subject, dtype: str = INPUTS[0], *, verify: bool = True) -> Exported:
    """The network as an ONNX file. Raises UserError if a package is missing, or it computes something else."""
    _require("onnx", "onnxscript", *(["onnxruntime"] if verify else []))
    if verify:
        with suppress(UserError):
            return _exported(subject, dtype, _RecordedOnnx, verify=True)
    return _exported(subject, dtype, _TranslatedOnnx, verify=verify)


def _exported(subject: Subject, dtype: str, form: "type[_File]", *, verify: bool) -> Exported:
    """The network in a format; for a spec, a file with other weights is checked, too."""
    network = subject.module()
    module = _with_normalization(network, subject)
    inputs = _inputs(subject, dtype)
    with _quiet():
        file = form(module, subject, dtype)
        content = file.content()
        if not verify:
            return Exported(content, None)
        comparison = _checked(file, content, module, inputs, is_informative=subject.run is not None)
        if subject.run is None:
            fill_with_statistics(network, subject.image)
            comparison = _checked(file, file.content(), module, inputs)
    return Exported(content, comparison)


def _checked(
    file: "_File", content: bytes, module: "nn.Module", inputs: "list[Tensor]", *, is_informative: bool = True
) -> Comparison:
    """How a file compares with the network. Raises UserError for a difference; see `require_close`."""
    comparison = compare(module, file.loaded(content), inputs)
    tolerance = 0.0 if file.is_exact else tolerance_of(module, comparison, inputs)
    require_close(comparison, tolerance, file.what, is_informative=is_informative)
    return comparison


# ---- the network


def _with_normalization(network: "nn.Module", subject: Subject) -> "nn.Module":
    """The network with its normalization, if that is known; both share their weights."""
    from cifar_dsl.training.lowering.torch_module import Network
    from cifar_dsl.training.trained import TrainedNetwork

    if (transform := subject.input_transform()) is None:
        return network
    assert isinstance(network, Network)
    return TrainedNetwork(network, subject.image, transform, subject.classes).eval()


def _inputs(subject: Subject, dtype: str) -> "list[Tensor]":
    return [_as_input(subject, example(subject.image, count), dtype) for count in BATCHES]


def _as_input(subject: Subject, pixels: "Tensor", dtype: str) -> "Tensor":
    """Pixels as the network takes them: normalized, floats from 0 to 1, or bytes."""
    if subject.normalization is None:
        return normalized(pixels)
    return pixels if dtype == "uint8" else pixels.float() / 255


# ---- files


@define(eq=False)
class _File:
    """A network as a file. Its tensors are those of `module`, so `content` has their values at the time of the call.

    `is_exact`: whether it computes the same scores, bit for bit. `what` names it in messages.
    """

    module: "nn.Module"
    subject: Subject
    dtype: str

    is_exact: ClassVar[bool]
    what: ClassVar[str]

    def content(self) -> bytes:
        """The file."""
        raise NotImplementedError

    def loaded(self, content: bytes) -> "Callable[[Tensor], Any]":
        """What such a file computes, as a function of a batch of images."""
        raise NotImplementedError

    def _example(self) -> "Tensor":
        return _as_input(self.subject, example(self.subject.image), self.dtype)

    def _traced(self) -> Any:
        import torch

        batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
        return torch.export.export(self.module, (self._example(),), dynamic_shapes=({0: batch},))


@define(eq=False)
class _Pt2(_File):
    is_exact = True
    what = "the file of torch.export"
    _program: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._program = self._traced()

    def content(self) -> bytes:
        import torch

        file = io.BytesIO()
        extra = {"metadata.json": json.dumps(_metadata(self.subject, self.dtype), indent=2)}
        torch.export.save(self._program, file, extra_files=extra)
        return file.getvalue()

    def loaded(self, content: bytes) -> "Callable[[Tensor], Any]":
        import torch

        module: nn.Module = torch.export.load(io.BytesIO(content)).module()
        return module


@define(eq=False)
class _Onnx(_File):
    is_exact = False
    what = "the ONNX file"

    def _model(self) -> Any:
        """The network as a model of ONNX."""
        raise NotImplementedError

    def content(self) -> bytes:
        model = self._model()
        for key, value in _metadata(self.subject, self.dtype).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        content: bytes = model.SerializeToString()
        return content

    def loaded(self, content: bytes) -> "Callable[[Tensor], Any]":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        with _failures_named(self.what):
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        def scores(batch: "Tensor") -> Any:
            with _failures_named(self.what):
                return session.run([OUTPUT], {INPUT: batch.numpy()})[0]

        return scores


@define(eq=False)
class _RecordedOnnx(_Onnx):
    """By the exporter of torch that records a run.

    It is ten times as fast as the other one, but knows fewer operations, and may record a number of images.
    """

    def _model(self) -> Any:
        import onnx
        import torch

        how: dict[str, Any] = {
            "f": (file := io.BytesIO()),
            "dynamo": False,
            "verbose": False,  # or it prints the network when it fails
            "opset_version": _OPSET,
            "input_names": [INPUT],
            "output_names": [OUTPUT],
            "dynamic_axes": {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        }
        with _failures_named(self.what):  # such as an unknown operation, or a torch without this exporter
            torch.onnx.export(self.module, (self._example(),), **how)
        return onnx.load_from_string(file.getvalue())


@define(eq=False)
class _TranslatedOnnx(_Onnx):
    """By the exporter of torch that translates a program of `torch.export`."""

    _program: Any = field(init=False)  # before optimizations, which compute with the weights

    def __attrs_post_init__(self) -> None:
        import torch

        self._program = torch.onnx.export(
            self._traced(), dynamo=True, optimize=False, verbose=False, input_names=[INPUT], output_names=[OUTPUT]
        )

    def _model(self) -> Any:
        optimized = copy.copy(self._program)
        optimized.model = self._program.model.clone()
        optimized.optimize()
        return optimized.model_proto


@contextmanager
def _failures_named(what: str) -> Iterator[None]:
    """Turn the errors of an exporter or runtime, which have no base in common, into UserError."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{what} can't be made or run", REPORT, reason=str(error).partition("\n")[0]) from error


def _metadata(subject: Subject, dtype: str) -> dict[str, str]:
    takes = "normalized float32" if subject.normalization is None else dtype
    ranges = {"uint8": "uint8 from 0 to 255", "float32": "float32 from 0 to 1"}
    shape = ", ".join(map(str, subject.image.extents))
    return subject.metadata() | {"input": f"{INPUT}: (N, {shape}), {ranges.get(takes, takes)}", "output": OUTPUT}


def _require(*packages: str) -> None:
    """Raise UserError if a package is missing."""
    from importlib.util import find_spec

    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        raise missing("exporting to ONNX", absent, "onnx")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress that torch prints, and its warnings about itself."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
