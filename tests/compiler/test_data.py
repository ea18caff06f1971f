"""What a spec takes from its dataset: `classes`, and the input of a spec without one."""

import pytest
from helpers.specs import TRAIN, codes_of, errors_of, text_of, write_specs

from cifar_dsl.compiler import Analysis, ChosenData, DataShape, analyze, analyze_text
from cifar_dsl.compiler.lints import fixed
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import Shape
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.language.syntax import print_spec

FREE = "arch test\nmodel { conv(4, 3) -> flatten -> dense(classes) }\n"
FILE = TRAIN.replace("cifar10", 'npz("0123456789abcdef")')
GRAY = ChosenData('npz("0123456789abcdef")', DataShape("npz", Shape((1, 28, 28)), 3, 60))
HUNDRED = ChosenData("cifar100", DataShape("cifar100", Shape((3, 32, 32)), 100, None))


def shape_of(analysis: Analysis) -> tuple[str, str]:
    graph = analysis.graph
    return str(graph.input), str(graph.shape_of(graph.output))


@pytest.mark.parametrize(("name", "outputs"), [("cifar10", "10"), ("cifar100", "100"), ("shapes", "10")])
def test_the_dataset_decides_input_and_classes(name: str, outputs: str) -> None:
    assert shape_of(analyze_text(FREE + TRAIN.replace("cifar10", name))) == ("3x32x32", outputs)
    assert shape_of(analyze_text(FREE + TRAIN, overrides=[f"train.data={name}"])) == ("3x32x32", outputs)


@pytest.mark.parametrize("train", ["", TRAIN, FILE])
def test_a_chosen_dataset_replaces_that_of_the_spec(train: str) -> None:
    assert shape_of(analyze_text(FREE + train, data=GRAY)) == ("1x28x28", "3")
    assert shape_of(analyze_text(FREE + train, data=HUNDRED)) == ("3x32x32", "100")
    assert shape_of(analyze_text(FREE + train, data=GRAY)) == ("1x28x28", "3")


def test_a_chosen_dataset_is_that_of_the_recipe() -> None:
    recipe = analyze_text(FREE + TRAIN, overrides=["train.data=shapes"], data=GRAY).recipe
    assert recipe
    assert recipe.data.brief() == 'npz(digest="0123456789abcdef")'
    assert analyze_text(FREE, data=GRAY).recipe is None


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        ("flatten -> dense(2 * classes) -> dense(classes)", ""),
        ("flatten -> head", "block head(n: int = classes) { dense(n) }"),
        ("flatten -> dense(n)", "param n = classes"),
        ("flatten -> dense(widths[1])", "param widths = [k, classes]\nparam k = classes // 2"),
        ("let n = classes\nflatten -> dense(n)", ""),
        ("flatten\nif classes > 5 { dense(classes) } else { relu }", ""),
        ("flatten -> dense(classes)", "assert params == classes * (3 * 32 * 32 + 1)\nassert classes == 10"),
    ],
)
def test_classes_is_a_value_everywhere(stages: str, items: str) -> None:
    assert shape_of(analyze_text(text_of(stages, items, size="3x32x32") + TRAIN))[1] == "10"


def test_classes_is_a_value_in_the_recipe() -> None:
    train = TRAIN.replace("batch 8", "batch classes").replace("epochs 1", "epochs 2 * classes")
    recipe = analyze_text(FREE + train, overrides=["train.loss=cross_entropy(label_smoothing=1 / classes)"]).recipe
    assert recipe
    assert (recipe.batch, recipe.epochs, recipe.loss.arguments()["label_smoothing"]) == (10, 20, 0.1)


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        ("flatten -> dense(classes) -> dense(10)", "param classes = 7"),
        ("flatten -> head(7) -> dense(10)", "block head(classes: int) { dense(classes) }"),
        ("flatten\nfor classes in [7, 10] { dense(classes) }", ""),
        ("let classes = 7\nflatten -> dense(classes) -> dense(10)", ""),
        ("flatten -> dense(7) -> head(norm=classes)", "block head(norm: none | classes) { dense(10) }"),
        ("flatten -> classes -> dense(10)", "block classes() { dense(7) }"),
        ("flatten -> twice(classes) -> dense(10)", "block classes() { dense(7) }\nblock twice(f: block) { f }"),
        ("let classes = flatten\nclasses -> dense(7) -> dense(10)", ""),
        ("flatten -> dense(7) as classes\ndense(10)", ""),
    ],
)
def test_a_definition_of_the_spec_takes_precedence(stages: str, items: str) -> None:
    analysis = analyze_text(text_of(stages, items, size="3x32x32") + TRAIN)
    assert [node.shape.extents for node in analysis.graph.nodes if node.operation.name == "dense"] == [(7,), (10,)]
    assert analysis.program.bound == {}


