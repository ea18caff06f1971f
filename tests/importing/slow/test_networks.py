"""Modules of torch as specs."""

import pytest
import torch
from torch import nn
from torchvision.models.swin_transformer import SwinTransformer

import cifar_dsl
from cifar_dsl.export.verification import network_of
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs, specs_directory
from cifar_dsl.importing import translator
from cifar_dsl.importing.importer import import_module, is_same
from cifar_dsl.ir import Shape


def test_a_wrong_translation_is_found(monkeypatch):
    def without_scale(t, call):
        return t.tensor(call.arguments["self"])

    monkeypatch.setitem(translator.RULES, "relu", without_scale)
    with pytest.raises(UserError, match="doesn't compute what the module computes"):
        cifar_dsl.from_torch(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()), (3, 8, 8))


class Attention(nn.Module):
    """What layouts have to follow: tokens, heads, a class token, an image whose channels come last, a shuffle."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.scale = nn.Parameter(torch.full((16, 1, 1), 0.1))
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.positions = nn.Parameter(torch.zeros(1, 17, 16))
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.patch(x)
        x = x + self.scale * self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = x.view(x.size(0), 2, 8, 4, 4).transpose(1, 2).reshape(x.size(0), 16, 4, 4)
        x = torch.max_pool2d(x, 3, 1, 1)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.size(0), -1, -1), x], 1) + self.positions
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(x[:, 0])


def test_views_vanish_in_layers():
    found = cifar_dsl.from_torch(Attention(), (3, 16, 16))
    for name in (
        "layer_scale",
        "shuffle(2)",
        "tokens",
        "class_token",
        "position_embedding",
        "attention(4)",
        "token(0)",
    ):
        assert name in found.spec.text
    assert "rearrange" not in found.spec.text
    x = torch.randn(2, 3, 16, 16)
    assert torch.allclose(found.network().eval()(x), found.module.eval()(x), atol=1e-5)  # float32, scores of about 1


EIGHT = [path.stem for path in specs_directory().glob("*.arch")]


@pytest.mark.parametrize("name", [*EIGHT, "resnet18"])
def test_a_printed_spec_is_imported_as_the_same_graph(name):
    assert len(EIGHT) == 8
    spec = cifar_dsl.load(shipped_specs()[name], root=specs_directory())
    found = cifar_dsl.from_torch(network_of(spec.to_pytorch()), spec.graph.input.extents)
    assert is_same(found.spec.graph, spec.graph)


def test_scores_that_no_image_changes_prove_nothing():
    class Deaf(nn.Module):
        def forward(self, x):
            return (x * 0.0).flatten(1)

    with pytest.raises(UserError, match="equal for all images"):
        cifar_dsl.from_torch(Deaf(), (3, 4, 4))


class Recurrent(nn.Module):
    """One convolution and one batch norm that are called four times."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        for _ in range(4):
            x = torch.relu(self.norm(x + self.again(x)))
        return self.head(x.mean((2, 3)))


def test_a_module_that_is_called_again_becomes_a_tied_block():
    module = Recurrent()
    imported = import_module(module, Shape((3, 8, 8)), "recurrent")
    assert imported.analysis.graph.cost.parameters == sum(one.numel() for one in module.parameters())
    assert "let tied_conv = tied {" in imported.text
    assert "repeat 4 {" in imported.text
    assert sorted(imported.keys.values()) == sorted(module.state_dict())


def test_weights_that_other_layers_share_in_part_are_refused():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(192, 10), nn.Linear(192, 10)
            self.other.weight = self.one.weight

        def forward(self, x):
            return self.one(x.flatten(1)) + self.other(x.flatten(1))

    with pytest.raises(UserError, match="only whole layers share weights"):
        cifar_dsl.from_torch(Partly(), (3, 8, 8))


WEIGHTS = """arch weights
input 3x8x8
model {
    conv(8, 3, weight=standardized(eps=1e-8)) -> relu
    conv(8, 3, groups=4, bias=false, weight=scaled(gamma=1.7)) -> relu
    global_avgpool
    dense(10, weight=standardized)
}"""


def test_printed_functions_of_weights_are_imported_as_the_same_graph(tmp_path):
    (tmp_path / "weights.arch").write_text(WEIGHTS)
    spec = cifar_dsl.load(tmp_path / "weights.arch")
    found = cifar_dsl.from_torch(network_of(spec.to_pytorch()), spec.graph.input.extents)
    assert is_same(found.spec.graph, spec.graph)


def test_a_function_of_weights_that_import_does_not_know_is_refused(tmp_path):
    (tmp_path / "weights.arch").write_text(WEIGHTS.replace("weight=standardized)\n}", "weight=spectral)\n}"))
    spec = cifar_dsl.load(tmp_path / "weights.arch")
    with pytest.raises(UserError, match=r"`dense`.*computes something of `dense.\w+` alone"):
        cifar_dsl.from_torch(network_of(spec.to_pytorch()), spec.graph.input.extents)


