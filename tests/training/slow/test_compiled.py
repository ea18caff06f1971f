"""A compiled network trains to the same weights."""

import shutil

import pytest
import torch
from helpers.engines import SPEC, Case
from helpers.tolerances import FLOAT32, TRAINED
from helpers.training import CPU, meaning
from torch._dynamo import config
from torch._dynamo.utils import counters

from cifar_dsl.foundation import limits
from cifar_dsl.training.engines import CompiledEngine, choose_engine


@pytest.mark.filterwarnings("ignore")  # of torch's compiler
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
def test_a_compiled_network_trains_to_the_same_result(compiled_here):
    case = Case(SPEC, ("train.epochs=2", "train.average=ema(0.9)", "train.distill=soft"))
    torch.compiler.reset()
    eager = case.train()[0]
    counters.clear()
    compiled = case.train(engine=choose_engine("compile", CPU, meaning(SPEC)[1]).engine)[0]
    assert counters["stats"]["unique_graphs"] >= 2  # for whole batches and for the ragged one
    assert not counters["graph_break"]
    for name, tensor in eager.weights.items():
        torch.testing.assert_close(tensor, compiled.weights[name], **TRAINED, msg=name)
    for one, other in zip(eager.metrics, compiled.metrics, strict=True):
        assert (one.train_loss, one.test_loss) == pytest.approx((other.train_loss, other.test_loss), **FLOAT32)


def test_no_size_of_image_is_left_uncompiled():
    """The compiler counts all networks of a kind together: a student, its average and its teacher."""
    least = 2 * limits.DEFAULTS.sizes + 3 * 2  # whole and ragged batches
    before = config.recompile_limit
    with CompiledEngine(CPU).running():
        assert config.recompile_limit >= least > before
    assert config.recompile_limit == before
