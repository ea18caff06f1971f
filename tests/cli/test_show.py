"""`cifar-dsl show`."""

import json

import pytest

from cifar_dsl.resources import specs_directory
from cifar_dsl.semantics import analyze_text

BASELINE = specs_directory() / "baseline.arch"

TABLE = """\
baseline  c2103d66e59b

layer        path        output    parameters       macs
--------------------------------------------------------
input                    3x32x32
conv(32, 3)  unit.conv   32x30x30         896    777,600
relu         unit.relu   32x30x30
maxpool(2)   maxpool     32x15x15
conv(64, 3)  unit2.conv  64x13x13      18,496  3,115,008
relu         unit2.relu  64x13x13
maxpool(2)   maxpool2    64x6x6
conv(64, 3)  unit3.conv  64x4x4        36,928    589,824
relu         unit3.relu  64x4x4
flatten      flatten     1024
dense(64)    dense       64            65,600     65,536
relu         relu        64
dense(10)    dense2      10               650        640
--------------------------------------------------------
total                    10           122,570  4,548,608

activations of one image: 95,018 numbers, 380 kB in float32
data          cifar10
normalize     signed
augment       none
epochs        10
batch         64
drop_last     false
optimizer     adam(lr=0.001)
schedule      constant
loss          cross_entropy
clip          none
average       none
test_augment  none
precision     fp32
"""


def test_the_baseline_is_this_table(cli):
    outcome = cli("show", BASELINE)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == TABLE


def test_the_resolved_text_is_a_spec_with_the_same_meaning(cli):
    outcome = cli("show", specs_directory() / "wider.arch", "--resolved", "--set", "train.batch=7")
    assert outcome.code == 0
    assert "extends" not in outcome.out
    shown = json.loads(cli("show", specs_directory() / "wider.arch", "--json", "--set", "train.batch=7").out)
    assert analyze_text(outcome.out).fingerprint == shown["fingerprint"]


def test_json_says_what_the_table_says(cli):
    shown = json.loads(cli("show", BASELINE, "--json").out)
    assert (shown["name"], shown["fingerprint"]) == ("baseline", "c2103d66e59b")
    assert (shown["input"], shown["output"]) == ([3, 32, 32], [10])
    assert (shown["parameters"], shown["macs"]) == (122_570, 4_548_608)
    first = shown["layers"][0]
    assert (first["path"], first["layer"], first["inputs"]) == ("unit.conv", "conv", ["input"])
    assert (first["output"], first["parameters"], first["macs"]) == ([32, 30, 30], 896, 777_600)
    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"]
    assert shown["recipe"]["optimizer"] == "adam(lr=0.001)"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_overrides_are_shown(cli, form):
    assert "586,250" in cli("show", BASELINE, "--set", "head=[512]", *form).out.replace("586250", "586,250")


def test_a_spec_without_a_recipe_can_be_shown(cli, make_spec):
    bare = make_spec("bare", "arch bare\ninput 3x32x32\nmodel { flatten -> dense(10) }\n")
    outcome = cli("show", bare)
    assert outcome.code == 0
    assert outcome.out.endswith("no recipe: this spec can be shown but not trained\n")
    assert json.loads(cli("show", bare, "--json").out)["recipe"] is None


def test_a_wrong_spec_is_explained_on_stderr(cli, wrong):
    outcome = cli("show", wrong)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"--> {wrong}:3:20" in outcome.err


def test_a_missing_file_is_told_the_nearest(cli, tiny):
    outcome = cli("show", "tinny.arch")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no file tinny.arch. Did you mean tiny.arch?" in outcome.err


def test_expand_prints_one_flat_spec(cli):
    outcome = cli("show", specs_directory() / "residual.arch", "--expand")
    assert outcome.code == 0
    assert "    # unit2: unit(64)\n    add {\n        conv(64, 3, pad=1)\n" in outcome.out
    assert not {"block", "for", "param", "extends"} & set(outcome.out.split())


def test_root_widens_what_a_spec_may_extend(cli, tmp_path, make_spec):
    make_spec("base", BASELINE.read_text(encoding="utf-8"))
    (tmp_path / "inner").mkdir()
    inner = tmp_path / "inner" / "mine.arch"
    inner.write_text('arch mine extends "../base.arch"\nparam head = [8]\n', encoding="utf-8")
    refused = cli("show", inner)
    assert refused.code == 1
    assert "`--root`" in refused.err
    assert cli("show", inner, "--root", tmp_path).code == 0
    assert cli("check", inner, "--root", tmp_path).code == 0
    assert cli("train", inner, "--root", tmp_path, "--dry-run").code == 0
    assert cli("check", tmp_path / "inner", "--root", tmp_path).code == 0
