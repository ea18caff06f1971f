"""The Python interface, from a file to a trained and evaluated run."""

import shutil
from pathlib import Path

import pytest
import torch
from helpers.runs import rewrite
from safetensors import safe_open
from safetensors.torch import load_file

import cifar_dsl
from cifar_dsl.api import open_data, open_data_for_all, spec_of_text, with_overrides
from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import DataError, DeviceError, RunError
from cifar_dsl.runs import Run, find_runs
from cifar_dsl.training.datasets import load_dataset
from cifar_dsl.training.device import choose_device
from cifar_dsl.training.weights import evaluate_run

CPU = choose_device("cpu")


@pytest.fixture
def train(tiny, pictures, tmp_path):
    """Train the tiny spec on the generated images by default."""

    def train(spec=tiny, **keywords) -> Run:
        keywords = {"data": f"npz:{pictures}", "device": "cpu", "threads": 1, "runs": tmp_path / "runs"} | keywords
        return cifar_dsl.train(spec, **keywords)

    return train


def evaluate(run: Run, path) -> tuple[float, float]:
    measured = evaluate_run(run, load_dataset("npz", path=path), CPU)
    return measured.loss, measured.accuracy


def test_both_ways_to_train_take_the_number_of_epochs(tiny, train, tmp_path):
    assert [each.epoch for each in train(epochs=1).metrics()] == [1]
    run = train(cifar_dsl.load(tiny), epochs=1.5, overrides=["train.batch=8"], runs=tmp_path / "others")
    assert (run.result().epochs, "train.epochs=1.5" in run.record().spec.overrides) == (1.5, True)


# ---- load


def test_a_spec_is_loaded_with_its_graph_and_recipe(tiny):
    spec = cifar_dsl.load(tiny)
    assert spec.name == "tiny"
    assert [node.path for node in spec.graph.nodes] == ["conv", "relu", "flatten", "dense"]
    assert spec.recipe.batch == 16
    assert cifar_dsl.load(str(tiny)) == spec


def test_a_shipped_spec_is_loaded_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cifar_dsl.load("residual").graph.cost.parameters == 212_714
    (tmp_path / "residual").write_text("arch mine\ninput 3x8x8\nmodel { flatten -> dense(10) }\n")
    assert cifar_dsl.load("residual").name == "mine"


@pytest.mark.parametrize("name", ["residul", "residual.arch"])
def test_a_name_of_no_spec_suggests_the_nearest_shipped_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cifar_dsl.SpecError, match=f"file not found: {name}") as caught:
        cifar_dsl.load(name)
    assert "did you mean the shipped spec `residual`?" in caught.value.diagnostics[0].help


def test_errors_are_raised_with_their_place(make_spec):
    with pytest.raises(cifar_dsl.SpecError) as caught:
        cifar_dsl.load(make_spec(text="arch wrong\ninput 3x32x32\nmodel { flatten -> dens(10) }\n"))
    span = caught.value.diagnostics[0].label.span
    assert (span.line, span.column) == (3, 20)


def test_the_resolved_text_has_the_same_meaning_and_no_base(tiny, make_spec):
    child = make_spec("child", 'arch child extends "tiny.arch"\ntrain { epochs 3 }\n')
    spec = cifar_dsl.load(child, overrides=["train.batch=7"])
    assert "extends" not in spec.text
    assert "batch 7" in spec.text
    assert analyze_text(spec.text).fingerprint == spec.fingerprint
    assert spec.changes == ("epochs 3",)


def test_the_fingerprint_follows_the_meaning_and_not_the_name(tiny, make_spec):
    spec = cifar_dsl.load(tiny)
    same = make_spec("other", "# a comment\n" + tiny.read_text().replace("arch tiny", "arch other"))
    assert cifar_dsl.load(same).fingerprint == spec.fingerprint
    assert cifar_dsl.load(tiny, overrides=["train.epochs=3"]).fingerprint != spec.fingerprint


def test_the_module_has_the_initial_weights_of_a_training(tiny):
    spec = cifar_dsl.load(tiny)
    module = spec.build(seed=3)
    assert isinstance(module, torch.nn.Module)
    assert module(torch.zeros(5, 3, 32, 32)).shape == (5, 10)
    assert sum(p.numel() for p in module.parameters()) == spec.graph.cost.parameters
    again, other = spec.build(seed=3).state_dict(), spec.build(seed=4).state_dict()
    assert torch.equal(module.state_dict()["conv.weight"], again["conv.weight"])
    assert not torch.equal(module.state_dict()["conv.weight"], other["conv.weight"])


