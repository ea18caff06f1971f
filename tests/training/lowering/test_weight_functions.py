"""Functions of weights, against torch's parametrizations and plain lines, in float64."""

import copy

import pytest
import torch
from helpers.engines import pictures
from helpers.specs import errors_of, graph_of, text_of
from helpers.tolerances import FLOAT64_SUMS, SAME_FORMULA
from helpers.training import CPU, fitted, meaning
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrizations

from cifar_dsl.analysis.estimate import estimate
from cifar_dsl.training.images import load_images
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.lowering.weight_modules import OfWeight

LAYERS = ["conv(6, 3)", "conv(6, 3, groups=2)", "conv_transpose(6, 3)", "patches(6, 2)", "tokens -> dense(6)"]


def built(stages: str, size: str = "4x6x6", seed: int = 0) -> nn.Module:
    return build_module(graph_of(stages, size=size), "test", seed).double()


def images(size: str = "4x6x6", count: int = 3) -> Tensor:
    return torch.randn(count, *map(int, size.split("x")), generator=torch.Generator().manual_seed(0)).double()


def with_function(stage: str, function: str) -> str:
    return stage.removesuffix(")") + f", weight={function})"


def layer_in(module: nn.Module) -> OfWeight:
    (found,) = (one for one in module.modules() if isinstance(one, OfWeight))
    return found


def plain(layer: OfWeight) -> nn.Module:
    """Torch's own layer with the same weight, bias and arguments."""
    kinds = {nn.Conv2d: "conv", nn.ConvTranspose2d: "transposed", nn.Linear: "linear"}
    kind = next(one for one in kinds if isinstance(layer, one))
    if kind is nn.Linear:
        made: nn.Module = nn.Linear(layer.in_features, layer.out_features)
    else:
        made = kind(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, groups=layer.groups)
    made = made.double()
    with torch.no_grad():
        made.weight.copy_(layer.weight)
        made.bias.copy_(layer.bias)
    return made


def of_torch(stage: str, module: nn.Module, x: Tensor) -> Tensor:
    """The output of torch's own layer in the place of ours."""
    y = module(x.flatten(2).mT if stage.startswith("tokens") else x)
    return y.flatten(2).mT if stage.startswith("patches") else y


def dim_of_outputs(layer: nn.Module) -> int:
    return 1 if isinstance(layer, nn.ConvTranspose2d) else 0


