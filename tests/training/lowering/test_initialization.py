"""Initial weights, against torch's functions and the formulas."""

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA
from torch import Tensor, nn

from cifar_dsl.training.lowering.torch_module import build_module


def weight(stage: str, size: str = "12x5x5") -> Tensor:
    module = build_module(graph_of(f"{stage} as here", size=size), "test", 0)
    return next(tensor for name, tensor in module.state_dict().items() if name == "here.weight")


@pytest.mark.parametrize(
    "layer",
    [
        "conv(12, 3, groups=12",
        "conv(24, 3, groups=12",
        "conv(12, 3, groups=3",
        "conv(6, 3, groups=3",
        "conv(12, 3",
        "conv(20, 3",
        "conv_transpose(12, 3, groups=4",
        "conv_transpose(6, 3, groups=3",
    ],
)
def test_dirac_preserves_the_channels_that_torchs_preserves_and_draws_the_rest(layer):
    groups = int(layer.partition("groups=")[2] or 1)
    ours, drawn = weight(f"{layer}, init=dirac)"), weight(f"{layer})")
    theirs = nn.init.dirac_(torch.empty_like(ours), groups)
    copies = theirs.flatten(1).any(1)  # the filters that copy a channel
    assert torch.equal(ours[copies], theirs[copies])
    # A transposed convolution has a filter for each input; those beyond its outputs are drawn.
    assert torch.equal(ours[~copies], drawn[~copies])


@pytest.mark.parametrize("groups", [1, 3, 12])
def test_a_grouped_convolution_with_dirac_is_the_identity(groups):
    stage = f"conv(12, 3, pad=1, groups={groups}, bias=false, init=dirac)"
    images = torch.randn(2, 12, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(build_module(graph_of(stage, size="12x5x5"), "test", 0)(images), images)


def test_attention_starts_like_dense_layers_and_torchs_does_not():
    """In units of 1 / sqrt(D), the largest of D * D uniform numbers or more is at the bound."""
    features = 64

    def bounds(arguments: str) -> list[float]:
        module = build_module(graph_of(f"tokens -> attention(4{arguments})", size=f"{features}x2x2"), "test", 0)
        return [tensor.abs().max().item() * features**0.5 for tensor in module.state_dict().values()]

    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(features, 4)
    torchs = [tensor.abs().max().item() * features**0.5 for tensor in theirs.state_dict().values()]
    # The largest of the 64 numbers of a bias may be a little below the bound.
    assert bounds("") == pytest.approx([1, 1, 1, 1], abs=0.06)
    # The largest of 4096 is below it by about a thousandth.
    assert torchs == pytest.approx([1.22, 0, 1, 0], abs=0.01)
    # As above.
    assert bounds(", init=xavier, bias_init=zeros") == pytest.approx([1.22, 0, 1.73, 0], abs=0.01)


def positions(arguments: str, tokens: int, features: int) -> Tensor:
    return weight(f"tokens -> position_embedding(sine{arguments}, frozen=weight)", f"{features}x1x{tokens}")


def test_sines_in_one_dimension_are_those_of_vaswani():
    expected = torch.empty(50, 12, dtype=torch.float64)
    for place in range(50):
        for i in range(6):
            angle = torch.tensor(place / 10000 ** (2 * i / 12), dtype=torch.float64)
            expected[place, 2 * i], expected[place, 2 * i + 1] = angle.sin(), angle.cos()
    torch.testing.assert_close(positions("", 50, 12), expected.float(), **SAME_FORMULA)


def of_mae(features: int, rows: int, columns: int) -> Tensor:
    """`get_2d_sincos_pos_embed` of https://github.com/facebookresearch/mae, which calls columns first."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    parts = []
    for place in (x, y):
        omega = 1.0 / 10000 ** (torch.arange(features // 4, dtype=torch.float64) / (features / 4.0))
        angles = torch.einsum("m,d->md", place.reshape(-1).double(), omega)
        parts += [angles.sin(), angles.cos()]
    return torch.cat(parts, 1).float()


def of_detr(features: int, rows: int, columns: int) -> Tensor:
    """`PositionEmbeddingSine` of https://github.com/facebookresearch/detr with `normalize`, row by row.

    It puts those of the rows first, and a sine beside its cosine.
    """
    y, x = torch.meshgrid(torch.arange(1, rows + 1), torch.arange(1, columns + 1), indexing="ij")
    parts = []
    for place, extent in ((y, rows), (x, columns)):
        temperatures = 10000 ** (2 * (torch.arange(features // 2) // 2).double() / (features // 2))
        angles = place.reshape(-1, 1).double() / (extent + 1e-6) * 2 * torch.pi / temperatures
        parts.append(torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], 2).flatten(1))
    return torch.cat(parts, 1)


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (3, 5)])
def test_normalized_sines_are_those_of_detr_in_another_order(rows: int, columns: int):
    ours = positions(f"(grid={rows}x{columns}, normalized=true)", rows * columns, 16)
    down, across = of_detr(16, rows, columns).float().split(8, 1)
    expected = torch.cat([across[:, 0::2], across[:, 1::2], down[:, 0::2], down[:, 1::2]], 1)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)  # DETR adds 1e-6 to the number of rows


def test_normalized_sines_in_one_dimension_end_at_2_pi():
    ours = positions("(normalized=true)", 4, 2)
    torch.testing.assert_close(
        ours, torch.tensor([[1.0, 0], [0, -1], [-1, 0], [0, 1]]), rtol=0, atol=1e-6
    )  # cosines of float32


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (3, 5)])
def test_sines_in_two_dimensions_are_those_of_mae(rows: int, columns: int):
    ours = positions(f"(grid={rows}x{columns})", rows * columns, 16)
    torch.testing.assert_close(ours, of_mae(16, rows, columns), **SAME_FORMULA)


@pytest.mark.parametrize(("grid", "front"), [("square", 1), ("4x4", 3)])
def test_tokens_before_the_grid_have_zeros(grid: str, front: int):
    ours = positions(f"(grid={grid})", front + 16, 8)
    assert not ours[:front].any()
    torch.testing.assert_close(ours[front:], of_mae(8, 4, 4), **SAME_FORMULA)