# ---- train


def test_a_run_records_its_spec_and_results(train, tiny, pictures):
    run = train(seed=5)
    record, result = run.record(), run.result()
    assert (record.spec.name, record.seed, record.spec.lineage) == ("tiny", 5, ("tiny",))
    assert record.data.digest == load_dataset("npz", path=pictures).digest
    assert (record.data.train_images, record.data.test_images) == (60, 20)
    assert record.data.path == str(pictures)
    assert (record.environment.device, record.environment.threads) == ("cpu", 1)
    assert (result.status, result.epochs) == ("finished", 2)
    assert result.accuracy == run.metrics()[-1].test_accuracy
    assert result.parameters == cifar_dsl.load(tiny).graph.cost.parameters
    assert analyze_text(run.spec_text).fingerprint == record.spec.fingerprint


def test_the_spec_travels_in_the_file_of_weights(train):
    run = train()
    with safe_open(run.weights, "pt") as file:
        assert file.metadata() == {"spec": run.spec_text}
        assert set(file.keys()) == {"conv.weight", "conv.bias", "dense.weight", "dense.bias"}


def test_an_existing_run_is_returned_and_not_trained_again(train):
    run = train()
    written = run.weights.stat().st_ino
    assert train() == run
    assert run.weights.stat().st_ino == written


def test_a_run_that_is_trained_again_has_the_same_bytes(train):
    run = train()
    first = run.weights.read_bytes()
    (run.path / "old").touch()
    assert train(retrain=True) == run
    assert not (run.path / "old").exists()
    assert run.weights.read_bytes() == first


def test_every_seed_and_every_spec_has_a_run_of_its_own(train, tiny, tmp_path):
    runs = [train(), train(seed=1), train(cifar_dsl.load(tiny, overrides=["train.epochs=1"]))]
    assert len({run.path for run in runs}) == 3
    assert len({run.weights.read_bytes() for run in runs}) == 3
    assert len(find_runs(tmp_path / "runs", runs[0].record().spec.fingerprint)) == 2


def test_a_run_is_found_after_its_spec_is_renamed(train, tiny, make_spec):
    run = train()
    renamed = make_spec("other", tiny.read_text().replace("arch tiny", "arch other"))
    assert train(renamed) == run


def test_overrides_are_recorded_and_are_in_the_spec(train, tiny):
    run = train(cifar_dsl.load(tiny, overrides=["train.batch=20"]))
    assert run.record().spec.overrides[0] == "train.batch=20"
    assert "batch 20" in run.spec_text


def test_the_listener_gets_every_event_in_order(train):
    from cifar_dsl.training.events import CheckpointSaved, EpochEnded, StepsDone, TrainingEnded, TrainingStarted

    events = []
    run = train(listener=events.append)
    epochs = [event for event in events if isinstance(event, EpochEnded)]
    assert [event.metrics for event in epochs] == run.metrics()
    assert events == [
        TrainingStarted((0,), 2),
        *(StepsDone(1, 2, step, 4) for step in (1, 2, 3, 4)),
        *(CheckpointSaved(0, 2, 0), epochs[0]),
        *(StepsDone(2, 2, step, 4) for step in (1, 2, 3, 4)),
        *(CheckpointSaved(0, 3, 0), epochs[1]),
        TrainingEnded((str(run.path),)),
    ]


def test_an_interrupted_training_leaves_nothing_in_the_place(train, tmp_path):
    from cifar_dsl.training.events import EpochEnded, Event

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(listener=interrupt)
    (folder,) = (tmp_path / "runs").iterdir()
    assert not (folder / "seed-0").exists()
    assert train().path == folder / "seed-0"
    assert not (folder / "seed-0.partial").exists()


def test_a_run_at_chance_level_is_a_python_warning(train, make_spec, tiny):
    spec = make_spec("still", tiny.read_text().replace("lr=1e-3", "lr=1e-30"))
    for _ in range(2):  # trained, and complete
        with pytest.warns(UserWarning, match="tiny seed 0 is at chance level: .*; usually the learning rate") as caught:
            train(spec)
        assert {Path(each.filename).name for each in caught} == {Path(__file__).name}


