"""A network as PyTorch source: readable, formatted, and equal to the network that `build` makes."""

import ast
import re
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest
import torch
from torch import nn

import cifar_dsl
from cifar_dsl.compiler import Analysis, analyze, analyze_text
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.export.source.torch_modules import (
    definitions,
    function_of_initialization,
    needed,
    own_classes,
    signatures,
)
from cifar_dsl.export.torch_signatures import table
from cifar_dsl.export.verification import check_source, fill_with_statistics, network_of
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.training.lowering.torch_module import MODULES, build_module


def analysis_of(name: str) -> Analysis:
    path = shipped_specs()[name]
    return analyze(path, path.parents[1] if path.parent.name == "zoo" else path.parent)


def of_model(model: str, blocks: str = "") -> Analysis:
    return analyze_text(f"arch tried\ninput 3x16x16\n{blocks}\nmodel {{\n{model}\n}}\n")


def checked(analysis: Analysis) -> str:
    """The printed text, after a comparison in both modes."""
    text = pytorch_source(analysis)
    module = build_module(analysis.graph, "tried", seed=0)
    fill_with_statistics(module, analysis.graph.input)
    check_source(text, module, analysis.graph.input)
    printed = network_of(text)
    printed.load_state_dict(module.state_dict())
    images = torch.randn(4, *analysis.graph.input.extents, generator=torch.Generator().manual_seed(0))
    outputs = []
    for one in (module, printed):
        torch.manual_seed(0)  # of dropout
        returned = one.train()(images)
        outputs.append(returned if isinstance(returned, tuple) else (returned,))
    assert len(outputs[0]) == len(outputs[1])
    assert all(map(torch.equal, *outputs))
    return text


IMPORTS = """from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


"""
RESIDUAL = """
block unit(c, stride=1) {
    add {
        conv(c, 3, stride, pad=1, bias=false) -> bn -> relu
        conv(c, 3, pad=1, bias=false) -> bn
      | shortcut(c, stride)
    }
    relu
}
block shortcut(c, stride) { if stride > 1 or in_channels != c { conv(c, 1, stride, bias=false) -> bn } }
"""


def test_blocks_become_classes_with_the_parameters_of_the_spec() -> None:
    text = checked(of_model("unit(8) -> unit(16, 2) -> unit(16) -> global_avgpool -> dense(10)", RESIDUAL))
    assert "class Unit(nn.Sequential):" in text
    assert "def __init__(self, in_channels: int, c: int, stride: int = 1) -> None:" in text
    assert "conv=nn.Conv2d(in_channels, c, 3, stride=stride, padding=1, bias=False)," in text
    assert "        if stride > 1 or in_channels != c:\n            self.conv = nn.Conv2d(in_channels, c, 1, " in text
    assert "        self.unit2 = Unit(8, 16, stride=2)  # 16x8x8\n" in text


def test_a_comment_that_mentions_a_number_says_it() -> None:
    text = checked(
        of_model(
            "wide(8) -> wide(8) -> flatten -> dense(10)",
            "# Wide: `factor` times c channels.\nblock wide(c, factor: int = 4) { conv(factor * c, 1) -> conv(c, 1) }",
        )
    )
    assert '"""Wide: `factor` times c channels. Here, `factor` is 4.' in text


def test_calls_with_several_arguments_name_them() -> None:
    block = "block unit(c, k, drop) { conv(c, k, pad=k // 2) -> dropout(drop) }"
    text = checked(of_model("unit(8, 3, 0.1) -> unit(4, 1, 0.2) -> flatten -> dense(10)", block))
    assert "self.unit2 = Unit(8, c=4, k=1, drop=0.2)  # 4x16x16" in text


def test_what_repeats_becomes_a_loop() -> None:
    text = checked(of_model("repeat 4 { conv(8, 3, pad=1) -> relu }\nflatten -> dense(10)"))
    assert 'self.add_module(f"conv{i + 2}", nn.Conv2d(8, 8, 3, padding=1))' in text


def test_a_series_of_numbers_becomes_an_expression() -> None:
    block = "block grow(n) { repeat n { concat { identity | conv(4, 3, pad=1) } } }"
    text = checked(of_model("grow(3) -> grow(5) -> global_avgpool -> dense(10)", block))
    assert "for i in range(n):" in text
    assert "in_channels + 4 * i" in text