def test_a_derived_spec_can_define_the_classes_of_its_base(tmp_path) -> None:
    path = write_specs(tmp_path, child='arch child extends "base.arch"\nparam classes = 3\n', base=FREE + FILE)
    with pytest.raises(SpecError):
        analyze(path)
    path.write_text(path.read_text() + "input 1x28x28\n")
    assert shape_of(analyze(path)) == ("1x28x28", "3")


def test_a_definition_that_no_base_uses_is_still_an_error(tmp_path) -> None:
    base = text_of("flatten -> dense(10)")
    path = write_specs(tmp_path, child='arch child extends "base.arch"\nparam classes = 3\n', base=base)
    with pytest.raises(SpecError) as caught:
        analyze(path)
    assert [one.code for one in caught.value.diagnostics] == ["E0206"]


# ---- the resolved text


@pytest.mark.parametrize("data", [None, GRAY, HUNDRED])
def test_the_resolved_text_holds_the_numbers(data: ChosenData | None) -> None:
    analysis = analyze_text(FREE + TRAIN, data=data)
    text = print_spec(analysis.program.as_spec())
    size, count = shape_of(analysis)
    assert f"input {size}\n" in text
    assert f"param classes = {count}\n" in text
    again = analyze_text(text)
    assert (again.graph, again.recipe, again.fingerprint) == (analysis.graph, analysis.recipe, analysis.fingerprint)
    assert print_spec(again.program.as_spec()) == text


def test_numbers_and_their_names_have_one_fingerprint() -> None:
    written = FREE.replace("classes", "10").replace("model", "input 3x32x32\nmodel")
    assert analyze_text(written + TRAIN).fingerprint == analyze_text(FREE + TRAIN).fingerprint


def test_a_text_that_uses_no_classes_gets_no_param() -> None:
    text = print_spec(analyze_text(text_of("flatten -> dense(10)", size="3x32x32") + TRAIN).program.as_spec())
    assert "classes" not in text


# ---- errors


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (FREE, ["E0106", "E0410"]),
        (FREE + FILE, ["E0410", "E0410"]),
        (FREE.replace("classes", "3"), ["E0106"]),
        (FREE.replace("classes", "3") + FILE, ["E0410"]),
        (FREE.replace("model", "input 3x8x8\nmodel"), ["E0410"]),
        (FREE.replace("model", "input 3x8x8\nmodel") + FILE, ["E0410"]),
        (FREE.replace("classes", "clases") + TRAIN, ["E0202"]),
        (FREE + TRAIN.replace("cifar10", "cifra10"), ["E0404"]),
        (FREE + TRAIN.replace("epochs", "epoch"), ["E0401"]),
        (FREE + "train { epochs 1\n batch 8\n optimizer adam(1e-3) }", ["E0106", "E0410", "E0402"]),
    ],
)
def test_an_unknown_dataset_is_reported_once_for_each_fact(text: str, codes: list[str]) -> None:
    assert codes_of(text) == codes


def test_advice_for_a_dataset_in_a_file() -> None:
    text = FREE + FILE
    no_input, no_classes = errors_of(text)
    assert "pass the file: `--data npz:PATH`" in no_input.help
    assert no_input.help == ("pass the file: `--data npz:PATH`", "or write the size of an image: `input 3x32x32`")
    assert no_classes.help == ("pass the file: `--data npz:PATH`", "or write the number: `param classes = 10`")
    written = text.replace("model", "input 3x32x32\nparam classes = 10\nmodel")
    assert shape_of(analyze_text(written)) == ("3x32x32", "10")
    assert shape_of(analyze_text(text, data=GRAY)) == ("1x28x28", "3")


