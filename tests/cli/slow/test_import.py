"""`cifar-dsl import`: what is written, and what is refused with which message."""

import pytest
from safetensors.torch import load_file

import cifar_dsl

NETWORKS = """
import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


class Branching(Tiny):
    def forward(self, x):
        return super().forward(x) if x.sum() > 0 else super().forward(-x)


class Counting(Tiny):
    def forward(self, x):
        return super().forward(x) * int(x.abs().max().item())


class Selecting(Tiny):
    def forward(self, x):
        return super().forward(x) + x[x > 0][:10].reshape(1, 10)


class ByCount(Tiny):
    def forward(self, x):
        return super().forward(x) * (2 if len(x) > 1 else 1)


class Raising(Tiny):
    def forward(self, x):
        raise RuntimeError("not today")


class Named(Tiny):
    def forward(self, x):
        return {"scores": super().forward(x)}


class Two(Tiny):
    def forward(self, x):
        return super().forward(x), x


class Odd(Tiny):
    def forward(self, x):
        return super().forward(torch.fft.fft2(x).real)


class Fails(nn.Module):
    def __init__(self):
        raise ValueError("no such thing")


def leaving():
    raise SystemExit(3)


made = Tiny()
number = int
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "networks.py"
    path.write_text(NETWORKS)
    return path


@pytest.mark.parametrize("name", ["Tiny", "made"])
def test_spec_and_weights_are_written(cli, file, tmp_path, name):
    place = tmp_path / "out.arch"
    assert cli("import", f"{file}:{name}", "-o", place, "--yes").code == 0
    spec = cifar_dsl.load(place)
    assert spec.name == name.lower()
    assert spec.warnings == ()
    spec.build().load_state_dict(load_file(place.with_suffix(".safetensors")))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Branching", "can't import the module itself (networks.py:19): it decides by the numbers in a tensor"),
        ("Counting", "can't import the module itself (networks.py:24): it decides by the numbers in a tensor"),
        ("Selecting", "(networks.py:29): the size of a tensor depends on the numbers in another"),
        ("ByCount", "something else for a batch of one image"),
        ("Raising", "why: networks.py:39 fails"),
        ("Two", "its output is a container of 2 tensors"),
        ("Named", "its output is a container of 1 tensor"),
        ("leaving", "raises SystemExit: 3"),
        ("Odd", "fft_fft2"),
        ("Fails", "ValueError: no such thing"),
        ("Countin", "defines no `Countin`\n  = help: did you mean"),
        ("nothing", "it defines `Tiny`, `Branching`"),
        ("number", "makes no torch.nn.Module"),
    ],
)
def test_what_cannot_be_imported_is_named_and_leaves_no_file(cli, file, tmp_path, name, said):
    result = cli("import", f"{file}:{name}", "-o", tmp_path / "out.arch", "--yes")
    assert result.code == 1
    assert said in result.err
    assert "def forward" not in result.err  # torch's graph
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["networks.py"]


def test_a_file_that_defines_nothing_says_so(cli, tmp_path):
    (tmp_path / "empty.py").write_text("")
    result = cli("import", "empty.py:Net", "--yes")
    assert (result.code, "error: empty.py defines no `Net`" in result.err) == (1, True)


def test_another_size_of_image_is_an_error(cli, file, tmp_path):
    result = cli("import", f"{file}:Tiny", "--input", "1x32x32", "-o", tmp_path / "out.arch", "--yes")
    assert result.code == 1
    assert "for an input of 1x32x32" in result.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "nowhere/out.arch"], "can't write nowhere/out.arch: there is no folder nowhere"),
        (["--name", "2 x"], "'2 x' isn't a name"),
    ],
)
def test_options_are_checked_before_the_file_runs(cli, file, options, said):
    file.write_text("raise SystemExit(7)")
    result = cli("import", f"{file}:Tiny", "--yes", *options)
    assert result.code in {1, 2}
    assert said in result.err


def test_nothing_runs_without_consent(cli, file, tmp_path):
    file.write_text("raise SystemExit(7)")
    assert cli("import", f"{file}:Tiny", "-o", tmp_path / "out.arch").code == 2