def test_training_that_diverges_is_a_run_without_weights(train, make_spec, tiny):
    text = tiny.read_text().replace("lr=1e-3", "lr=1e12").replace("-> relu", "-> relu -> conv(4, 3) -> conv(4, 3)")
    run = train(make_spec("wild", text))
    assert run.result().status == "diverged"
    assert run.result().accuracy is None
    assert run.result().loss is None
    assert not run.weights.exists()
    assert run.metrics() == []
    assert train(make_spec("wild", text)) == run


def test_a_spec_without_a_recipe_cannot_be_trained(make_spec, train):
    spec = make_spec("bare", "arch bare\ninput 3x32x32\nmodel { flatten -> dense(10) }\n")
    with pytest.raises(RunError, match="`bare` has no recipe"):
        train(spec)


def test_a_missing_device_is_reported_before_data_is_read(train):
    with pytest.raises(DeviceError, match="'gpu' is not a device"):
        train(data="npz:missing.npz", device="gpu")


# ---- data


def test_a_file_of_arrays_is_named_by_its_content(tiny, make_pictures, tmp_path):
    def fingerprint(path) -> str:
        return open_data(cifar_dsl.load(tiny), f"npz:{path}")[0].fingerprint

    first, second = make_pictures("first.npz"), make_pictures("second.npz", seed=1)
    before = fingerprint(first)
    assert fingerprint(second) != before
    assert fingerprint(shutil.move(first, tmp_path / "moved.npz")) == before


def test_a_dataset_is_loaded_once_for_all_specs(tiny, pictures):
    opened = open_data_for_all([cifar_dsl.load(tiny)] * 3, f"npz:{pictures}")
    assert len({id(dataset) for _, dataset in opened}) == 1


def test_a_spec_trained_on_a_file_asks_where_it_lies(tiny, pictures):
    spec, dataset = open_data(cifar_dsl.load(tiny), f"npz:{pictures}")
    assert open_data(spec) == (spec, dataset)
    with pytest.raises(DataError, match="needs an array file, whose path isn't in the spec") as caught:
        open_data(spec_of_text(spec.text, tiny))
    assert caught.value.help == ("pass its path as the dataset: npz:PATH",)


def test_a_spec_is_loaded_for_a_dataset_and_keeps_it(make_spec, tiny, make_pictures, tmp_path):
    text = tiny.read_text().replace("input 3x32x32\n", "").replace("dense(10)", "dense(classes)")
    data = f"npz:{make_pictures('gray.npz', size=(28, 28, 1), classes=3)}"
    free = make_spec("free", text)
    spec = cifar_dsl.load(free, data=data)
    assert (spec.graph.input.extents, spec.graph.shape_of(spec.graph.output).extents) == ((1, 28, 28), (3,))
    assert spec.fingerprint == spec_of_text(spec.text, free).fingerprint
    assert spec.fingerprint == spec_of_text(text, free, data=data).fingerprint
    assert with_overrides(spec, "train.batch=8").graph == spec.graph
    assert spec.identity.overrides == (f'train.data=npz("{spec.data.file.digest[:16]}")',)
    options = {"device": "cpu", "threads": 1, "runs": tmp_path / "runs"}
    run = cifar_dsl.train(spec, overrides=["train.epochs=1"], **options)
    assert run.result().epochs == 1
    module = cifar_dsl.load_trained(run)
    assert module(torch.zeros(2, 1, 28, 28)).shape == (2, 3)
    assert cifar_dsl.train(cifar_dsl.load(free), data=data, overrides=["train.epochs=1"], **options).path == run.path
    assert cifar_dsl.train(free, data=data, overrides=["train.epochs=1"], **options).path == run.path


def test_data_that_does_not_fit_the_network_is_refused(make_spec, tiny, pictures, train):
    small = make_spec("small", tiny.read_text().replace("3x32x32", "3x16x16").replace("shapes", 'npz("00")'))
    with pytest.raises(cifar_dsl.SpecError, match="3x32x32"):
        train(small)
    few = make_spec("few", tiny.read_text().replace("dense(10)", "dense(7)").replace("shapes", 'npz("00")'))
    with pytest.raises(cifar_dsl.SpecError, match="10"):
        train(few)


