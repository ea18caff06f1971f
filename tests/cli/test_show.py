"""`cifar-dsl show`."""

import json
import re
import sys
from pathlib import Path

import pytest

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.resources import shipped_specs, specs_directory

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

activations kept for backward: 293 kB per image in float32
data              cifar10
validation        0
normalize         signed
augment           none
epochs            10
early_stopping    none
batch             64
drop_last         false
accumulate        1
optimizer         adam(lr=0.001)
schedule          constant
drop_schedule     constant
loss              cross_entropy
distill           none
keep              all
perturb           none
clip              none
constrain         none
average           none
test_augment      none
uses              none
precision         fp32
weight_precision  fp32
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


def test_json_has_the_same_facts_as_the_table(cli):
    shown = json.loads(cli("show", BASELINE, "--json").out)
    assert (shown["name"], shown["fingerprint"]) == ("baseline", "c2103d66e59b")
    assert (shown["input"], shown["output"]) == ([3, 32, 32], [10])
    assert (shown["parameters"], shown["macs"]) == (122_570, 4_548_608)
    first = shown["layers"][0]
    assert (first["path"], first["layer"], first["inputs"]) == ("unit.conv", "conv", ["input"])
    assert (first["output"], first["parameters"], first["macs"]) == ([32, 30, 30], 896, 777_600)
    assert sum(layer["parameters"] for layer in shown["layers"]) == shown["parameters"]
    assert shown["recipe"]["optimizer"] == "adam(lr=0.001)"


def test_exits_follow_the_table(cli, tmp_path):
    spec = tmp_path / "supervised.arch"
    model = "flatten\nlet early = dense(5) -> dense(10) -> exit(0.3)\ndense(10)"
    spec.write_text(f"arch supervised\ninput 3x4x4\nmodel {{\n{model}\n}}\n", encoding="utf-8")
    table = cli("show", spec).out
    assert "early      0.3  10             305   290\n" in table
    assert "tests run the output alone: 490 parameters, 480 macs\n" in table
    shown = json.loads(cli("show", spec, "--json").out)
    assert (shown["parameters"], shown["macs"]) == (795, 480)
    assert shown["exits"] == [
        {"name": "output", "weight": 1.0, "parameters": 0, "macs": 0},
        {"name": "early", "weight": 0.3, "parameters": 305, "macs": 290},
    ]


def test_json_holds_patterns_as_text(cli, tmp_path):
    spec = tmp_path / "maxout.arch"
    spec.write_text("arch maxout\nmodel { conv(32, 3) -> max(c * 2, h, w -> c, h, w) -> global_avgpool -> dense(10) }")
    shown = json.loads(cli("show", spec, "--json", "--data", "cifar10").out)
    assert shown["layers"][1]["arguments"] == {"pattern": "a * b, c, d -> a, c, d; 16x2x30x30"}


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


def test_a_spec_without_its_suffix_is_suggested(cli, tiny):
    for name, meant in (("tiny", "tiny.arch"), ("tinny", "tiny.arch"), ("baselin", "baseline")):
        outcome = cli("show", name)
        assert (outcome.code, outcome.err.splitlines()[-1]) == (
            2,
            f"Error: There is no file or shipped spec {name}. Did you mean {meant}?",
        )
        assert cli("show", meant).code == 0


def test_the_name_of_a_shipped_spec_stands_for_its_file(cli, make_spec):
    path = shipped_specs()["resnet18"]
    assert cli("show", "resnet18").out == cli("show", path).out
    assert cli("check", "resnet18", "baseline").out == cli("check", path, shipped_specs()["baseline"]).out
    assert cli("diff", "resnet18", path).code == 0
    assert cli("export", "baseline", "--to", "pytorch").code == 0
    own = make_spec("baseline")  # a file of the name, as a shell completes it, isn't one
    assert cli("show", own).out != cli("show", "baseline").out
    Path("resnet18").write_text(own.read_text(encoding="utf-8"), encoding="utf-8")
    assert cli("show", "resnet18").out == cli("show", own).out


@pytest.mark.parametrize("command", [("fmt",), ("check", "--fix")])
def test_a_shipped_spec_is_not_changed_by_its_name(cli, command):
    outcome = cli(*command, "resnet18")
    assert (outcome.code, outcome.out) == (2, "")
    assert "resnet18 is a shipped spec, which isn't changed: name a file." in outcome.err
    assert "There is no file resnet19." in cli(*command, "resnet19").err
    assert "shipped" not in cli(*command, "resnet19").err


def test_a_missing_file_suggests_the_nearest(cli, tiny):
    outcome = cli("show", "tinny.arch")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no file tinny.arch. Did you mean tiny.arch?" in outcome.err
    error = cli("show", "specs/residual.arch").err  # as in a checkout
    assert "There is no file specs/residual.arch. Did you mean residual?" in error
    assert "Did you mean" not in cli("show", "specs/resnet19.arch").err


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("show", "Name a file, such as mine.arch, or a shipped spec, such as resnet18."),
        ("export", "or a shipped spec, such as resnet18, or a run, which `cifar-dsl runs` lists."),
        ("evaluate", "`cifar-dsl runs` lists the runs."),
    ],
)
def test_a_missing_argument_says_what_to_name(cli, command, advice):
    outcome = cli(command)
    assert (outcome.code, outcome.out) == (2, "")
    assert advice in outcome.err


