import pytest
from helpers.specs import TRAIN, codes_of, text_of

from cifar_dsl.compiler import DataShape, analyze_text
from cifar_dsl.ir import Recipe, Shape
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.operations.recipe import SETTINGS

MODEL = text_of("flatten -> dense(10)", size="3x32x32")


def recipe_of(*lines: str) -> Recipe:
    recipe = analyze_text(with_lines(*lines)).recipe
    assert recipe
    return recipe


def with_lines(*lines: str) -> str:
    """A spec in which these lines replace the same settings of `train`."""
    settings = {line.split()[0]: line for line in TRAIN.splitlines()[1:-1]} | {line.split()[0]: line for line in lines}
    return MODEL + "train {\n" + "\n".join(settings.values()) + "\n}\n"


def test_defaults() -> None:
    recipe = recipe_of()
    assert recipe.normalize.brief() == "per_channel"
    assert recipe.augment == ()
    assert recipe.schedule.brief() == "constant"
    assert (recipe.loss.name, recipe.loss.arguments()["label_smoothing"]) == ("cross_entropy", 0.0)
    assert recipe.clip.brief() == "none"
    assert recipe.precision == "fp32"
    assert (recipe.drop_last, recipe.average, recipe.test_augment, recipe.groups) == (False, (), (), ())


def test_params_can_be_used_in_train() -> None:
    text = with_lines("batch 2 * size", "optimizer adam(lr=rate)", "epochs size")
    params = "param rate = 3e-4\nparam size = 16\n"
    recipe = analyze_text(text.replace("model {", params + "model {", 1)).recipe
    assert recipe
    assert (recipe.batch, recipe.epochs, recipe.optimizer.arguments()["lr"]) == (32, 16, 3e-4)


def test_a_spec_without_train_has_no_recipe() -> None:
    assert analyze_text(MODEL).recipe is None


@pytest.mark.parametrize("name", [name for name, setting in SETTINGS.items() if setting.default is None])
def test_settings_without_a_default_are_required(name: str) -> None:
    text = "\n".join(line for line in with_lines().splitlines() if line.split()[:1] != [name])
    assert codes_of(text) == ["E0402"]


def test_augmentations_form_a_chain() -> None:
    assert [call.name for call in recipe_of("augment crop(4) -> flip -> cutout(16)").augment] == [
        "crop",
        "flip",
        "cutout",
    ]
    assert recipe_of("augment none").augment == ()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("epochs 0", "E0403"),
        ("average ema(0.9) -> swa(1)", "E0403"),
        ("average swa(10_000)", "E0403"),
        ("augment " + " -> ".join(["flip"] * 33), "E0403"),
        ("augment mixup -> cutmix -> mixup", "E0403"),
        ("test_augment " + " -> ".join(["mirror"] * 5), "E0403"),
        ("augment mixup(0.2) -> flip", "E0403"),
        ("epochs many", "E0403"),
        ("epochs 100_001", "E0403"),
        ("batch 8 -> 9", "E0403"),
        ("batch [8]", "E0403"),
        ("batch 8 as b", "E0403"),
        ("batch repeat 2 { }", "E0403"),
        ("optimizer adm(1)", "E0404"),
        ("optimizer 3", "E0403"),
        ("optimizer adam", "E0303"),
        ("optimizer adam(lr=0)", "E0304"),
        ("optimizer adam(lr=1, betas=[0.9])", "E0304"),
        ("optimizer adam(lr=1) -> sgd(1)", "E0403"),
        ("precision fp8", "E0404"),
        ("augment none -> flip", "E0404"),
        ("augment flip(p=2)", "E0304"),
        ("normalize standardize([0.5], [0.5, 0.5, 0.5])", "E0403"),
        ("data cifar11", "E0404"),
        ('data npz("xyz")', "E0304"),
        ("bacth 8", "E0401"),
        ("schedule.warmup 2", "E0405"),
        ("data cifar100", "E0406"),
    ],
)
def test_invalid_settings(line: str, code: str) -> None:
    assert codes_of(with_lines(line)) == [code]