CELLS = """
block sep(k) { relu -> conv(in_channels, k, pad=same) }
block sep3() { sep(3) }
block sep5() { sep(5) }
block avg() { avgpool(3, 1, pad=1) }
block skip() { identity }
block cell(before: tensor, is_last: bool) {
    let older = before -> conv(4, 1)
    let newer = conv(4, 1)
    let states = [older, newer]
    for (i, f, j, g) in [(0, avg, 1, sep5)] if is_last else [(1, sep3, 0, skip), (0, sep5, 0, avg)] {
        let next = add { states[i] -> f | states[j] -> g }
        states = states + [next]
    }
    concat for state in states[1:] { state }
}
"""


def test_operations_of_a_cell_are_written_where_they_are_used() -> None:
    text = checked(
        of_model(
            "conv(6, 3)\nlet before = identity\ncell(before, false)\nlet here = identity\ncell(before, false)\n"
            "let last = identity\ncell(here, true) -> flatten -> dense(10)",
            CELLS,
        )
    )
    assert re.findall(r"^class (\w+)", text, re.MULTILINE)[-4:] == ["Skip", "Cell", "Cell2", "Tried"]
    assert "padding=k // 2" in text
    assert "branch1=Stages(sep3=Sep3(" in text
    assert "next_ = self.next(newer, older)" in text


def test_a_layer_that_some_calls_leave_out_is_an_identity_there() -> None:
    layer = "block layer() { add { layernorm -> attention(2, before=relative_bias) | identity } }"
    text = checked(
        of_model("conv(8, 2, 2)\nfor i in 0..2 { windows(4, shift=2 * i) { layer } }\nflatten -> dense(10)", layer)
    )
    assert "        else:\n            self.window_mask = nn.Identity()\n" in text
    assert "with_window_mask=shift > 0" in text
    assert text.count("class Attend") == text.count("class Layer(") == 1


def test_one_of_two_parameters_is_chosen_by_a_condition() -> None:
    blocks = """
    block unit(c) { conv(c, 1) -> bn }
    block halved(c, times) { repeat times - 1 { unit(in_channels) -> relu }
        unit(c) }
    """
    text = checked(
        of_model("halved(8, 1) -> halved(4, 2) -> halved(6, 2) -> halved(8, 3) -> flatten -> dense(10)", blocks)
    )
    assert "Unit(in_channels, in_channels if times > 1 else c)" in text


def test_a_series_of_fractions_becomes_an_expression() -> None:
    body = "conv(3, 3, pad=1) -> drop_path(0.2 * (i + 1) / 7)"
    text = checked(of_model(f"for i in 0..5 {{ add {{ {body} | identity }} }}\nflatten -> dense(10)"))
    assert "0.2 * (i + 1) / 7" in text


def test_calls_that_differ_in_what_may_overwrite_its_input_are_one_class() -> None:
    blocks = "block act() { relu -> dropout(0.1) }"
    text = checked(
        of_model("let a = conv(4, 1)\nlet b = a -> act\nadd { a | b } -> act -> flatten -> dense(10)", blocks)
    )
    assert text.count("class Act") == 1
    assert "inplace" not in text


def test_expressions_of_the_spec_are_kept() -> None:
    block = "block wide(c, factor: int = 4) { conv(factor * c, 1) -> relu -> conv(c, 1) }"
    text = checked(of_model("wide(8) -> wide(16) -> flatten -> dense(10)", block))
    assert "self.conv = nn.Conv2d(in_channels, 4 * c, 1)" in text
    assert "self.conv2 = nn.Conv2d(4 * c, c, 1)" in text


def test_square_roots_of_the_spec_are_kept() -> None:
    block = "block scaled(c, variance) { conv(c, 1) -> scale(1 / sqrt(variance)) }"
    text = checked(of_model("scaled(4, 1.04) -> scaled(8, 1.08) -> flatten -> dense(10)", block))
    assert "import math\n" in text
    assert "self.scale = Scale(1 / math.sqrt(variance))" in text


