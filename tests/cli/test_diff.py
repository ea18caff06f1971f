"""`cifar-dsl diff`."""

import json

import pytest

from cifar_dsl.foundation.resources import specs_directory

SPECS = specs_directory()
BASELINE = SPECS / "baseline.arch"

DIFFERENCE = """\
baseline c2103d66e59b -> batchnorm_before 3bad09c9a433

network
  unit: + bn after conv (3 calls); +320 parameters (+0.26 %)

totals
  parameters          122,570  ->    122,890  +320 (+0.26 %)
  macs              4,548,608  ->  4,548,608  unchanged
  activation bytes    293,248  ->    455,808  +162,560 (+55.4 %)

train: unchanged
"""


def test_a_trick_is_shown_as_its_difference(cli):
    outcome = cli("diff", BASELINE, SPECS / "batchnorm_before.arch")
    assert (outcome.code, outcome.out, outcome.err) == (1, DIFFERENCE, "")


@pytest.mark.parametrize("form", [(), ("--full",)])
def test_specs_that_mean_the_same_end_with_0(cli, make_spec, form):
    other = make_spec("other", BASELINE.read_text(encoding="utf-8").replace("unit(32) -> ", "unit(32)  # first\n"))
    outcome = cli("diff", BASELINE, other, *form)
    assert (outcome.code, outcome.out) == (0, "no difference in meaning\n")


def test_shipped_specs_are_known_by_their_names(cli):
    outcome = cli("diff", "resnet20", "resnet32")
    assert outcome.code == 1
    assert "  unit: 9 calls -> 15 calls; + 2 x unit(16), + 2 x unit(32), + 2 x unit(64); +194,432" in outcome.out


def test_a_file_comes_before_a_shipped_spec_of_its_name(cli, tiny, tmp_path):
    (tmp_path / "baseline").write_bytes(tiny.read_bytes())
    assert cli("diff", "baseline", tiny).code == 0


def test_overrides_apply_to_both(cli, tiny):
    assert cli("diff", tiny, tiny, "--set", "train.batch=20").code == 0
    outcome = cli("diff", BASELINE, SPECS / "wider.arch", "--set", "head=[8]")
    assert (outcome.code, outcome.out) == (0, "no difference in meaning\n")


def test_json_has_the_same_facts(cli):
    outcome = cli("diff", BASELINE, SPECS / "residual.arch", "--set", "train.batch=7", "--json")
    assert outcome.code == 1
    found = json.loads(outcome.out)
    assert found["equal"] is False
    assert (found["a"]["name"], found["b"]["parameters"]) == ("baseline", 212_714)
    first, second = found["network"]
    assert (first["kind"], first["block"], first["parameters"]) == ("replaced", "unit", 90_144)
    assert first["stages"] == ["unit.add", "unit2.add", "unit3.add"]
    assert (second["text"], second["stages"]) == ("+ maxpool(2) after unit3", ["maxpool3"])
    assert found["follows"][0]["shape"] == [[32, 30, 30], [32, 32, 32]]
    assert (found["renamed"], found["train"]) == ([], [])
    same = cli("diff", BASELINE, BASELINE, "--json")
    assert same.code == 0
    assert json.loads(same.out)["equal"] is True


def test_settings_are_data_too(cli):
    found = json.loads(cli("diff", "baseline", "batch_128", "--json").out)
    assert found["train"] == [{"setting": "batch", "before": "64", "after": "128"}]


def test_a_spec_that_is_wrong_ends_with_2(cli, tiny, wrong):
    for names in ((wrong, tiny), (tiny, wrong)):
        outcome = cli("diff", *names)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"--> {wrong}:3:20" in outcome.err


def test_a_missing_spec_exits_with_2(cli, tiny, tmp_path):
    outcome = cli("diff", tiny, "baselin")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no file or shipped spec baselin. Did you mean baseline?" in outcome.err
    assert "Did you mean tiny.arch?" in cli("diff", "tinny.arch", tiny).err
    assert "Did you mean tiny.arch?" in cli("diff", "tiny", tiny).err
    assert "Did you mean" not in cli("diff", tiny.with_name("different.arch"), tiny).err
    (tmp_path / "folder").mkdir()
    outcome = cli("diff", tiny, "folder")
    assert (outcome.code, outcome.out) == (2, "")
    assert "folder is not a run" in outcome.err


def test_help_explains_the_exit_codes(cli):
    outcome = cli("diff", "--help")
    assert outcome.code == 0
    assert "0 if they mean the same, 1 if they differ, and 2" in " ".join(outcome.out.split())