def test_network_and_data_must_fit() -> None:
    text = text_of("flatten -> dense(7)", size="1x28x28") + TRAIN
    assert codes_of(text) == ["E0407", "E0406"]
    assert codes_of(text_of("relu", size="3x32x32") + TRAIN) == ["E0406"]
    assert codes_of(text_of("", size="3x32x32") + TRAIN) == ["E0406"]


def test_data_known_only_from_a_file_is_checked_when_the_file_exists() -> None:
    analysis = analyze_text(
        text_of("flatten -> dense(7)", size="1x28x28") + TRAIN.replace("cifar10", 'npz("0123abcd")')
    )
    analysis.check_data(DataShape("npz", Shape((1, 28, 28)), 7, 100))
    with pytest.raises(SpecError) as caught:
        analysis.check_data(DataShape("npz", Shape((3, 28, 28)), 5, 100))
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E0407", "E0406"]


def test_a_batch_of_one_is_rejected_if_batch_norm_would_get_a_single_value() -> None:
    text = text_of("flatten -> dense(10) -> bn", size="1x8x8") + TRAIN.replace("cifar10", 'npz("0123abcd")')
    analysis = analyze_text(text.replace("batch 8", "batch 64"))
    analysis.check_data(DataShape("npz", Shape((1, 8, 8)), 10, 66))
    with pytest.raises(SpecError) as caught:
        analysis.check_data(DataShape("npz", Shape((1, 8, 8)), 10, 65))
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E0403"]


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ("augment crop(31)", "augment crop(32)"),
        ("augment crop(31, mode=reflect)", "augment crop(32, mode=reflect)"),
        ("augment translate(31)", "augment flip -> translate(32)"),
        ("augment cutout(32)", "augment flip -> cutout(33)"),
        ("validation 49_999", "validation 50_000"),
    ],
)
def test_what_the_images_are_too_small_or_too_few_for_is_an_error_of_check(most: str, more: str) -> None:
    """Before anything is trained, and without the dataset."""
    analyze_text(with_lines(most))
    assert codes_of(with_lines(more)) == ["E0403"]


def test_each_augmentation_is_checked_against_the_smaller_side() -> None:
    text = text_of("flatten -> dense(10)", size="3x32x8") + TRAIN.replace("cifar10", 'npz("0123abcd")')
    chain = "    augment crop(8) -> flip -> cutout(9) -> translate(7)\n}"
    with pytest.raises(SpecError) as caught:
        analyze_text(text.rstrip().removesuffix("}") + chain)
    assert [each.message.partition(",")[0] for each in caught.value.diagnostics] == [
        "`padding` of `crop` is 8",
        "`size` of `cutout` is 9",
    ]


def test_a_batch_is_compared_with_the_images_of_a_known_dataset() -> None:
    analyze_text(with_lines("batch 50_000", "drop_last true"))
    assert codes_of(with_lines("batch 50_001", "drop_last true")) == ["E0403"]


@pytest.mark.parametrize(
    ("batch", "images", "problem", "advice"),
    [
        (
            64,
            65,
            "with 65 training images and a batch of 64 the last batch has only one",
            "drop that batch with `drop_last true`",
        ),
        (1, 65, "every batch has only one", "choose a larger batch size"),
        (64, 1, "there is only one training image", "train on more images"),
    ],
)
def test_an_error_about_a_batch_of_one_has_advice_that_helps(batch, images, problem, advice) -> None:
    text = text_of("flatten -> dense(10) -> bn", size="1x8x8") + TRAIN.replace("cifar10", 'npz("0123abcd")')
    text = text.replace("batch 8", f"batch {batch}")
    with pytest.raises(SpecError) as caught:
        analyze_text(text).check_data(DataShape("npz", Shape((1, 8, 8)), 10, images))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == f"`bn` can't be trained on a single image, but {problem}"
    assert diagnostic.help[0].startswith(advice)
    if "drop_last" in advice:
        text = text.replace("batch 64", "batch 64\n drop_last true")
        analyze_text(text).check_data(DataShape("npz", Shape((1, 8, 8)), 10, images))


def test_normalisation_constants_are_checked_without_the_data() -> None:
    assert "E0403" in codes_of(with_lines('data npz("00ff")', "normalize standardize(mean=[0.5], std=[0.5])"))