def gradients(y: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad((y * torch.sin(torch.arange(y.numel())).view_as(y)).sum(), tensors)


@pytest.mark.parametrize("stage", LAYERS)
def test_a_learned_gain_is_torchs_weight_norm(stage):
    ours, x = built(with_function(stage, "normalized(gain=learned)")), images()
    layer = layer_in(ours)
    theirs = parametrizations.weight_norm(plain(layer), dim=dim_of_outputs(layer))
    gain, weight = theirs.parametrizations.weight.original0, theirs.parametrizations.weight.original1
    torch.testing.assert_close(layer.gain.float(), gain.flatten().float(), **SAME_FORMULA)  # computed in float32
    with torch.no_grad():
        gain *= 1.5
        layer.gain.copy_(gain.flatten())
    y, expected = ours(x), of_torch(stage, theirs, x)
    torch.testing.assert_close(y, expected, **FLOAT64_SUMS)
    for one, other in zip(gradients(y, layer.weight, layer.gain), gradients(expected, weight, gain), strict=True):
        torch.testing.assert_close(one, other.view_as(one), **FLOAT64_SUMS)


@pytest.mark.parametrize("stage", LAYERS)
def test_spectral_is_torchs_spectral_norm_while_it_trains_and_when_it_is_evaluated(stage):
    ours, x = built(with_function(stage, "spectral")), images()
    layer = layer_in(ours)
    theirs = parametrizations.spectral_norm(plain(layer), dim=dim_of_outputs(layer))
    norm = theirs.parametrizations.weight[0]
    norm._u.copy_(layer.left)
    norm._v.copy_(layer.right)
    for is_training in (True, True, False, False):
        ours.train(is_training), theirs.train(is_training)
        y, expected = ours(x), of_torch(stage, theirs, x)
        torch.testing.assert_close(y, expected, **FLOAT64_SUMS)
        pairs = [(layer.left, norm._u), (layer.right, norm._v)]
        pairs += [(gradients(y, layer.weight)[0], gradients(expected, theirs.parametrizations.weight.original)[0])]
        for one, other in pairs:
            torch.testing.assert_close(one, other.view_as(one), **FLOAT64_SUMS)


def test_spectral_starts_near_the_largest_singular_value():
    layer = layer_in(built("conv(16, 3, weight=spectral)", "8x6x6")).eval()
    largest = torch.linalg.matrix_norm(layer.used_weight().flatten(1), 2)
    assert largest.item() == pytest.approx(1, abs=0.02)  # fifteen iterations; their error shrinks by the ratio of two


def test_the_vectors_of_spectral_follow_from_the_seed():
    one, same, other = (built("conv(6, 3, weight=spectral)", seed=seed).conv.left for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other, atol=0.1)  # of directions, whose numbers are about 0.4


@pytest.mark.parametrize("stage", [*LAYERS, "conv_transpose(6, 3, groups=2)"])
@pytest.mark.parametrize("function", ["standardized(eps=1e-8)", "scaled(gamma=1.71)"])
def test_standardized_weights_are_those_of_bit_and_nfnet(stage, function):
    """`StdConv2d` and `ScaledStdConv2d` of https://github.com/huggingface/pytorch-image-models, layers/std_conv.py."""
    layer = layer_in(built(with_function(stage, function)))
    rows = layer.rows()
    factor = None
    if function.startswith("scaled"):
        with torch.no_grad():
            layer.gain.copy_(torch.linspace(0.5, 2, len(rows)))
        factor = layer.gain * 1.71 * rows.shape[1] ** -0.5
    eps = 1e-6 if factor is not None else 1e-8
    expected = F.batch_norm(rows[None], None, None, weight=factor, training=True, momentum=0.0, eps=eps)[0]
    torch.testing.assert_close(layer.function.of(rows, *layer.tensors()), expected, **FLOAT64_SUMS)


@pytest.mark.parametrize("stage", LAYERS)
def test_gradients_of_a_standardized_weight_are_orthogonal_to_constants_and_to_the_weight(stage):
    module = built(with_function(stage, "standardized(eps=1e-30)"))
    layer = layer_in(module)
    (gradient,) = gradients(module(images()), layer.weight)
    assert gradient.abs().max() > 0.1
    with torch.no_grad():
        rows = copy.deepcopy(layer)
        rows.weight.copy_(gradient)
    # Sums of up to a hundred terms in float64.
    torch.testing.assert_close(rows.rows().sum(1), torch.zeros(6).double(), rtol=0, atol=1e-12)
    # The same.
    torch.testing.assert_close((rows.rows() * layer.rows()).sum(1), torch.zeros(6).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("stage", LAYERS)
def test_normalized_rows_have_length_1_and_capped_ones_are_those_of_renorm(stage):
    layer = layer_in(built(with_function(stage, "normalized")))
    rows = layer.rows().detach()
    torch.testing.assert_close(layer.function.of(rows).norm(dim=1), torch.ones(6).double(), **FLOAT64_SUMS)
    bound = float(rows.norm(dim=1).median())
    layer = layer_in(built(with_function(stage, f"capped({bound!r})")))
    # Torch adds 1e-7 to the norms that it divides by.
    torch.testing.assert_close(layer.function.of(rows), torch.renorm(rows, 2, 0, bound), rtol=1e-6, atol=0)
    assert (layer.function.of(rows) == rows).all(1).sum() >= 3


def test_a_capped_weight_of_zeros_has_a_finite_gradient():
    module = built("conv(6, 3, weight=capped(2), init=zeros)")
    (gradient,) = gradients(module(images()), module.conv.weight)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_a_grouped_transposed_convolution_has_a_row_for_each_output_channel():
    whole = built("conv_transpose(6, 3, groups=2, bias=false, weight=normalized)")
    x = images()
    parts = []
    for number in range(2):
        part = built("conv_transpose(3, 3, bias=false, weight=normalized)", "2x6x6")
        part.conv_transpose.weight.data = whole.conv_transpose.weight.data[2 * number : 2 * number + 2]
        parts.append(part(x[:, 2 * number : 2 * number + 2]))
    torch.testing.assert_close(whole(x), torch.cat(parts, 1), **FLOAT64_SUMS)


def test_attention_uses_the_function_of_both_projections():
    module = built("tokens -> attention(2, weight=standardized)").eval()
    x = images()
    tokens = x.flatten(2).mT
    one, other = module.attention.qkv.dense, module.attention.dense
    theirs = nn.MultiheadAttention(4, 2, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(F.layer_norm(one.weight, [4], eps=1e-6))
        theirs.in_proj_bias.copy_(one.bias)
        theirs.out_proj.weight.copy_(F.layer_norm(other.weight, [4], eps=1e-6))
        theirs.out_proj.bias.copy_(other.bias)
    torch.testing.assert_close(module(x), theirs(tokens, tokens, tokens)[0], **FLOAT64_SUMS)


@pytest.mark.parametrize("function", ["standardized", "scaled", "normalized(gain=learned)", "spectral", "capped(0.1)"])
def test_half_precision_rounds_the_function_of_the_weight_once(function):
    module = build_module(graph_of(f"conv(6, 3, bias=false, weight={function})", size="4x6x6"), "test", 0).eval()
    expected = F.conv2d(images().bfloat16(), module.conv.used_weight().bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(module(images().float()), expected)


def test_the_gain_is_a_scale_and_the_weight_keeps_its_kind():
    graph = graph_of("conv(6, 3, weight=scaled) -> flatten -> dense(10, weight=spectral)")
    kinds = {f"{node.name}.{one.name}": one.kind for node in graph.nodes for one in node.parameters}
    assert kinds == {
        "conv.weight": "filter",
        "conv.bias": "bias",
        "conv.gain": "scale",
        "dense.weight": "matrix",
        "dense.bias": "bias",
        "dense.left": "buffer",
        "dense.right": "buffer",
    }
    assert graph.cost.parameters == sum(one.numel() for one in build_module(graph, "test", 0).parameters())


def test_a_frozen_weight_has_a_frozen_gain():
    graph = graph_of("conv(6, 3, frozen=weight, weight=scaled)")
    module = build_module(graph, "test", 0)
    assert {name for name, one in module.named_parameters() if one.requires_grad} == {"conv.bias"}


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("conv(6, 3, init=whitening, weight=spectral)", "sets the filters themselves"),
        ("conv(6, 1, groups=3, weight=standardized)", "a single number"),
        ("conv(6, 3, init=ones, weight=scaled)", "starts with different numbers, not `ones`"),
        ("flatten -> dense(6, init=zeros, weight=normalized)", "divides the weight by its norm, which is 0"),
        ("conv(6, 3, init=constant(0), weight=spectral)", "divides the weight by its norm, which is 0"),
    ],
)
def test_a_function_that_does_not_fit_the_initial_weight_is_reported(stage, reason):
    (error,) = errors_of(text_of(stage))
    assert error.code == "E0304"
    assert reason in error.message


# ---- averages and memory


def test_averages_have_the_vectors_of_the_trained_weight():
    text = text_of("conv(6, 3, weight=spectral) -> flatten -> dense(10)")
    for average in ("ema(0.5)", "swa(0)", "lookahead(2, statistics=true)"):
        recipe_text = f'train {{\n data npz("00")\n epochs 2\n batch 16\n optimizer sgd(0.1)\n average {average}\n}}'
        graph, recipe = meaning(text + recipe_text)
        splits = load_images(recipe, pictures(0, 48), pictures(1, 16), CPU)
        (outcome,) = fitted(graph, recipe, splits)
        for name in ("left", "right"):
            vector = outcome.module.get_buffer(f"conv.{name}")
            assert torch.equal(vector, outcome.learner.module.get_buffer(f"conv.{name}"))
            assert vector.norm().item() == pytest.approx(1, abs=1e-6)  # rounding of float32


@pytest.mark.parametrize("function", ["standardized", "scaled", "normalized", "normalized(gain=learned)", "spectral"])
@pytest.mark.parametrize("stage", ["conv(64, 3)", "conv(64, 1)", "flatten -> dense(64)"])
def test_the_memory_for_functions_of_weights_is_what_autograd_keeps(function, stage):
    graph = graph_of(with_function(stage, function), size="32x4x4")
    node = graph.nodes[-1]
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()

    module = build_module(graph, "test", 0).to(memory_format=torch.channels_last)
    held = [module]
    with torch.autograd.graph.saved_tensors_hooks(lambda one: (held.append(one), pack(one))[0], lambda _: None):
        module(torch.randn(1, 32, 4, 4, requires_grad=True).to(memory_format=torch.channels_last))
    own = module.get_parameter(f"{node.path}.weight")
    copies = sum(size for address, size in kept.items() if address != own.data_ptr() and size >= own.nbytes)
    assert 4 * node.operation.computed_weight(*graph.input_shapes(node)).kept == copies


def test_the_estimate_counts_functions_of_weights():
    def weights(function: str) -> int:
        text = text_of(f"conv(64, 3, weight={function}) -> global_avgpool -> dense(10)", size="64x8x8")
        graph, recipe = meaning(text + 'train {\n data npz("00")\n epochs 2\n batch 8\n optimizer adam(1e-3)\n}')
        return estimate(graph, recipe, images=100)["activations"]

    assert weights("standardized") - weights("none") >= 2 * 4 * 64 * 64 * 9
