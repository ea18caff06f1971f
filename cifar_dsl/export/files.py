"""Networks as files: of torch.export (.pt2), and of ONNX."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import (
    BATCHES,
    Comparison,
    compare,
    example,
    fill_with_statistics,
    normalized,
    require_close,
    require_equal,
    tolerance_of,
)
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import listed

if TYPE_CHECKING:
    from torch import Tensor, nn

INPUT = "images"
OUTPUT = "scores"
INPUTS = ("uint8", "float32")  # what a network with its normalization can take
_LARGEST_BATCH = 65536


@frozen
class Exported:
    """The content of a file, and how its scores compare with those of the network; None if that wasn't checked."""

    content: bytes
    comparison: Comparison | None


def pt2(subject: Subject, dtype: str = INPUTS[0], *, verify: bool = True) -> Exported:
    """The network as a file of torch.export. Raises UserError if it computes something else."""
    with _quiet():
        content = _pt2_of(_module(subject), subject, dtype)
        if not verify:
            return Exported(content, None)
        module, checked = _checked(subject, dtype, content, _pt2_of)
        comparison = compare(module, _pt2_module(checked), _inputs(subject, dtype))
    require_equal(comparison, "the file of torch.export")
    return Exported(content, comparison)


def onnx(subject: Subject, dtype: str = INPUTS[0], *, verify: bool = True) -> Exported:
    """The network as an ONNX file. Raises UserError if a package is missing, or it computes something else."""
    _require("onnx", "onnxscript", *(["onnxruntime"] if verify else []))
    inputs = _inputs(subject, dtype)
    with _quiet():
        content = _onnx_of(_module(subject), subject, dtype)
        if not verify:
            return Exported(content, None)
        module, checked = _checked(subject, dtype, content, _onnx_of)
        comparison = compare(module, _onnx_session(checked), inputs)
    require_close(comparison, tolerance_of(module, comparison, inputs), "the ONNX file")
    return Exported(content, comparison)


def _checked(
    subject: Subject, dtype: str, content: bytes, write: "Callable[[nn.Module, Subject, str], bytes]"
) -> "tuple[nn.Module, bytes]":
    """The network and file to compare: those of a run, or for a spec, others in whose scores errors show."""
    is_untrained = subject.run is None
    module = _module(subject, is_filled=is_untrained)
    return module, write(module, subject, dtype) if is_untrained else content


# ---- the network


def _module(subject: Subject, *, is_filled: bool = False) -> "nn.Module":
    """The network with its normalization, if it is known, in evaluation mode; `is_filled`: see fill_with_statistics."""
    from cifar_dsl.training.lowering.torch_module import Network
    from cifar_dsl.training.trained import TrainedNetwork

    module, normalization = subject.module(), subject.normalization
    if is_filled:
        fill_with_statistics(module, subject.image)
    if normalization is None:
        return module
    assert isinstance(module, Network)
    return TrainedNetwork(module, subject.image, normalization, subject.classes).eval()


def _inputs(subject: Subject, dtype: str) -> "list[Tensor]":
    return [_as_input(subject, example(subject.image, count), dtype) for count in BATCHES]


def _as_input(subject: Subject, pixels: "Tensor", dtype: str) -> "Tensor":
    """Pixels as the network takes them: normalized, floats from 0 to 1, or bytes."""
    if subject.normalization is None:
        return normalized(pixels)
    return pixels if dtype == "uint8" else pixels.float() / 255


# ---- files


def _exported(module: "nn.Module", subject: Subject, dtype: str) -> Any:
    import torch

    images = _as_input(subject, example(subject.image), dtype)
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    return torch.export.export(module, (images,), dynamic_shapes=({0: batch},))


def _pt2_of(module: "nn.Module", subject: Subject, dtype: str) -> bytes:
    import torch

    file = io.BytesIO()
    extra = {"metadata.json": json.dumps(_metadata(subject, dtype), indent=2)}
    torch.export.save(_exported(module, subject, dtype), file, extra_files=extra)
    return file.getvalue()


def _pt2_module(content: bytes) -> "nn.Module":
    import torch

    return torch.export.load(io.BytesIO(content)).module()


def _onnx_of(module: "nn.Module", subject: Subject, dtype: str) -> bytes:
    import torch

    program = torch.onnx.export(
        _exported(module, subject, dtype), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
    )
    assert program is not None
    proto = program.model_proto
    for key, value in _metadata(subject, dtype).items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = proto.SerializeToString()
    return content


def _metadata(subject: Subject, dtype: str) -> dict[str, str]:
    takes = "normalized float32" if subject.normalization is None else dtype
    ranges = {"uint8": "uint8 from 0 to 255", "float32": "float32 from 0 to 1"}
    shape = ", ".join(map(str, subject.image.extents))
    return subject.metadata() | {"input": f"{INPUT}: (N, {shape}), {ranges.get(takes, takes)}", "output": OUTPUT}


def _onnx_session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run([OUTPUT], {INPUT: batch.numpy()})[0]


def _require(*packages: str) -> None:
    """Raise UserError if a package is missing."""
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UserError(
            "exporting to ONNX needs " + listed(missing, "and"),
            "install the extra: `pip install 'cifar-dsl[onnx]'`",
        )


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
