"""What modules draw has the distribution of the papers' formulas, in 10,000 images, and tests compute the expectation.

With so many draws, a mean of numbers with standard deviation s has itself a standard deviation of s / 100. Tolerances
are five of these, so that a draw of another seed would fail about once in a million.
"""

from itertools import product

import pytest
import torch
from helpers.specs import graph_of
from helpers.tolerances import SAME_FORMULA
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.training.lowering import chance_modules
from cifar_dsl.training.lowering.torch_module import build_module

DRAWS = 10_000


def built(stages: str, size: str = "1x1x1") -> nn.Module:
    torch.manual_seed(0)
    return build_module(graph_of(stages, size=size), "test", seed=0)


def factors(module: nn.Module, branches: int = 1) -> tuple[Tensor, Tensor]:
    """What each branch is multiplied by, forward and backward: (10,000, branches) each."""
    forward = []
    inputs = [torch.zeros(DRAWS, 1, 1, 1, requires_grad=True) for _ in range(branches)]
    for number in range(branches):
        torch.manual_seed(0)
        one = [torch.full_like(x, float(place == number)) for place, x in enumerate(inputs)]
        forward.append(module(*one).flatten())
    torch.manual_seed(0)
    module(*inputs).sum().backward()
    return torch.stack(forward, 1).detach(), torch.stack([x.grad.flatten() for x in inputs if x.grad is not None], 1)


def is_drawn_from(drawn: Tensor, mean: float, variance: float) -> None:
    """Check mean and variance; the fourth moment of none of these numbers exceeds three times that of a normal one."""
    spread = max(variance, 1e-9) ** 0.5
    # Five standard deviations of a mean of 10,000.
    assert drawn.mean().item() == pytest.approx(mean, abs=5 * spread / 100)
    # Of the variance, the standard deviation is at most variance * sqrt(8 / 10,000).
    assert drawn.var().item() == pytest.approx(variance, abs=5 * variance * 0.03)


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a, b]))[0, 1])


# ---- shake


@pytest.mark.parametrize("branches", [2, 3])
def test_shares_of_shake_are_uniform_and_others_in_the_backward_pass(branches: int) -> None:
    forward, backward = factors(chance_modules.Shake(), branches)
    for shares in (forward, backward):
        torch.testing.assert_close(shares.sum(1), torch.ones(DRAWS), **SAME_FORMULA)
        for share in shares.T:
            # Of numbers that add up to 1, uniformly (Dirichlet with parameters of 1).
            is_drawn_from(share, 1 / branches, (branches - 1) / (branches**2 * (branches + 1)))
    assert abs(correlation(forward[:, 0], backward[:, 0])) < 0.05
    assert abs(correlation(forward[1:, 0], forward[:-1, 0])) < 0.05  # from image to image


def test_shake_is_the_mean_in_tests() -> None:
    module = built("shake { relu | tanh | global_avgpool }", "2x3x3").eval()
    x = torch.randn(4, 2, 3, 3)
    mean = (x.relu() + x.tanh() + x.mean((2, 3), keepdim=True)) / 3
    torch.testing.assert_close(module(x), mean, **SAME_FORMULA)


def test_the_gradients_of_shake_are_those_of_its_backward_shares() -> None:
    """Of branches that stretch, they are summed."""
    a, b = torch.randn(5, 2, 3, 3, requires_grad=True), torch.randn(5, 2, requires_grad=True)
    weight = torch.randn(5, 2, 3, 3)
    torch.manual_seed(1)
    y = chance_modules.Shake()(a, b)
    torch.manual_seed(1)
    forward, backward = (chance_modules.random_shares(a, 2)[:, :, None, None, None] for _ in range(2))
    wide = b[:, :, None, None].expand_as(a)
    torch.testing.assert_close(y, forward[:, 0] * a + forward[:, 1] * wide, **SAME_FORMULA)
    (y * weight).sum().backward()
    torch.testing.assert_close(a.grad, backward[:, 0] * weight, **SAME_FORMULA)
    torch.testing.assert_close(b.grad, (backward[:, 1] * weight).sum((2, 3)), **SAME_FORMULA)
    assert (forward - backward).abs().min() > 1e-3


# ---- shake_drop