def test_numbers_that_happen_to_be_equal_decide_nothing() -> None:
    block = """
    block half(c, stride) { identity[:, ::stride, ::stride] -> conv(c, 1) }
    """
    text = checked(of_model("half(16, 1) -> half(8, 2) -> half(4, 2) -> flatten -> dense(10)", block))
    assert "if stride > 1:" in text  # not `c != height`, which holds for the same calls
    assert "            self.slice = nn.Identity()\n" in text


LEARNED = """
block gated(c) { add { conv(c, 3, pad=1) -> relu -> mul { identity | learned(1) } | identity } -> relu }
block token() { concat { learned((1, in_channels)) | identity } }
"""


@pytest.mark.parametrize(
    ("model", "written"),
    [
        ("conv(8, 1) -> gated(8) -> gated(8) -> gated(8)", "class Tried(nn.Sequential):"),
        ("conv(8, 4, 4) -> tokens -> token", "branch1=Stages(learned=Learned((1, 8)))"),
        ("conv(8, 1) -> relu\nlet scale = learned(8)\nmul { identity | scale }", "scale = self.scale(x)"),
        ("conv(4, 4, 4) -> windows(2) { add { identity | learned((4, 4)) } }", "Learned((4, 4))"),
    ],
)
def test_learned_takes_a_tensor_at_hand(model, written) -> None:
    text = checked(of_model(f"{model} -> flatten -> dense(10)", LEARNED))
    assert written in text
    assert "images: Tensor" not in text  # which each class would pass on


@pytest.mark.parametrize(
    ("initial", "written"),
    [
        ("kaiming(fan_out)", 'kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")'),
        ("kaiming(distribution=uniform, gain=linear)", 'kaiming_uniform_(weight, nonlinearity="linear")'),
        ("xavier", "xavier_uniform_(weight)"),
        ("xavier(normal, gain=2.0)", "xavier_normal_(weight, gain=2.0)"),
    ],
)
def test_initial_values_that_depend_on_fans_are_one_statement(initial, written) -> None:
    convolutions = " -> ".join(f"conv({c}, 3, pad=1, init={initial}) -> relu" for c in (8, 8, 16))
    text = checked(of_model(f"{convolutions} -> flatten -> dense(10)"))
    assert f'        if fnmatch(name, "*conv*.weight"):\n            nn.init.{written}\n' in text
    assert text.count("nn.init.") == 1


def test_named_tensors_keep_their_names_in_forward() -> None:
    text = checked(
        of_model("let left = conv(8, 1)\nlet right = left -> relu\nconcat { left | right } -> flatten -> dense(10)")
    )
    assert (
        "        left = self.left(x)\n        right = self.right(left)\n        x = self.concat(left, right)\n" in text
    )


TWO = "block two(c) { let a = conv(c, 1)\nlet b = conv(c, 1)\n[a, b] }"
TREE = "block tree(n) { if n > 0 { add { tree(n - 1) | conv(3, 1) } } else { relu } }"
EVEN = "block even(n) { if n > 0 { odd(n - 1) } }\nblock odd(n) { conv(4, 1)\nif n > 0 { even(n - 1) } }"
KEYWORDS = "block unit(lambda, pass) { conv(lambda, 1)\nif pass { relu } }"

SKIPS = """block skip(c, stride) { if stride > 1 { avgpool(stride) }
    if in_channels != c { conv(c, 1) } }
block unit(c, stride) { add { skip(c, stride) | conv(c, 3, stride, pad=1) -> bn } }"""