# ---- evaluate


def test_evaluating_a_run_repeats_its_figures_exactly(train, pictures):
    run = train()
    assert evaluate(run, pictures) == (run.result().loss, run.result().accuracy)


def test_other_data_is_refused(train, make_pictures):
    with pytest.raises(DataError, match=r"was trained on other data"):
        evaluate(train(), make_pictures("other.npz", seed=1))


def test_a_spec_with_another_fingerprint_is_refused(train, pictures):
    run = train()
    (run.path / "spec.arch").write_text(run.spec_text.replace("relu", "gelu"))
    for use in (lambda: evaluate(run, pictures), lambda: cifar_dsl.load_trained(run)):
        with pytest.raises(RunError, match=r"spec\.arch is not the spec that was trained"):
            use()


@pytest.mark.parametrize("place", [0, 8, 20, 400, 1000, -1])
def test_a_flipped_bit_in_the_weights_is_noticed(train, pictures, place):
    run = train()
    content = bytearray(run.weights.read_bytes())
    content[place] ^= 1
    run.weights.write_bytes(content)
    with pytest.raises(RunError, match="weights"):
        evaluate(run, pictures)


@pytest.mark.parametrize("place", [0, 8, 20, -1])
def test_damage_of_the_format_is_noticed_without_a_digest(train, pictures, place):
    run = train()
    rewrite(run.path / "result.json", lambda fields: fields.update(weights_digest=None))
    run.weights.write_bytes(run.weights.read_bytes()[:place])
    with pytest.raises(RunError, match="weights"):
        evaluate(run, pictures)


def test_missing_weights_are_named(train, pictures):
    run = train()
    run.weights.unlink()
    with pytest.raises(RunError, match=r"has no weights: .*weights\.safetensors is missing"):
        evaluate(run, pictures)


def test_a_trained_network_is_loaded_again(train):
    run = train(overrides=["train.epochs=2"])
    assert len(run.metrics()) == 2
    module = cifar_dsl.load_trained(run.path)
    weights = load_file(run.weights)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())
    assert not module.training


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_training_computes_gradients_wherever_it_is_called(train, context, tmp_path):
    expected = train(runs=tmp_path / "expected")
    with context():
        run = train()
        assert not torch.is_grad_enabled()
    assert run.weights.read_bytes() == expected.weights.read_bytes()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda spec: spec.train(epoch=3), TypeError, r"^train\(\) got .* argument 'epoch'; did you mean 'epochs'\?$"),
        (lambda spec: spec.train(bogus=3), TypeError, r"^train\(\) got an unexpected keyword argument 'bogus'$"),
        (lambda spec: cifar_dsl.train(spec, thread=3), TypeError, r"^train\(\) .* did you mean 'threads'\?$"),
        (lambda spec: cifar_dsl.compare([spec], seed=3), TypeError, r"^compare\(\) .* did you mean 'seeds'\?$"),
        (lambda spec: spec.train(seed="a"), cifar_dsl.UserError, "seed is 'a', but must be an integer"),
        (lambda spec: spec.train(seed=-1), cifar_dsl.UserError, "seed is -1, but must be an integer of at least 0"),
        (lambda spec: spec.train(threads="a"), cifar_dsl.UserError, "threads is 'a', but must be a number"),
        (lambda _: cifar_dsl.data(3), cifar_dsl.UserError, "data takes the name of a dataset"),
        (lambda _: cifar_dsl.from_torch(3, (3, 32, 32)), cifar_dsl.UserError, "takes a torch.nn.Module, not a int"),
        (
            lambda spec: cifar_dsl.from_torch(spec.build(), "3x8x8"),
            cifar_dsl.UserError,
            "must be the shape of an image",
        ),
        (lambda spec: cifar_dsl.from_torch(spec.build(), (1, 3, 8, 8)), cifar_dsl.UserError, "without the batch"),
    ],
)
def test_wrong_arguments_are_named_as_the_caller_wrote_them(tiny, call, error, message):
    with pytest.raises(error, match=message) as caught:
        call(cifar_dsl.load(tiny))
    assert "--" not in "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])  # options of the shell