@pytest.mark.parametrize(
    ("p", "alpha", "beta"),
    [(0.5, (-1.0, 1.0), (0.0, 1.0)), (0.3, (0.0, 1.0), (-1.0, 0.5)), (1.0, (0.0, 0.0), (1.0, 2.0))],
)
def test_shake_drop_has_the_factors_of_the_paper(
    p: float, alpha: tuple[float, float], beta: tuple[float, float]
) -> None:
    """b + alpha - b alpha forward, b + beta - b beta backward, where b is 1 with probability 1 - p."""
    module = chance_modules.ShakeDrop(p, alpha, beta)
    forward, backward = (one[:, 0] for one in factors(module))
    for drawn, (low, high) in ((forward, alpha), (backward, beta)):
        mean = 1 - p + p * (low + high) / 2
        square = 1 - p + p * (low * low + low * high + high * high) / 3
        is_drawn_from(drawn, mean, square - mean * mean)
    if alpha[0] < alpha[1] < 2:
        changed = forward != 1
        assert torch.equal(changed, backward != 1)
        assert abs(correlation(forward[changed], backward[changed])) < 0.08
    expected = 1 - p + p * sum(alpha) / 2
    torch.testing.assert_close(
        module.eval()(torch.ones(1, 1, 1, 1)), torch.tensor(expected).view(1, 1, 1, 1), **SAME_FORMULA
    )


# ---- mean(drop=)


@pytest.mark.parametrize("branches", [2, 3])
def test_mean_drops_branches_but_never_all(branches: int) -> None:
    p = 0.4
    forward, backward = factors(chance_modules.MeanOfSome(p), branches)
    assert torch.equal(forward, backward)
    kept = forward > 0
    torch.testing.assert_close(forward, kept / kept.sum(1, keepdim=True), **SAME_FORMULA)
    for wanted in product((False, True), repeat=branches):
        count = sum(wanted)
        chance = (1 - p) ** count * p ** (branches - count) + (p**branches / branches if count == 1 else 0)
        share = (kept == torch.tensor(wanted)).all(1).float()
        is_drawn_from(share, chance if count else 0.0, chance * (1 - chance) if count else 0.0)
    x = [torch.randn(2, 3) for _ in range(branches)]
    mean = sum(x) / branches
    torch.testing.assert_close(chance_modules.MeanOfSome(p).eval()(*x), mean, **SAME_FORMULA)


def test_a_column_alone_replaces_the_local_drops() -> None:
    """Columns count from the last branch; without a branch of the column, branches drop as in `mean(drop=)`."""
    x = [torch.randn(50, 3) for _ in range(3)]
    module = chance_modules.MeanOfColumns(0.4, 0.5, 3)
    for column in (0, 1, 2):
        for number in (float(column), torch.tensor(float(column))):
            module.column = number
            assert torch.equal(module(*x), x[2 - column])
    outputs = []
    for column in (3.0, torch.tensor(3.0), -1.0):
        module.column = column
        torch.manual_seed(1)
        outputs.append(module(*x))
    torch.manual_seed(1)
    local = chance_modules.MeanOfSome(0.4)(*x)
    assert all(torch.equal(output, local) for output in outputs)
    assert torch.equal(module.eval()(*x), chance_modules.MeanOfSome(0.4).eval()(*x))


def test_a_mean_of_one_branch_drops_nothing() -> None:
    module, x = built("mean(drop=0.5) for i in [1] { tanh }", "1x2x2"), torch.randn(9, 1, 2, 2)
    assert torch.equal(module(x), x.tanh())


# ---- drop_block


