"""A sample of the shipped specs through every export; `bench/exports.py` has them all."""

import ast
from typing import Any

import pytest
import torch

from cifar_dsl.compiler import analyze
from cifar_dsl.export import files
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import check_source, fill_with_statistics
from cifar_dsl.foundation.resources import shipped_specs, specs_directory


def subject_of(name: str) -> Subject:
    return Subject(analyze(shipped_specs()[name], specs_directory()))


@pytest.mark.parametrize("name", ["vit_tiny", "swin_t", "res2net50", "dpn26", "simpledla"])
def test_source(name: str) -> None:
    subject = subject_of(name)
    module = subject.module()
    fill_with_statistics(module, subject.image)
    assert check_source(pytorch_source(subject.analysis), module, subject.image).difference == 0


def test_shipped_specs_are_printed(full: bool) -> None:
    """Every spec with --full, else one of three."""
    for name in list(shipped_specs())[:: 1 if full else 3]:
        ast.parse(pytorch_source(subject_of(name).analysis))


@pytest.mark.parametrize("dtype", files.INPUTS)
def test_pt2(dtype: str) -> None:
    assert files.pt2(subject_of("residual"), dtype).comparison.difference == 0


@pytest.mark.parametrize("fault", ["", "unknown operator", "records two images"])
def test_onnx(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By both exporters of torch: the one that records a run, and where its file isn't right, the one for programs."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    used, export = [], torch.onnx.export

    def recorded(*arguments: Any, dynamo: bool, **named: Any) -> Any:
        used.append(dynamo)
        if fault == "unknown operator" and not dynamo:
            raise torch.onnx.OnnxExporterError(fault)
        if fault == "records two images" and len(used) == 1:
            del named["dynamic_axes"]
        return export(*arguments, dynamo=dynamo, **named)

    monkeypatch.setattr("torch.onnx.export", recorded)
    if fault == "records two images":
        monkeypatch.setattr(files, "_TranslatedOnnx", files._RecordedOnnx)  # which takes less time
    exported = files.onnx(subject_of("residual"))
    assert used == {"unknown operator": [False, True], "": [False] * 2, "records two images": [False] * 3}[fault]
    model = onnx.load_from_string(exported.content)
    for place, name in ((model.graph.input, "images"), (model.graph.output, "scores")):
        assert [one.name for one in place] == [name]
        assert place[0].type.tensor_type.shape.dim[0].dim_param
    metadata = {one.key: one.value for one in model.metadata_props}
    assert metadata["fingerprint"] == subject_of("residual").analysis.fingerprint
    assert metadata["input"] == "images: (N, 3, 32, 32), uint8 from 0 to 255"
    assert exported.comparison.relative < 1e-5