def test_advice_for_a_spec_without_a_dataset() -> None:
    for one in errors_of(FREE):
        assert any("`train { data cifar10 ... }`" in line for line in one.help)
    assert shape_of(analyze_text(FREE + TRAIN)) == ("3x32x32", "10")


@pytest.mark.parametrize(
    ("stages", "fixed_stages"),
    [
        ("flatten -> dense(10)", "flatten -> dense(classes)"),
        ("flatten -> dense(bias=false, features=10)", "flatten -> dense(bias=false, features=classes)"),
        ("flatten -> dense(10) -> scale(1 / 9)", "flatten -> dense(classes) -> scale(1 / 9)"),
        ("conv(10, 3) -> bn -> relu -> global_avgpool", "conv(classes, 3) -> bn -> relu -> global_avgpool"),
    ],
)
def test_a_number_of_outputs_is_replaced_by_classes(stages: str, fixed_stages: str) -> None:
    text = text_of(stages, size="1x28x28")
    with pytest.raises(SpecError) as caught:
        analyze_text(text, data=GRAY)
    (error,) = caught.value.diagnostics
    assert error.code == "E0406"
    assert error.label
    source = error.label.span.source
    assert fixed(source, [error]) == source.text  # it changes what the spec means
    text = fixed(source, [error], also_unsafe=True)
    assert f"\n{fixed_stages}\n" in text
    assert shape_of(analyze_text(text, data=GRAY))[1] == "3"


@pytest.mark.parametrize(
    ("stages", "items", "help_text"),
    [
        ("flatten -> dense(5 + 5)", "", "end the model with `dense(classes)`"),
        ("flatten -> dense(n)", "param n = 10", "end the model with `dense(classes)`"),
        ("relu", "", "end the model with `flatten -> dense(classes)`"),
        ("flatten -> dense(10)", "block head(classes) { dense(classes) }", "write `dense(3)`"),
        ("flatten -> dense(classes)", "param classes = 10", "write `param classes = 3`, or delete the param: then the"),
    ],
)
def test_advice_for_another_number_of_classes(stages: str, items: str, help_text: str) -> None:
    with pytest.raises(SpecError) as caught:
        analyze_text(text_of(stages, items, size="1x28x28"), data=GRAY)
    (error,) = caught.value.diagnostics
    assert error.code == "E0406"
    assert error.help[0].startswith(help_text)


def test_advice_for_another_size_of_images() -> None:
    text = text_of("flatten -> dense(classes)", size="3x32x32")
    with pytest.raises(SpecError) as caught:
        analyze_text(text, data=GRAY)
    (error,) = caught.value.diagnostics
    assert error.code == "E0407"
    assert error.label
    assert error.help == ("write `input 1x28x28`, or delete the line: then the dataset decides",)
    assert shape_of(analyze_text(fixed(error.label.span.source, [error], also_unsafe=True), data=GRAY))[0] == "1x28x28"
    assert shape_of(analyze_text(text.replace("input 3x32x32\n", ""), data=GRAY))[0] == "1x28x28"


def test_an_override_of_classes_says_who_decides() -> None:
    (error,) = errors_of_override("classes=3")
    assert error.code == "E0405"
    assert error.help == ("`classes` is that of the dataset: choose another with `--data`, or define `param classes`",)


def errors_of_override(text: str):
    with pytest.raises(SpecError) as caught:
        analyze_text(FREE + TRAIN, overrides=[text])
    return caught.value.diagnostics


NETWORKS = sorted(path for path in specs_directory().rglob("*.arch") if path.parent.name != "library")


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_shipped_network_fits_another_number_of_classes(path) -> None:
    assert shape_of(analyze(path, specs_directory(), data=HUNDRED)) == ("3x32x32", "100")