def test_drop_block_drops_the_fraction_of_the_paper_in_whole_blocks() -> None:
    size, p, extent = 3, 0.2, 9
    module = built(f"drop_block({size}, {p})", f"2x{extent}x{extent}")
    y = module(torch.ones(DRAWS // 2, 2, extent, extent)).flatten(0, 1)
    dropped = y == 0
    scale = dropped.numel() / (~dropped).sum().item()
    torch.testing.assert_close(y.unique(), torch.tensor([0.0, scale]), **SAME_FORMULA)
    places = extent - size + 1
    gamma = p / size**2 * extent**2 / places**2
    for at, starts in ((4, size), (0, 1), (1, 2)):  # how many blocks along an axis cover it
        chance = 1 - (1 - gamma) ** (starts * starts)
        is_drawn_from(dropped[:, at, at].float(), chance, chance * (1 - chance))
    # A block starts wherever its whole square is dropped, and covers all that is dropped.
    starts = F.avg_pool2d(dropped.float(), size, 1) == 1
    padded = F.pad(starts.float(), (size - 1,) * 4)
    assert torch.equal(F.max_pool2d(padded[:, None], size, 1)[:, 0] > 0, dropped)


def test_drop_block_of_one_element_is_dropout() -> None:
    y = built("drop_block(1, 0.25)", "1x10x10")(torch.ones(DRAWS // 100, 1, 10, 10)).flatten()
    is_drawn_from((y == 0).float(), 0.25, 0.25 * 0.75)
    assert built("drop_block(2, 0.25)", "1x3x3").eval()(torch.ones(1, 1, 3, 3)).unique().item() == 1


# ---- stochastic_pool


def test_stochastic_pool_draws_each_element_by_its_share_of_the_window() -> None:
    window = torch.tensor([[1.0, 2.0], [0.0, 5.0]])
    module = built("stochastic_pool(2)", "1x2x2")
    y = module(window.expand(DRAWS, 1, 2, 2)).flatten()
    for value in (1.0, 2.0, 0.0, 5.0):
        is_drawn_from((y == value).float(), value / 8, value / 8 * (1 - value / 8))
    # As Zeiler and Fergus write for tests: the sum of p_i a_i, where p_i is a_i / sum(a).
    assert module.eval()(window[None, None]).item() == (1 + 4 + 25) / 8


def test_stochastic_pool_trains_the_element_that_it_drew() -> None:
    module = built("stochastic_pool(3, 2, pad=1, ceil=true)", "3x6x7")
    x = torch.rand(50, 3, 6, 7).add(0.1).requires_grad_()
    y = module(x)
    assert y.shape[1:] == module.eval()(x).shape[1:] == (3, 4, 4)
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad * x).sum().item() == pytest.approx(y.sum().item(), rel=1e-5)  # 2,400 float32 numbers
    assert set(x.grad.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}


@pytest.mark.parametrize("is_training", [False, True])
def test_stochastic_pool_ignores_negative_elements(is_training: bool) -> None:
    module = built("stochastic_pool(3, 1, pad=1)", "2x4x4").train(is_training)
    x = torch.randn(20, 2, 4, 4)
    torch.manual_seed(3)
    y = module(x)
    torch.manual_seed(3)
    assert torch.equal(y, module(x.relu()))
    assert not module(-x.abs()).any()


def test_a_pool_of_one_element_is_relu() -> None:
    x = torch.randn(2, 1, 3, 3)
    assert torch.equal(built("stochastic_pool(1)", "1x3x3")(x), x.relu())


# ---- all of them

FORMS = {
    "drop_path": "drop_path(0.5)",
    "drop_block": "drop_block(2, 0.5)",
    "shake_drop": "shake_drop(0.5)",
    "mean": "mean(drop=0.5) { relu | tanh }",
    "columns": "mean(drop=0.5, global_share=0.5) { relu | tanh }",
    "shake": "shake { relu | tanh }",
    "stochastic_pool": "stochastic_pool(2)",
}
SCHEDULED = ("drop_path", "drop_block", "shake_drop", "mean", "columns")


@pytest.mark.parametrize("name", FORMS)
def test_seeds_decide_and_tests_draw_nothing(name: str) -> None:
    module, x = built(FORMS[name], "3x4x4"), torch.rand(8, 3, 4, 4)
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(module(x))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
    before = torch.get_rng_state()
    module.eval()(x)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_factor_scales_the_probability_as_a_number_and_as_a_tensor(name: str) -> None:
    text = FORMS[name].replace("0.5", "0.25", 1)
    half, x = built(text, "3x4x4"), torch.rand(64, 3, 4, 4)
    outputs = []
    for factor in (None, 0.5, torch.tensor(0.5)):
        module = built(FORMS[name], "3x4x4") if factor is not None else half
        for inner in module.modules():
            if isinstance(inner, chance_modules.Dropping) and factor is not None:
                inner.factor = factor
        torch.manual_seed(1)
        outputs.append(module(x))
    if name != "drop_path":  # torch draws otherwise for a probability in a tensor
        assert torch.equal(outputs[0], outputs[2])
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], built(FORMS[name], "3x4x4")(x))


@pytest.mark.parametrize("name", FORMS)
def test_half_precision(name: str) -> None:
    """The draws are the same in each precision."""
    module, x = built(FORMS[name], "3x4x4"), torch.rand(8, 3, 4, 4).bfloat16()
    torch.manual_seed(1)
    y = module(x)
    assert y.dtype == torch.bfloat16
    torch.manual_seed(1)
    # bfloat16 has 8 bits, and three operations round.
    torch.testing.assert_close(y.float(), module(x.float()), rtol=0.03, atol=0.01)