@pytest.mark.parametrize(
    ("model", "blocks"),
    [
        (
            "let x = conv(8, 1)\nlet y = x -> relu\nadd { x -> conv(8, 1) | y -> conv(8, 1) } -> flatten -> dense(10)",
            "",
        ),
        ("let (a, b) = two(8)\nadd { a | b } -> flatten -> dense(10)", TWO),
        ("tree(2) -> flatten -> dense(10)", TREE),
        ("even(3) -> flatten -> dense(10)", EVEN),
        ("conv(8, 1) as i -> conv(8, 1) as append -> conv(4, 1) as forward2 -> flatten -> dense(10)", ""),
        ("unit(8, true) -> unit(8, false) -> flatten -> dense(10)", KEYWORDS),
        ("tokens\nconcat { learned((1, 3)) | identity } -> flatten -> dense(10, init=zeros)", ""),
        ("patches(8, 4) -> position_embedding(init=sine) -> attention(2) -> global_avgpool -> dense(10)", ""),
        ("mul { identity | global_avgpool -> dense(3) -> sigmoid } -> flatten -> dense(10, init=unit_variance)", ""),
        ("conv(8, 3, init=dirac, groups=1) -> max(c * 2, h, w -> c, h, w) -> flatten -> dense(10)", ""),
        ("unfold(3, pad=1) -> flatten -> dense(10)", ""),
        ("shake { conv(8, 1) | conv(8, 1) -> shake_drop(0.5) } -> flatten -> dense(10)", ""),
        ("conv(8, 1) -> drop_block(3, 0.2) -> stochastic_pool(2) -> drop_path(0.5) -> flatten -> dense(10)", ""),
        ("mean(drop=0.5, global_share=0.5) for i in 0..3 { conv(8, 1) -> tanh } -> flatten -> dense(10)", ""),
        ("each(c, h, w -> w, c) { attention(1) } -> flatten -> dense(10)", ""),
        ("let x = tanh\nrelu\nadd { x | x | identity } -> flatten -> dense(10)", ""),
        ("let x = tanh\nrelu\nadd { x | conv(3, 1) | x -> relu } -> flatten -> dense(10)", ""),
        ("let x = conv(4, 1)\nlet y = add { x | x -> conv(4, 1) }\ny -> relu -> flatten -> dense(10)", ""),
        ("let x = tanh\nrelu\nshake { x | x -> tanh | x | tanh } -> flatten -> dense(10)", ""),
        ("unit(3, 1) -> unit(8, 2) -> unit(8, 1) -> flatten -> dense(10)", SKIPS),
    ],
)
def test_every_form_is_printed(model: str, blocks: str) -> None:
    checked(of_model(model, blocks))


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("                relu=nn.ReLU(inplace=True),\n", ""),
        ("reduce(torch.add,", "reduce(torch.mul,"),
        ("stride=stride, padding=1", "stride=stride, padding=1, padding_mode='reflect'"),
        ("bn2=", "bn3="),
    ],
    ids=["a dropped relu", "another join", "another padding", "another name"],
)
def test_the_check_finds_what_the_printer_could_do_wrong(find: str, put: str) -> None:
    analysis = of_model("unit(8) -> unit(16, 2) -> unit(16) -> global_avgpool -> dense(10, init=zeros)", RESIDUAL)
    text = pytorch_source(analysis)
    assert find in text
    module = build_module(analysis.graph, "tried", seed=0)
    fill_with_statistics(module, analysis.graph.input)
    with pytest.raises(UserError, match=r"doesn.t compute|other weights"):
        check_source(text.replace(find, put), module, analysis.graph.input)


@pytest.mark.parametrize(
    ("find", "put"),
    [
        ("self.concat(a, b, c)", "self.concat(b, a, c)"),
        ("self.concat(a, b, c)", "self.concat(a, b, b)"),
        ("self.b(a)", "self.b(x)"),
        ("torch.cat(branches, dim=self.dim)", "torch.cat(branches[::-1], dim=self.dim)"),
        ("zip(branches, inputs, strict=True)", "zip(branches, inputs[::-1], strict=True)"),
        ("self.mul(concat, a)", "concat"),
    ],
    ids=["another order", "a tensor twice", "another input", "order in the join", "inputs of branches", "a lost join"],
)
def test_the_check_finds_tensors_that_take_another_way(find: str, put: str) -> None:
    analysis = of_model(
        """let a = conv(3, 1) -> bn
        let b = a -> conv(3, 1) -> bn
        let c = b -> conv(3, 1) -> bn
        let concat = concat { a | b -> relu | c -> tanh } -> conv(3, 1)
        mul { concat | a }
        global_avgpool -> dense(10)"""
    )
    text = pytorch_source(analysis)
    module = build_module(analysis.graph, "tried", seed=0)
    fill_with_statistics(module, analysis.graph.input)
    check_source(text, module, analysis.graph.input)
    assert find in text, text
    with pytest.raises(UserError, match=r"doesn.t compute|other weights|can't be run"):
        check_source(text.replace(find, put), module, analysis.graph.input)


