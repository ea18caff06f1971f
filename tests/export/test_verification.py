"""What the checks of exports find."""

import pytest
import torch
from torch import Tensor, nn

from cifar_dsl.compiler import analyze_text
from cifar_dsl.export import files
from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import BATCHES, Comparison, compare, example, fill_with_statistics, require_equal
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.ir import Shape

SHAPE = Shape((3, 4, 4))


def test_scores_of_zero_prove_nothing() -> None:
    with pytest.raises(UserError, match="largest score is 0"):
        require_equal(Comparison(0.0, 0.0), "the file")


def test_another_number_of_images_is_found() -> None:
    def of_two(x: Tensor) -> Tensor:
        return x.sum((1, 2, 3))[:2, None].float()

    batches = [example(SHAPE, count) for count in BATCHES]
    assert compare(lambda x: x.sum((1, 2, 3))[:, None].float(), of_two, batches).difference == float("inf")


def test_nan_is_a_difference() -> None:
    assert compare(lambda x: x + 1.0, lambda x: x * float("nan"), [torch.ones(2, 2)]).difference == float("inf")


def test_statistics_and_zeros_are_filled_and_momenta_stay() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 2))
    nn.init.zeros_(network[2].weight)
    fill_with_statistics(network, SHAPE)
    assert network[0].running_mean.any()
    assert network[2].weight.any()
    assert network[0].momentum == 0.1
    assert not network.training


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    subject = Subject(analyze_text("arch a\ninput 3x4x4\nmodel { flatten -> dense(10) }\n"))
    with pytest.raises(UserError, match="needs onnx, onnxscript and onnxruntime") as raised:
        files.onnx(subject)
    assert raised.value.help == ("install the extra: pip install 'cifar-dsl[onnx]'",)
