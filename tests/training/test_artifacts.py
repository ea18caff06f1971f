"""Artifacts, and the tensors of a file that fit a network. Needs no torch."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from helpers.runs import RESULT_OF_RUN, identity, record, write
from helpers.specs import TRAIN, text_of
from safetensors.numpy import save

from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.ir import Standardization
from cifar_dsl.runs import RunWriter, run_path
from cifar_dsl.training.artifacts import check_located, check_seeds, continuing, override_of, read_artifact, used_by
from cifar_dsl.training.starting_weights import match_all, match_weights

SPEC = text_of("conv(4, 3, stride=4) as stem\nflatten -> dense(10) as head", size="3x32x32") + TRAIN


def tensors():
    graph = analyze_text(SPEC).graph
    paths = {f"{node.path}.{one.name}": one.shape for node in graph.nodes for one in node.parameters}
    return {path: np.full(shape, number, np.float32) for number, (path, shape) in enumerate(paths.items())}


@pytest.fixture
def weights(tmp_path):
    """Write tensors to a file, and read it as weights."""

    def read(arrays, name="w.safetensors", **metadata):
        (tmp_path / name).write_bytes(save(arrays, metadata=metadata or None))
        return read_artifact("weights", tmp_path / name)

    return read


def test_weights_are_identified_by_their_tensors_alone(weights):
    arrays = tensors()
    first = weights(arrays)
    assert len(first.record.digest) == 16
    assert first.record.kind == "weights"
    same = weights(dict(reversed(arrays.items())), "moved.safetensors", spec="arch x")
    assert same.record.digest == first.record.digest
    assert same.record.path != first.record.path
    path = next(iter(arrays))
    assert weights(arrays | {path: arrays[path] + 1}).record.digest != first.record.digest
    assert weights(arrays | {path: arrays[path].reshape(-1)}).record.digest != first.record.digest
    assert weights({f"{name}x": array for name, array in arrays.items()}).record.digest != first.record.digest


def test_an_artifact_changes_the_fingerprint_and_nothing_else_does(weights):
    plain = analyze_text(SPEC)
    assert analyze_text(SPEC, overrides=["train.uses=none"]).fingerprint == plain.fingerprint
    overrides = override_of([weights(tensors())], plain.recipe)
    used = analyze_text(SPEC, overrides=overrides)
    assert used.fingerprint != plain.fingerprint
    assert override_of([], used.recipe) == ()
    other = override_of([weights({"a": np.zeros(1)})], used.recipe)
    assert other != overrides  # it replaces that of the same kind
    assert analyze_text(SPEC, overrides=[*overrides, *other]).fingerprint not in {used.fingerprint, plain.fingerprint}


def test_an_artifact_must_be_located_and_be_that_of_the_recipe(weights):
    recipe = analyze_text(SPEC, overrides=['train.uses=weights("0123456789abcdef")']).recipe
    with pytest.raises(RunError, match="`x` uses weights whose path isn't in the spec") as caught:
        check_located("x", recipe, [])
    assert caught.value.help == ("pass the path: --from PATH",)
    with pytest.raises(RunError, match="the weights are not those of the recipe"):
        check_located("x", recipe, [file := weights(tensors())])
    check_located("x", analyze_text(SPEC, overrides=override_of([file], recipe)).recipe, [file])


DISTILLED = SPEC.replace("epochs", "distill soft\nepochs")


@pytest.fixture
def trained(tmp_path):
    """Read an artifact of a run of the spec, whose weights are those of `tensors`."""

    def read(kind, number=0.0, seed=0, epochs=1):
        spec = evolve(identity(), fingerprint=analyze_text(SPEC).fingerprint)
        normalization = Standardization((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
        writer = RunWriter(run_path(tmp_path / f"runs of {number} and {epochs}", spec, seed))
        writer.acquire()
        writer.start(evolve(record(seed=seed), spec=spec, normalization=normalization), SPEC)
        writer.weights.write_bytes(save({name: array + np.float32(number) for name, array in tensors().items()}))
        run = writer.commit(evolve(RESULT_OF_RUN, epochs=epochs))
        writer.close()
        return read_artifact(kind, run.path)

    return read


@pytest.fixture
def teacher(trained):
    """Read a run as a teacher."""
    return partial(trained, "teacher")


def test_a_teacher_is_identified_by_its_spec_weights_and_normalization(teacher):
    first = teacher()
    assert first.artifact.fingerprint == analyze_text(SPEC).fingerprint
    assert first.artifact.digest == first.record.digest
    assert (first.graph, first.normalization.mean) == (analyze_text(SPEC).graph, (0.5, 0.5, 0.5))
    assert teacher(seed=3).artifact == first.artifact
    assert teacher(1.0).artifact != first.artifact
    with pytest.raises(RunError, match="the teacher is not that of the recipe"):
        check_located("x", analyze_text(DISTILLED, overrides=override_of([first], None)).recipe, [teacher(1.0)])


def test_a_recipe_uses_a_teacher_if_it_distills(teacher):
    plain, distilled = analyze_text(SPEC).recipe, analyze_text(DISTILLED).recipe
    file = teacher()
    assert override_of([file], plain) == ()
    assert used_by(plain, [file]) == ()
    assert used_by(distilled, [teacher(1.0), file]) == (file,)
    with pytest.raises(RunError, match="`x` learns from a teacher, and none is given") as caught:
        check_located("x", distilled, [])
    assert "--teacher RUN" in caught.value.help[0]
    taught = analyze_text(DISTILLED, overrides=override_of([file], distilled)).recipe
    check_located("x", taught, [file])
    with pytest.raises(RunError, match="`x` uses a teacher whose path isn't in the spec"):
        check_located("x", taught, [])


def test_a_file_of_weights_is_no_teacher(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(save(tensors()))
    with pytest.raises(RunError, match="is a file, and a teacher is a run"):
        read_artifact("teacher", tmp_path / "x.safetensors")


def test_tensors_of_the_same_path_and_shape_fit(weights):
    arrays = tensors()
    graph = analyze_text(SPEC).graph
    assert match_weights(graph, weights(arrays)).is_whole
    changed = {name: array for name, array in arrays.items() if name != "stem.bias"}
    match = match_weights(graph, weights(changed | {"head.bias": np.zeros(3, np.float32), "old": np.zeros(1)}))
    assert match.copied == ("stem.weight", "head.weight")
    assert match.missing == ("stem.bias",)
    assert match.extra == ("old",)
    assert match.lines("there") == [
        "2 of 4 tensors start from there",
        "other shape there, so newly drawn: head.bias (3 there, 10 here)",
        "missing there, so newly drawn: stem.bias",
        "unused: old",
    ]


def test_weights_of_which_nothing_fits_are_an_error(weights):
    with pytest.raises(RunError, match=r"no tensor of .* fits the network") as caught:
        match_weights(analyze_text(SPEC).graph, weights({"a": np.zeros(1)}))
    assert caught.value.reason.startswith("the file has a; the network has stem.weight, ")


def test_a_training_goes_on_from_weights_of_the_whole_network_only(weights):
    arrays = tensors()
    longer = analyze_text(SPEC, overrides=["train.epochs=3", 'train.uses=weights("0123456789abcdef", epochs=1)'])
    assert longer.recipe.epochs_before == 1
    assert match_all(longer.graph, longer.recipe, [weights(arrays)])
    arrays.popitem()
    with pytest.raises(RunError, match="are the weights of another network, so the training can't go on"):
        match_all(longer.graph, longer.recipe, [weights(arrays)])


def test_the_runs_of_one_spec_continue_as_one(trained):
    first, second, other = (trained("weights", number, number, epochs) for number, epochs in ((0, 1), (1, 1), (0, 2)))
    recipe = analyze_text(SPEC).recipe
    override = continuing(first, recipe)
    assert override == f'train.uses=weights("{analyze_text(SPEC).fingerprint}", epochs=1)' == continuing(second, recipe)
    longer = analyze_text(SPEC, overrides=["train.epochs=3", override]).recipe
    assert override_of([second], longer) == (override,)
    check_located("x", longer, [second])
    with pytest.raises(RunError, match="the weights are not those of the recipe") as caught:
        check_located("x", longer, [other])
    assert "epochs=1" in caught.value.reason
    assert "epochs=2" in caught.value.reason
    check_seeds("x", longer, [second], [1])
    with pytest.raises(RunError, match=r"`x` continues a run, and .* has seed 1, not 3") as caught:
        check_seeds("x", longer, [second], [1, 3])
    assert f"--resume {Path(second.record.path).parent / 'seed-3'} --set train.epochs=3" in caught.value.help[0]
    check_seeds("x", recipe, [second], [3])


@pytest.mark.parametrize("content", [b"", b"arch x", b"\xff" * 8 + b"{}", (2).to_bytes(8, "little") + b"[]"])
def test_a_file_in_another_format_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(RunError, match="is not a file in the safetensors format"):
        read_artifact("weights", tmp_path / "x")


def test_a_run_without_usable_weights_is_refused(tmp_path):
    with pytest.raises(RunError, match="there are no weights at"):
        read_artifact("weights", tmp_path / "nothing")
    with pytest.raises(RunError, match="is not a run"):
        read_artifact("weights", tmp_path)
    (tmp_path / "seed-0.partial").mkdir()
    with pytest.raises(RunError, match="is not complete") as caught:
        read_artifact("weights", tmp_path / "seed-0.partial")
    assert "train --resume" in caught.value.help[0]
    run = write(tmp_path / "runs")
    with pytest.raises(RunError, match="is not a file in the safetensors format"):  # helpers.runs writes other bytes
        read_artifact("weights", run.path)
    run.weights.unlink()
    with pytest.raises(RunError, match="has no weights"):
        read_artifact("weights", run.path)