def test_expand_prints_one_flat_spec(cli):
    outcome = cli("show", specs_directory() / "residual.arch", "--expand")
    assert outcome.code == 0
    assert "    # unit2: unit(64)\n    add {\n        conv(64, 3, pad=1)\n" in outcome.out
    assert not {"block", "for", "param", "extends"} & set(outcome.out.split())


def test_root_widens_the_folder_of_extends(cli, tmp_path, make_spec):
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


def test_a_library_is_an_error_with_a_hint(cli):
    outcome = cli("show", specs_directory() / "library" / "convolution.arch")
    assert (outcome.code, outcome.out) == (1, "")
    assert "`convolution` is a library, which has no model" in outcome.err
    assert "`cifar-dsl check` also accepts libraries" in outcome.err


def test_the_margin_has_the_text_of_the_spec(cli, tiny):
    outcome = cli("show", tiny, "--margin", "--set", "train.batch=7")
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = [line for line in outcome.out.splitlines() if line.endswith(" |     conv(4, 3, stride=4) -> relu")]
    assert line.split()[:3] == ["4x8x8", "112", "6,912"]
    for line in tiny.read_text().splitlines():
        assert f" | {line}\n" in outcome.out or not line


def test_mermaid_and_dot_are_texts(cli, tiny):
    mermaid, dot = cli("show", tiny, "--mermaid"), cli("show", tiny, "--dot")
    assert (mermaid.code, mermaid.err, dot.code, dot.err) == (0, "", 0, "")
    assert mermaid.out.startswith("---\ntitle: ")
    assert "\nflowchart TD\n" in mermaid.out
    assert dot.out.startswith('digraph "tiny" {\n')
    assert "conv(4, 3, stride=4)" in mermaid.out
    assert "conv(4, 3, stride=4)" in dot.out


def test_depth_sets_how_far_blocks_are_expanded(cli):
    closed, opened = (cli("show", BASELINE, "--dot", "--depth", depth).out for depth in (0, 1))
    assert "subgraph" not in closed
    assert opened.count("subgraph") == 3


@pytest.mark.parametrize("suffix", ["mmd", "dot", "svg", "png", "PNG", "pdf", "tex"])
def test_a_picture_is_written_in_the_format_of_its_name(cli, tiny, tmp_path, suffix):
    if suffix.lower() == "png":
        pytest.importorskip("resvg_py")
    outcome = cli("show", tiny, "--picture", f"tiny.{suffix}")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"written to tiny.{suffix}\n")
    content = (tmp_path / f"tiny.{suffix}").read_bytes()
    starts = {
        "mmd": b"---\n",
        "dot": b"digraph",
        "svg": b"<?xml",
        "png": b"\x89PNG",
        "PNG": b"\x89PNG",
        "pdf": b"%PDF",
        "tex": b"% tiny",
    }
    assert content.startswith(starts[suffix])


def test_a_missing_package_for_pictures_is_reported(cli, tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    outcome = cli("show", tiny, "--picture", "tiny.png")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(
        "error: a picture in PNG needs resvg-py, which is not installed\n"
        "  = help: install the extra: pip install 'cifar-dsl[pictures]'\n"
    )
    assert not (tmp_path / "tiny.png").exists()
    assert cli("show", tiny, "--picture", "tiny.svg").code == 0


def test_a_picture_has_a_direction_a_theme_and_a_ground(cli, tiny, tmp_path):
    def drawn(*options: str) -> str:
        assert cli("show", tiny, "--picture", "tiny.svg", *options).code == 0
        return (tmp_path / "tiny.svg").read_text()

    plain = drawn()
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', plain).groups()
    assert float(width) < float(height)
    wide, high = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn("--direction", "right")).groups()
    assert float(wide) > float(high)
    assert 'height="100%" fill="#ffffff"' in plain
    assert 'height="100%" fill="#14171b"' in drawn("--theme", "dark")
    assert 'height="100%"' not in drawn("--transparent")
    assert "flowchart LR" in cli("show", tiny, "--mermaid", "--direction", "right").out
    assert 'rankdir="LR"' in cli("show", tiny, "--dot", "--direction", "right").out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--margin", "--json"), "--margin can't be combined with --json."),
        (("--dot", "--mermaid"), "--dot can't be combined with --mermaid."),
        (("--expand", "--picture", "a.svg"), "--expand can't be combined with --picture."),
        (("--depth", "1"), "--depth requires --picture, --mermaid or --dot."),
        (("--direction", "right"), "--direction requires --picture, --mermaid or --dot."),
        (("--dot", "--theme", "dark"), "--theme requires --picture with .svg, .png, .pdf or .tex."),
        (("--picture", "a.mmd", "--transparent"), "--transparent requires --picture with .svg, .png, .pdf or .tex."),
        (("--margin", "--depth", "1"), "--depth requires --picture, --mermaid or --dot."),
        (("--dot", "--depth", "-1"), "-1 is not in the range x>=0."),
        (("--picture", "a.jpg"), "'a.jpg' does not end in .svg, .png, .pdf, .tex, .mmd or .dot."),
        (("--picture", "svg"), "'svg' does not end in .svg, .png, .pdf, .tex, .mmd or .dot."),
        (("--picture", "missing/a.svg"), "there is no folder 'missing'."),
    ],
)
def test_options_that_make_no_sense_together(cli, tiny, options, expected):
    outcome = cli("show", tiny, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err
