"""The zoo's counts are those that others have published, and its files are short."""

import csv
from pathlib import Path

import pytest

from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.foundation.resources import specs_directory

FILES = {path.stem: path for folder in ("zoo", "records") for path in (specs_directory() / folder).glob("*.arch")}
_LINES = Path(__file__).with_name("published.csv").read_text(encoding="utf-8").splitlines()
PUBLISHED = {row["network"]: row for row in csv.DictReader(line for line in _LINES if not line.startswith("#"))}
# Rounded as the papers print them, in millions.
PAPERS = {
    "resnet20": 0.27,
    "resnet32": 0.46,
    "resnet44": 0.66,
    "resnet56": 0.85,
    "resnet110": 1.7,
    "wide_resnet28_10": 36.5,
    "rcnn_160": 1.86,
    "rcnn_96": 0.67,
}


@pytest.fixture(scope="module")
def analyses() -> dict[str, Analysis]:
    return {name: analyze(path) for name, path in FILES.items()}


def test_every_network_has_a_published_count() -> None:
    assert FILES.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_are_the_published_ones(name: str, analyses: dict[str, Analysis]) -> None:
    cost, row = analyses[name].graph.cost, PUBLISHED[name]
    assert cost.parameters == int(row["parameters"])
    if row["macs"]:
        assert cost.macs == int(row["macs"])


@pytest.mark.parametrize("name", PAPERS)
def test_counts_round_to_those_of_the_papers(name: str, analyses: dict[str, Analysis]) -> None:
    digits = len(str(PAPERS[name]).partition(".")[2])
    assert round(analyses[name].graph.cost.parameters / 1e6, digits) == PAPERS[name]


def test_nfnet_f0_has_as_many_parameters_with_1000_classes_as_the_paper_prints(analyses: dict[str, Analysis]) -> None:
    more = 990 * (3072 + 1)
    assert round((analyses["nfnet_f0"].graph.cost.parameters + more) / 1e6, 1) == 71.5


@pytest.mark.parametrize("name", FILES)
def test_it_is_short_and_called_after_its_file(name: str, analyses: dict[str, Analysis]) -> None:
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= 70
    assert analyses[name].program.name.text == name


@pytest.mark.parametrize("name", FILES)
def test_it_names_its_source_and_trains_on_cifar10(name: str, analyses: dict[str, Analysis]) -> None:
    head = FILES[name].read_text(encoding="utf-8").partition("arch ")[0]
    recipe = analyses[name].recipe
    assert head.startswith("# ")
    assert recipe
    assert recipe.data.name == "cifar10"


@pytest.mark.parametrize("name", ["resnet32", "resnet44", "resnet56", "resnet110"])
def test_deeper_resnets_are_three_lines(name: str) -> None:
    lines = FILES[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[1] == f'arch {name} extends "resnet20.arch"'


def test_preactivation_says_only_what_differs() -> None:
    lines = FILES["preact_resnet18"].read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if not line.startswith("#")]
    assert said[0] == 'arch preact_resnet18 extends "resnet18.arch"'
    assert len(said) == 3
