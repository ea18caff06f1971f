import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA, sums
from torch import nn

from cifar_dsl.compiler import analyze
from cifar_dsl.compiler.module_names import MODULE_ATTRIBUTES
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import Graph
from cifar_dsl.training.lowering.torch_module import Body, build_module


def built(stages: str, items: str = "", size: str = "3x8x8", seed: int = 0) -> nn.Module:
    return build_module(graph_of(stages, items, size), "test", seed).eval()


def shipped(name: str) -> Graph:
    return analyze(specs_directory() / f"{name}.arch").graph


def images(*size: int) -> torch.Tensor:
    return torch.randn(2, *(size or (3, 8, 8)), generator=torch.Generator().manual_seed(0))


BASELINE = """\
baseline(
  (unit): unit(32)(
    (conv): Conv2d(3, 32, kernel_size=(3, 3), stride=(1, 1))
    (relu): ReLU(inplace=True)
  )
  (maxpool): MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=1, ceil_mode=False)
  (unit2): unit(64)(
    (conv): Conv2d(32, 64, kernel_size=(3, 3), stride=(1, 1))
    (relu): ReLU(inplace=True)
  )
  (maxpool2): MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=1, ceil_mode=False)
  (unit3): unit(64)(
    (conv): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1))
    (relu): ReLU(inplace=True)
  )
  (flatten): Flatten(start_dim=1, end_dim=-1)
  (dense): Linear(in_features=1024, out_features=64, bias=True)
  (relu): ReLU(inplace=True)
  (dense2): Linear(in_features=64, out_features=10, bias=True)
)"""


def test_a_printed_model_reads_like_its_spec() -> None:
    assert str(build_module(shipped("baseline"), "baseline", seed=0)) == BASELINE


def test_names_of_weights_follow_the_spec() -> None:
    names = list(build_module(shipped("residual"), "residual", seed=0).state_dict())
    assert names[:3] == ["unit.add.branch1.conv.weight", "unit.add.branch1.conv.bias", "unit.add.branch1.bn.weight"]
    assert names[-2:] == ["dense2.weight", "dense2.bias"]


# ---- what torch can do with it


def test_it_can_be_copied_pickled_and_saved() -> None:
    module, x = built("conv(8, 3) -> bn -> relu\nlet y = conv(8, 1)\nadd { identity | y }"), images()
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    loaded = built("conv(8, 3) -> bn -> relu\nlet y = conv(8, 1)\nadd { identity | y }", seed=1)
    loaded.load_state_dict(torch.load(buffer))
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), loaded):
        assert torch.equal(other(x), module(x))


def test_channels_last_computes_the_same() -> None:
    module, x = build_module(shipped("residual"), "residual", seed=0).eval(), images(3, 32, 32)
    expected = module(x)
    module.to(memory_format=torch.channels_last)
    torch.testing.assert_close(module(x.to(memory_format=torch.channels_last)), expected, **sums(expected))