def test_classes_and_tensors_have_names_that_say_what_they_are() -> None:
    text = checked(
        of_model(
            """let first = conv(8, 1) -> relu
            let tensors = [first]
            for count in [2, 3] { tensors = grown(tensors, count) }
            add for tensor in tensors { tensor -> relu } -> global_avgpool -> dense(10)""",
            """block grown(before: list, count: int) {
                let made = before
                let more = add for tensor in before { tensor -> conv(8, 3, pad=1) } -> bn
                made = made + [more]
                made
            }""",
        )
    )
    assert "class Grown2(nn.Module):" in text
    assert "class Grown3(nn.Module):" in text
    assert "def forward(self, before: Tensor, before2: Tensor)" in text


def test_initial_values_are_those_of_the_spec() -> None:
    model = "conv(32, 3, init=kaiming) -> bn -> layernorm -> layer_scale(0.25) -> patches(64, 2, bias_init=zeros)"
    model += "\nattention(4)"
    analysis = of_model(f"{model} -> flatten -> dense(10, init=normal(0.5), bias_init=ones)")
    assert "layernorm" not in pytorch_source(analysis).partition("def initialize")[2].partition("\nclass ")[0]
    wanted = dict(build_module(analysis.graph, "tried", seed=0).named_parameters())
    for name, found in network_of(pytorch_source(analysis)).named_parameters():
        spread = wanted[name].std(correction=0)
        if spread:
            assert abs(found.std(correction=0) / spread - 1) < 0.4, name  # two draws of at least 32 numbers
        else:
            assert torch.equal(found, wanted[name]), name


def test_the_table_of_arguments_is_that_of_torch() -> None:
    printed = {name: one.arguments for name, one in signatures().items()}
    for name, arguments in table().items():
        assert {key: value for key, value in printed[name].items() if key in arguments} == arguments


def test_own_modules_are_read_as_they_are() -> None:
    assert {key: cls.__name__ for key, cls in MODULES.items()} == own_classes()
    text = "\n\n\n".join(one.text for one in needed(set(definitions())))
    assert "extra_repr" not in text
    names: dict[str, object] = {}
    exec(IMPORTS + text, names)
    for cls in MODULES.values():
        own = str(signature(cls)).replace(f"{cls.__module__}.", "")
        assert str(signature(names[cls.__name__])) == own, cls


def test_printing_needs_no_torch() -> None:
    code = (
        "import sys, cifar_dsl\n"
        f"text = cifar_dsl.load({str(shipped_specs()['vit_tiny'])!r}).to_pytorch()\n"
        "assert 'class VitTiny' in text\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SAMPLE = (
    "residual",
    "resnet18",
    "botnet26",
    "densenet121",
    "vit_tiny",
    "swin_t",
    "hrnet_w18_small",
    "res2net50",
    "airbench94",
    "mobilevit_xxs",
    "xcit_nano_12",
)


def test_printed_files_are_formatted(tmp_path: Path) -> None:
    for name in SAMPLE:
        (tmp_path / f"{name}.py").write_text(pytorch_source(analysis_of(name)))
    for name in ("residual", "resnet18"):
        (tmp_path / f"{name}_script.py").write_text(pytorch_source(analysis_of(name), train=True))
    own = "\n\n\n".join(one.text for one in needed(set(definitions())))
    (tmp_path / "own.py").write_text(f"{IMPORTS}{own}\n")
    sines = map(function_of_initialization, ("_places", "_waves", "_sines"))
    (tmp_path / "sines.py").write_text("import torch\n\n\n" + "\n\n\n".join(sines) + "\n")
    ruff = shutil.which("ruff")
    assert ruff
    subprocess.run([ruff, "format", "--isolated", "--diff", tmp_path], check=True)
    subprocess.run([ruff, "check", "--isolated", "--select=E4,E501,E7,E9,F,I,UP,B,SIM", tmp_path], check=True)


@pytest.mark.parametrize("name", ["residual", "shufflenet_v2"])
def test_shipped_specs_are_printed(name: str) -> None:
    checked(analysis_of(name))