class Standardizing(nn.Module):
    """Weights that batch norm standardizes, a part without gradients, and a factor of many digits."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, bias=False)
        self.last = nn.Conv2d(8, 8, 3)
        self.gain = nn.Parameter(torch.ones(8, 1, 1, 1))
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        with torch.no_grad():
            filters = self._standardized(self.stem.weight, None)
            x = torch.conv2d(x / 1.04**0.5, filters).relu()
        filters = self._standardized(self.last.weight, (0.1 * self.gain).view(-1))
        return self.head(torch.conv2d(x, filters, self.last.bias).flatten(2).mT.mean(1))

    @staticmethod
    def _standardized(weight, gain):
        rows = weight.reshape(1, 8, -1)
        return nn.functional.batch_norm(rows, None, None, gain, training=True, momentum=0.0).reshape_as(weight)


def test_batch_norms_of_weights_and_parts_without_gradients_are_imported():
    text = cifar_dsl.from_torch(Standardizing(), (3, 8, 8)).spec.text
    assert "scale(0.980580675691)" in text
    assert "conv(8, 3, bias=false, weight=standardized(eps=1e-05))" in text
    assert "conv(8, 3, weight=scaled(gamma=0.848528137424, eps=1e-05))" in text


def swin(**given):
    torch.manual_seed(0)
    return SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], stochastic_depth_prob=0.1, num_classes=10, **given)


def test_shifted_windows_with_relative_positions_are_imported_with_their_weights():
    module = swin(attention_dropout=0.25)
    imported = import_module(module, Shape((3, 32, 32)), "swin")
    assert "windows(4, shift=shift) {" in imported.text
    assert "attention(in_channels // 8, dropout=0.25, before=relative_bias)" in imported.text
    assert "swin_transformer_block(0.033333333, shift=2)" in imported.text
    assert "slice([0, 1, 0], [16, 8, 7], step=[1, 2, 2])" in imported.text  # rows and columns at once
    assert imported.unused == ()
    assert imported.analysis.graph.cost.parameters == sum(one.numel() for one in module.parameters())


def test_other_positions_than_relative_ones_are_refused():
    module = swin()
    index = module.features[1][0].attn.relative_position_index
    index[0], index[1] = index[1].clone(), index[0].clone()
    with pytest.raises(UserError, match=r"features.1.0.attn.*other numbers of a parameter than those of relative pos"):
        cifar_dsl.from_torch(module, (3, 32, 32))


class Attending(nn.Module):
    """Attention by products, without a layer of torch for it."""

    def __init__(self, dropout=0.0, change=lambda scores: scores):
        super().__init__()
        self.patch, self.qkv, self.out = (
            nn.Conv2d(3, 16, 4, 4),
            nn.Linear(16, 48, bias=False),
            nn.Linear(16, 16, bias=False),
        )
        self.dropout, self.head, self.change = nn.Dropout(dropout), nn.Linear(16, 10), change

    def forward(self, x):
        x = self.patch(x).flatten(2).mT
        q, k, v = self.qkv(x).reshape(len(x), 16, 3, 4, 4).permute(2, 0, 3, 1, 4)
        scores = self.change(q @ k.transpose(-2, -1) * 4**-0.5)
        x = x + self.out((self.dropout(scores.softmax(-1)) @ v).transpose(1, 2).flatten(2))
        return self.head(x.mean(1))


@pytest.mark.parametrize(("dropout", "written"), [(0.0, "attention(4, bias=false)"), (0.5, "dropout=0.5")])
def test_attention_by_products_is_one_layer(dropout, written):
    text = cifar_dsl.from_torch(Attending(dropout), (3, 16, 16)).spec.text
    assert "attention(4, bias=false" in text
    assert written in text
    assert "einsum" not in text


def test_attention_with_dropout_and_without_projections_is_printed_in_its_long_form():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.head = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 10)

        def forward(self, x):
            heads = self.patch(x).flatten(2).mT.reshape(len(x), 16, 4, 4).transpose(1, 2)
            dropout = 0.5 if self.training else 0.0
            x = nn.functional.scaled_dot_product_attention(heads, heads, heads, dropout_p=dropout)
            return self.head(x.transpose(1, 2).flatten(2).mean(1))

    text = cifar_dsl.from_torch(Bare(), (3, 16, 16)).spec.text
    assert text.count("einsum") == 2
    assert "softmax(over=columns) -> dropout" in text


def test_a_mask_that_no_windows_have_is_refused_and_named():
    mask = torch.full((16, 16), -100.0).triu(1)
    with pytest.raises(UserError, match=r"test_networks.py:\d+\): it adds a mask"):
        cifar_dsl.from_torch(Attending(change=lambda scores: scores + mask), (3, 16, 16))


def test_rolled_channels_are_refused():
    class Rolling(nn.Module):
        def forward(self, x):
            return x.roll((1,), (1,)).flatten(1)

    with pytest.raises(UserError, match="it rolls something else than the rows and columns"):
        cifar_dsl.from_torch(Rolling(), (3, 8, 8))