def test_every_weight_gets_a_gradient() -> None:
    module = build_module(shipped("residual"), "residual", seed=0)
    module(images(3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


# ---- first weights


def test_one_seed_gives_the_same_weights_bit_by_bit() -> None:
    first, again, other = (build_module(shipped("residual"), "a", seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["dense.weight"], other["dense.weight"])


def test_a_stage_that_two_specs_share_starts_from_the_same_weights() -> None:
    baseline, wider = (build_module(shipped(name), name, seed=0).state_dict() for name in ("baseline", "wider"))
    shared = [name for name in baseline if name.startswith("unit")]
    assert len(shared) == 6
    assert all(torch.equal(baseline[name], wider[name]) for name in shared)


def test_two_stages_of_one_shape_start_from_different_weights() -> None:
    weights = built("conv(3, 3, pad=1) -> conv(3, 3, pad=1)").state_dict()
    assert not torch.equal(weights["conv.weight"], weights["conv2.weight"])


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    built("conv(8, 3)")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("stage", "size", "like"),
    [
        ("conv(64, 5)", "16x8x8", lambda: nn.Conv2d(16, 64, 5)),
        ("conv(64, 3, groups=4)", "16x8x8", lambda: nn.Conv2d(16, 64, 3, groups=4)),
        ("flatten -> dense(500)", "3x10x10", lambda: nn.Linear(300, 500)),
    ],
)
def test_weights_are_drawn_as_torch_draws_them(stage: str, size: str, like) -> None:
    ours, torchs = dict(built(stage, size=size).named_parameters()), dict(like().named_parameters())
    for name, expected in torchs.items():
        (weight,) = (p for path, p in ours.items() if path.endswith(f".{name}"))
        count = weight.numel()
        # The largest of n even numbers lies about 1 / n below the bound: a hundredth for 64 numbers, 1 / 500 for more.
        assert weight.abs().max().item() == pytest.approx(expected.abs().max().item(), rel=0.1 if count < 100 else 0.02)
        # The deviation of n even numbers scatters by 0.45 / sqrt(n): 0.06 for 64, 0.01 for 2304.
        assert weight.std().item() == pytest.approx(expected.std().item(), rel=0.3 if count < 1000 else 0.05)


# ---- scopes


@pytest.mark.parametrize(
    ("stages", "items", "expected"),
    [
        ("", "", lambda x: x),
        ("for i in [] { relu }", "", lambda x: x),
        ("repeat 0 { relu } as stem", "", lambda x: x),
        ("add { identity | identity }", "", lambda x: 2 * x),
        ("let y = tanh\nadd { y | y }", "", lambda x: 2 * x.tanh()),
        ("let y = tanh\nadd { identity | y }", "", lambda x: x + x.tanh()),
        ("let y = tanh\nsigmoid", "", lambda x: x.sigmoid()),
        ("let y = tanh\nsigmoid\nmul { y | relu }", "", lambda x: x.tanh() * x.sigmoid().relu()),
        ("let y = tanh\nsigmoid\nadd { if true { add { y | relu } } | y }", "", lambda x: 2 * x.tanh() + x.sigmoid()),
        ("let y = tanh\nlet z = y\nsigmoid\nz -> relu", "", lambda x: x.tanh().relu()),
        ("let y = tanh\nadd {\nlet z = y\nz -> relu\n| y\n}", "", lambda x: x.tanh().relu() + x.tanh()),
        ("a\na", "block a() { b -> b }\nblock b() { tanh }", lambda x: x.tanh().tanh().tanh().tanh()),
        ("a", "block a() { let y = tanh }", lambda x: x),
        ("a -> tanh", "block a() { }", lambda x: x.tanh()),
        ("a(b)", "block a(f) { add { f | identity } }\nblock b() { tanh }", lambda x: x.tanh() + x),
        (
            "concat { tanh | add { identity | relu } | identity }",
            "",
            lambda x: torch.cat([x.tanh(), x + x.relu(), x], 1),
        ),
        ("mul { identity | global_avgpool -> sigmoid }", "", lambda x: x * x.mean((2, 3)).sigmoid()[:, :, None, None]),
        (
            "repeat 2 { let y = tanh\nadd { identity | y } } as stem",
            "",
            lambda x: (x + x.tanh()) + (x + x.tanh()).tanh(),
        ),
    ],
)
def test_a_network_computes_what_its_spec_defines(stages: str, items: str, expected) -> None:
    x = images()
    torch.testing.assert_close(built(stages, items)(x), expected(x), **SAME_FORMULA)


def test_a_value_is_freed_after_its_last_use() -> None:
    module = built("conv(8, 3) -> elu\nlet unused = tanh\nsigmoid -> bn")
    assert isinstance(module, Body)
    kept: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def watch(_module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        gc.collect()
        alive.append(sum(ref() is not None for ref in kept))
        kept.append(weakref.ref(output))

    for child in module.children():
        child.register_forward_hook(watch)
    with torch.no_grad():
        module(images())
    assert max(alive) == 1  # the stage's input, and nothing older


def test_the_deepest_network_is_built_run_and_copied() -> None:
    blocks = "".join(f"block b{i}() {{ b{i + 1} }}\n" for i in range(63)) + "block b63() { relu }"
    module = built("b0", blocks)
    assert torch.equal(copy.deepcopy(module)(images()), images().relu())


def test_every_attribute_of_a_torch_module_is_known() -> None:
    assert {name for name in dir(nn.Module()) if not name.startswith("_")} <= MODULE_ATTRIBUTES


def test_blocks_and_tensors_can_have_the_names_of_attributes() -> None:
    items = "block half(c) { conv(c, 1) -> bn }\nblock training() { half(3) }\nblock _modules() { half(3) }"
    stages = "half(3) -> half(3)\nlet type = training -> _modules\nadd { type | identity }"
    module, x = built(stages, items).eval(), images()
    scopes = ["half_", "half_2", "type_.training_.half_", "type_._modules_.half_"]
    assert [name.removesuffix(".conv.weight") for name in module.state_dict() if "conv.weight" in name] == scopes
    expected = module(x)
    values = dict(module.state_dict())
    torch.testing.assert_close(torch.func.functional_call(module, values, (x,)), expected, **SAME_FORMULA)
    assert module.get_parameter("type_.training_.half_.conv.weight") is module.type_.training_.half_.conv.weight
    assert module.half()(x.half()).dtype == torch.float16


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ("let x = relu\nadd { x = scale(2)\nscale(3) | identity }\nx", lambda x: 2 * x),
        ("let x = relu\nfor i in 0..2 { x = x -> scale(3) } as part\nadd { x | identity }", lambda x: 9 * x.relu() + x),
        ("let x = scale(2)\nlet y = scale(3)\nadd { both | identity }", lambda x: 5 * x + x),
        ("let x = scale(2)\nadd { both | if height == 7 { relu } else { [] } } as sums", lambda x: 5 * x),
        ("add { scale(2) | let y = scale(3)\nscale(5)\n[] }", lambda x: 2 * x),
        ("twice { add { scale(2) | identity } }", lambda x: 9 * x),
    ],
)
def test_tensors_leave_the_scopes_that_make_them(stages: str, expected) -> None:
    items = "block both() { let a = scale(2)\nlet b = scale(3)\n[a, b] }\nblock twice(f: block) { f -> f }"
    x = images()
    torch.testing.assert_close(built(stages, items)(x), expected(x), **sums(expected(x)))