def test_the_api_returns_the_text() -> None:
    spec = cifar_dsl.load(shipped_specs()["residual"])
    network = network_of(spec.to_pytorch())
    assert isinstance(network, nn.Module)
    assert [*network.state_dict()] == [*spec.build().state_dict()]


@pytest.mark.parametrize("quote", ['"' * 3, "'" * 3, "\\", "\u2028"])
def test_a_comment_of_a_spec_stays_a_comment(quote: str) -> None:
    text = checked(
        of_model(
            "harm -> flatten -> dense(10)", f"# {quote}\\n import os; os.abort() # {quote}\nblock harm() {{ relu }}"
        )
    )
    assert "os.abort" in text
    (names,) = [one for one in ast.parse(text).body if isinstance(one, ast.ClassDef) and one.name == "Harm"]
    assert "os.abort" in (ast.get_docstring(names) or "")


@pytest.mark.parametrize(
    "harm",
    [
        "import os",
        "from os import path",
        "print(1)",
        "x = 1",
        "class B:\n    y = ().__class__",
        "def f():\n    open('x')",
    ],
)
def test_a_file_that_does_more_than_define_a_network_isnt_run(harm: str) -> None:
    text = checked(of_model("flatten -> dense(10)"))
    with pytest.raises(UserError, match="isn't run"):
        network_of(f"{text}\n{harm}\n")


EXITS = """
block head() { global_avgpool -> dense(16) -> relu -> dropout(0.2) -> dense(10) }
block stage(c: int) {
    add { conv(c, 3, pad=1) -> bn -> relu | conv(c, 1) }
    let early = head -> exit(0.3)
    relu
}
"""


def test_a_network_with_exits_returns_them_in_training_and_skips_them_in_evaluation() -> None:
    analysis = of_model(
        "conv(8, 3, pad=1) -> relu\nstage(8)\nlet late = stage(16) -> head -> exit(0.4)\nstage(16)\n"
        "add { global_avgpool -> dense(10) -> exit(0.1) | global_maxpool -> dense(10) }",
        EXITS,
    )
    text = checked(analysis)
    assert "early = self.early(x) if self.training else None" in text
    assert "exit=" not in text
    assert "-> tuple[Tensor, Tensor | None]:" in text
    assert "        if not self.training:\n            return" in text
    printed, ran = network_of(text).eval(), []
    for name, child in printed.named_modules():
        child.register_forward_hook(lambda _, __, ___, name=name: ran.append(name))
    printed(torch.zeros(2, 3, 16, 16))
    assert "stage.relu" in ran
    assert not [name for name in ran if "early" in name or "late" in name]


def test_a_block_that_passes_its_input_on_beside_an_exit_runs_in_evaluation() -> None:
    text = checked(
        of_model(
            "flatten\nboth { dense(10) | let early = dense(10) -> exit(0.3) }",
            "block both(f: block, g: block) { f -> g }",
        )
    )
    assert "early = self.early(x) if self.training else None" in text


def test_an_exit_may_share_the_head_of_the_network() -> None:
    checked(of_model("let f = tied { flatten -> dense(10) }\nlet early = f -> exit(0.5)\nrelu -> f"))


def test_a_network_that_ends_with_an_exit_returns_one_tensor() -> None:
    text = checked(of_model("flatten -> dense(10) -> exit(0.5)"))
    assert "training" not in text


def test_uses_of_a_tied_block_are_one_module() -> None:
    blocks = "block twice(f: block) { f -> relu -> f }"
    tied = "let f = tied { conv(4, 3, pad=1) -> bn -> relu }\n"
    model = f"{tied}conv(4, 1) -> f -> twice(f)\nadd {{ f | f }} -> global_avgpool -> dense(10)"
    text = "".join(checked(of_model(model, blocks)).split())
    assert 'tie(self,"f","twice.f","twice.f2","add.branch1.f","add.branch2.f"' in text
    sizes = (
        "let g = tied { conv(4, 3, pad=1, bias=false) -> mean(c, h, w -> c) }\nadd { g | maxpool(2) -> g } -> dense(10)"
    )
    assert '"add.branch2.g.conv"' in checked(of_model(sizes))
