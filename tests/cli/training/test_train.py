"""`cifar-dsl train` and `cifar-dsl evaluate`."""

import hashlib
import itertools
import json
import re
import shutil
import signal

import numpy as np
import pytest
from helpers.runs import rewrite

from cifar_dsl.cli import job_plan
from cifar_dsl.runs import open_run
from cifar_dsl.training.learner import Learner


def the_run(tmp_path):
    return open_run(tmp_path / "runs")


def test_results_go_to_stdout_and_everything_else_to_stderr(train, tmp_path):
    outcome = train()
    assert outcome.code == 0
    result, place = outcome.out.splitlines()
    assert re.match(r"tiny on npz, seed 0: accuracy \d+\.\d\d % ", result)
    assert place == f"run: {the_run(tmp_path).path.relative_to(tmp_path)}"
    assert "epoch 1/2  train loss" in outcome.err
    assert "60 + 20 images" in outcome.err
    assert "device  cpu" in outcome.err


def test_quiet_prints_only_the_result(train):
    outcome = train("-q")
    assert outcome.code == 0
    assert [line.partition(":")[0] for line in outcome.err.splitlines()] == ["warning", "  = help", "  = help"]
    assert len(outcome.out.splitlines()) == 2


def test_verbose_also_shows_the_network(train):
    outcome = train("-v")
    assert "conv(4, 3, stride=4)" in outcome.err
    assert len(outcome.out.splitlines()) == 2


def test_a_precision_that_is_slow_here_is_noted(train, monkeypatch):
    monkeypatch.setattr(job_plan, "why_slow", lambda name, _: "it is old" if name == "bf16" else None)
    assert "is slow here" not in train("--set", "train.epochs=1").err
    assert "warning: bf16 is slow here, because it is old" in train("--set", "train.precision=bf16").err
    assert "is slow here" not in train("--set", "train.precision=bf16", "--retrain", "-q").err


@pytest.mark.parametrize(("resources", "is_warned"), [((2, 0, 1), False), ((1, 0, 1), True)])
def test_a_cluster_without_the_resources_for_a_job_is_warned_about(train, monkeypatch, resources, is_warned):
    from cifar_dsl.experiments.jobs import InlineExecutor, ray

    monkeypatch.setattr(ray, "connect", lambda _: None)
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
    monkeypatch.setattr(ray, "RayExecutor", InlineExecutor)
    outcome = train("--executor", "ray", "--threads", 2, "--set", "train.epochs=1")
    assert outcome.code == 0
    assert ("no node has the resources that a job needs" in outcome.err) is is_warned


def test_json_is_a_line_for_each_epoch_and_one_for_the_result(train, tmp_path):
    *epochs, result = map(json.loads, train("--json").out.splitlines())
    run = the_run(tmp_path)
    assert [line["event"] for line in epochs] == ["epoch", "epoch"]
    assert [line["test_loss"] for line in epochs] == [metrics.test_loss for metrics in run.metrics()]
    assert (result["event"], result["status"], result["accuracy"]) == ("result", "finished", run.result().accuracy)
    assert result["data"] == "npz"
    assert tmp_path / result["run"] == run.path


def test_an_existing_run_is_reported_and_not_trained_again(train, tmp_path):
    first = train()
    written = the_run(tmp_path).weights.stat().st_ino
    second = train()
    assert (second.code, second.out) == (0, first.out)
    assert "is already trained on this dataset" in second.err
    assert the_run(tmp_path).weights.stat().st_ino == written
    assert "epoch 1/2" in train("--retrain").err


def test_seed_and_overrides_are_used_and_recorded(train, tmp_path):
    assert train("--seed", 7, "--set", "train.epochs=1", "--set", "train.optimizer.lr=1e-4").code == 0
    run = the_run(tmp_path)
    assert run.record().seed == 7
    assert run.record().spec.overrides[:2] == ("train.epochs=1", "train.optimizer.lr=1e-4")
    assert [metrics.lr for metrics in run.metrics()] == [1e-4]


def test_frequent_settings_have_options_of_their_own(train, tmp_path):
    assert train("--epochs", 1, "--batch", 30, "--lr", "1e-4", "--dry-run").code == 0
    assert train("--epochs", 1, "--batch", 30, "--lr", "1e-4").code == 0
    again = train("--set", "train.epochs=1", "--set", "train.batch=30", "--set", "train.optimizer.lr=1e-4")
    assert "already trained" in again.err
    assert "train.epochs=x" in train("--epochs", "x").err


def test_a_terminal_is_told_what_to_do_next(train, monkeypatch):
    assert "next:" not in train("--epochs", 1).err
    monkeypatch.setattr("cifar_dsl.cli.train.is_terminal", lambda: True)
    assert "next: `cifar-dsl evaluate runs/tiny-" in train("--epochs", 1).err
    assert "next:" not in train("--epochs", 1, "-q").err


def test_a_dry_run_on_a_file_shows_the_fingerprint_and_the_size_that_training_has(cli, train, tiny, pictures, tmp_path):
    outcome = cli("train", tiny, "--dry-run", "--data", f"npz:{pictures}")
    assert outcome.code == 0
    assert f"dataset {(60 + 20) * (3072 + 8) / 1e3:.0f}" in " ".join(outcome.out.split())
    assert not (tmp_path / "runs").exists()
    train()
    assert the_run(tmp_path).record().spec.fingerprint in outcome.out.splitlines()[0]


@pytest.mark.parametrize(("there", "is_warned"), [(250_000, True), (10**9, False), (None, False)])
def test_who_has_too_little_memory_is_warned_first_and_it_is_tried(train, monkeypatch, there, is_warned):
    monkeypatch.setattr("cifar_dsl.cli.job_plan.memory_bytes", lambda _: there)
    outcome = train()
    assert outcome.code == 0
    warned = re.search(r"warning: training tiny takes about (\d+) MB, but cpu has 250 kB of free memory", outcome.err)
    assert bool(warned) == ("of free memory" in outcome.err) == is_warned
    assert not warned or int(warned[1]) > 500  # Python and torch


def test_training_that_diverges_ends_with_1_and_advice_and_is_kept(cli, make_spec, tiny, pictures, tmp_path):
    text = tiny.read_text().replace("lr=1e-3", "lr=1e12").replace("-> relu", "-> relu -> conv(4, 3) -> conv(4, 3)")
    arguments = ("train", make_spec("wild", text), "--data", f"npz:{pictures}", "--device", "cpu")
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert "diverged" in outcome.err
    assert "= help: lower the learning rate" in outcome.err
    assert the_run(tmp_path).result().status == "diverged"
    assert json.loads(cli(*arguments, "--json").out)["status"] == "diverged"


FLAT = """
arch flat
input 3x32x32
model { flatten -> dense(10) }
train { data npz("00")
    epochs 3
    batch 10
    normalize unit
    optimizer adam(lr=LR)
}
"""


@pytest.fixture
def easy(tmp_path) -> str:
    """100 + 100 images whose class is the brightest row."""
    labels = np.arange(100) % 10
    images = np.zeros((100, 32, 32, 3), np.uint8)
    images[np.arange(100), labels] = 255
    np.savez(tmp_path / "easy.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return f"npz:{tmp_path / 'easy.npz'}"


def test_a_training_at_chance_level_says_so_and_what_to_do(cli, tiny, pictures):
    """Also when the run exists, and in JSON; the exit code stays 0."""
    arguments = (tiny, "--data", f"npz:{pictures}", "--device", "cpu", "--runs", "runs")
    for extra in ((), ("--quiet",)):
        outcome = cli("train", *arguments, *extra)
        assert outcome.code == 0
        assert "(chance level) after 2 epochs" in outcome.out
        assert "warning: tiny seed 0 is at chance level: " in outcome.err
        assert "  = help: usually the learning rate is too high: lower it" in outcome.err
    outcome = cli("train", *arguments, "--json")
    assert json.loads(outcome.out.splitlines()[-1])["warning"].startswith("tiny seed 0 is at chance level")
    outcome = cli("compare", *arguments, "--no-train", "--out", "out", "--no-report", "--no-chart")
    assert "warning: tiny seed 0 is at chance level: " in outcome.err


def test_a_training_above_chance_has_no_warning(cli, make_spec, easy):
    outcome = cli("train", make_spec("flat", FLAT.replace("LR", "1e-2")), "--data", easy, "--device", "cpu")
    assert outcome.code == 0
    assert "chance" not in outcome.out + outcome.err


def test_an_existing_run_that_diverged_is_still_a_failure(cli, make_spec, tiny, pictures):
    text = tiny.read_text().replace("lr=1e-3", "lr=1e12").replace("-> relu", "-> relu -> conv(4, 3) -> conv(4, 3)")
    arguments = ("train", make_spec("wild", text), "--data", f"npz:{pictures}", "--device", "cpu")
    assert [cli(*arguments).code, cli(*arguments).code] == [1, 1]


def signal_at(monkeypatch, *steps: int, number: int = signal.SIGINT) -> None:
    """Send a signal in these steps of the training, counted from 1."""
    taken = itertools.count(1)
    step = Learner.step

    def signalled(learner: Learner) -> None:
        step(learner)
        if next(taken) in steps:
            signal.raise_signal(number)

    monkeypatch.setattr(Learner, "step", signalled)


@pytest.mark.parametrize(
    ("number", "code", "step"),
    [
        *((number, 128 + number, step) for number in (signal.SIGINT, signal.SIGTERM) for step in (1, 4, 5, 7)),
        (signal.SIGHUP, 129, 5),
        (signal.SIGUSR1, 128 + signal.SIGUSR1, 4),
    ],
)
def test_a_signal_stops_after_the_step_and_the_same_command_resumes(train, tmp_path, monkeypatch, number, code, step):
    train("--runs", "uninterrupted")
    expected = open_run(tmp_path / "uninterrupted")
    signal_at(monkeypatch, step, number=number)
    outcome = train()
    assert (outcome.code, outcome.out) == (code, "")
    assert "stopping after this step" in outcome.err
    assert "Stopped; progress is saved" in outcome.err
    assert "Rerun the same command to resume" in outcome.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    outcome = train()
    assert outcome.code == 0
    assert "resuming tiny seed 0 at epoch " in outcome.err
    run = the_run(tmp_path)
    assert run.weights.read_bytes() == expected.weights.read_bytes()
    losses = [(metrics.train_loss, metrics.test_loss) for metrics in run.metrics()]
    assert losses == [(metrics.train_loss, metrics.test_loss) for metrics in expected.metrics()]
    (resumption,) = run.record().resumed
    assert (resumption.epoch - 1) * 4 + resumption.steps_done == step


def test_a_second_ctrl_c_stops_at_once(train, tmp_path, monkeypatch):
    step = Learner.step

    def twice(learner: Learner) -> None:
        step(learner)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Learner, "step", twice)
    outcome = train()
    assert outcome.code == 130
    assert outcome.err.endswith("interrupted\n")
    assert not list(tmp_path.glob("runs/*/*/checkpoints/*"))


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_further_signals_of_a_scheduler_do_not_cost_the_checkpoint(train, tmp_path, monkeypatch, first):
    step = Learner.step

    def all_signals(learner: Learner) -> None:
        step(learner)
        for number in (first, first, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)

    monkeypatch.setattr(Learner, "step", all_signals)
    assert train().code == 128 + first
    assert list(tmp_path.glob("runs/*/*/checkpoints/*-step-000000001-*"))


def test_a_signal_that_nohup_ignores_stays_ignored(train, monkeypatch):
    signal_at(monkeypatch, 2, number=signal.SIGHUP)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train().code == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_restart_discards_an_interrupted_run(train, tmp_path, monkeypatch):
    signal_at(monkeypatch, 6)
    train()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    outcome = train("--restart")
    assert outcome.code == 0
    assert "resuming" not in outcome.err
    assert the_run(tmp_path).record().resumed == ()


def test_held_out_images_choose_the_best_epoch(train, tmp_path):
    outcome = train("--validation", 20, "--set", "train.epochs=4")
    run = the_run(tmp_path)
    best = run.result().best
    validated = [metrics.validation_accuracy for metrics in run.metrics()]
    assert best.validation_accuracy == max(validated)
    assert best.epoch == 1 + validated.index(max(validated))
    assert best.accuracy == run.metrics()[best.epoch - 1].test_accuracy
    assert f"best epoch on the held-out images: {best.epoch}" in outcome.out
    assert hashlib.sha256((run.path / "best.safetensors").read_bytes()).hexdigest() == best.weights_digest


def test_control_characters_of_a_file_never_reach_the_terminal(cli, tiny, make_pictures):
    hostile = make_pictures("hostile.npz", origin=np.array("\x1b[31mred\u202e\r"))
    outcome = cli("train", tiny, "--data", f"npz:{hostile}", "--device", "cpu")
    assert outcome.code == 0
    assert not {"\x1b", "\u202e", "\r"} & set(outcome.out + outcome.err)


# ---- what is wrong


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("tinny.arch",), 2, "There is no file tinny.arch. Did you mean tiny.arch?"),
        (("tiny.arch", "--data", "cifra10"), 1, "cifar10"),
        (("tiny.arch", "--data", "npz:missing.npz"), 1, "error: cannot read missing.npz"),
        (("tiny.arch", "--data", "npz:tiny.arch"), 1, "error: tiny.arch is damaged, or not an .npz file"),
        (("tiny.arch", "--device", "gpu"), 2, "'gpu' is not a device; use auto, cpu, cuda"),
        (("tiny.arch", "--dry-run", "--device", "cuda:x"), 2, "'cuda:x' is not a device; use auto, cpu, cuda"),
        (("tiny.arch", "--seed", "-1"), 2, "--seed"),
        (("tiny.arch", "--threads", "0"), 2, "--threads"),
        (("tiny.arch", "--set", "train.bach=1"), 1, "--> --set\n"),
        (("tiny.arch", "--set", "nonsense"), 1, "--> --set\n"),
        ((".",), 2, "'.' is a folder. Name one of its specs: tiny.arch. `cifar-dsl compare .` trains all of them."),
        (("model.arch",), 2, "There is no file model.arch. `cifar-dsl init model` writes one to begin with.\n"),
        (("net.py",), 2, "'net.py' is Python. `cifar-dsl import net.py:NAME` writes the spec of a network in it.\n"),
        (("/",), 2, "'/' is a folder without specs. Name a file, such as mine.arch, or a shipped spec"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_go_to_stderr_and_leave_no_files(cli, tiny, tmp_path, arguments, code, expected):
    (tmp_path / "net.py").write_text("import torch\n")
    outcome = cli("train", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert expected in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_missing_gpu_is_not_replaced(train, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = train("--device", "cuda")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "error: device cuda is not available: torch sees no CUDA GPU\n"
        "  = help: choose the device `auto`, which is the best one here\n"
    )


def test_a_missing_recipe_is_reported_whatever_the_data(cli, make_spec, pictures):
    bare = make_spec("bare", "arch bare\ninput 3x32x32\nmodel { flatten -> dense(10) }\n")
    outcome = cli("train", bare, "--data", f"npz:{pictures}")
    assert (outcome.code, outcome.out) == (1, "")
    assert "`bare` has no recipe" in outcome.err


# ---- evaluate


def test_a_run_is_evaluated_to_the_same_figures(cli, train, tmp_path):
    train()
    outcome = cli("evaluate", the_run(tmp_path).path, "--device", "cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert "same accuracy as after training\n" in outcome.out
    figures = json.loads(cli("evaluate", "runs", "--device", "cpu", "--json").out)
    result = the_run(tmp_path).result()
    assert (figures["accuracy"], figures["loss"]) == (result.accuracy, result.loss)
    assert figures["recorded_accuracy"] == result.accuracy


def test_a_smoothed_loss_is_shown_beside_the_cross_entropy(cli, train, tmp_path):
    """And a plain loss alone."""
    assert "cross-entropy" not in train("--runs", "plain").err
    outcome = train("--set", "train.loss=cross_entropy(label_smoothing=0.2)", "--runs", "smoothed")
    result, metrics = open_run(tmp_path / "smoothed").result(), open_run(tmp_path / "smoothed").metrics()
    assert (result.loss, result.cross_entropy) == (metrics[-1].test_loss, metrics[-1].test_cross_entropy)
    for epoch in metrics:
        assert (
            f"test loss {epoch.test_loss:.4f} (cross-entropy {epoch.test_cross_entropy:.4f}), accuracy" in outcome.err
        )
    both = f"loss {result.loss:.4f} (cross-entropy {result.cross_entropy:.4f})"
    assert both in cli("evaluate", "smoothed", "--device", "cpu").out
    assert f"test {both}, accuracy" in cli("runs", "show", "smoothed").out
    figures = json.loads(cli("evaluate", "smoothed", "--device", "cpu", "--json").out)
    assert figures["cross_entropy"] == result.cross_entropy


def test_data_that_has_moved_is_asked_for_and_taken_from_its_new_place(cli, train, pictures, tmp_path):
    train()
    shutil.move(pictures, tmp_path / "moved.npz")
    outcome = cli("evaluate", "runs", "--device", "cpu")
    assert (outcome.code, outcome.out) == (1, "")
    assert "--data npz:PATH" in outcome.err
    assert cli("evaluate", "runs", "--device", "cpu", "--data", "npz:moved.npz").code == 0


def test_the_origin_recorded_in_a_file_is_no_path(cli, tiny, make_pictures, tmp_path, monkeypatch):
    hearsay = make_pictures("hearsay.npz", origin=np.array("imported from elsewhere"))
    cli("train", tiny, "--data", f"npz:{hearsay.name}", "--device", "cpu")
    monkeypatch.chdir(tmp_path / "runs")
    assert cli("evaluate", ".", "--device", "cpu").code == 0


@pytest.mark.parametrize("accuracy", [2.0, float("nan"), -5, "0.9"])
def test_a_result_that_no_training_has_is_refused(train, tmp_path, accuracy):
    train()
    rewrite(the_run(tmp_path).path / "result.json", lambda fields: fields.update(accuracy=accuracy))
    outcome = train()
    assert (outcome.code, outcome.out) == (1, "")
    assert "result.json is damaged: accuracy is " in outcome.err


def test_the_run_of_another_seed_is_refused_with_advice_that_works(train, tmp_path):
    train()
    place = the_run(tmp_path).path
    place.rename(place.with_name("seed-1"))
    outcome = train("--seed", 1)
    assert (outcome.code, outcome.out) == (1, "")
    own, other = (f"runs/{place.parent.name}/seed-{seed}" for seed in (0, 1))
    assert f"{other} holds another run: tiny with fingerprint {place.parent.name[-12:]} and seed 0" in outcome.err
    assert f"move it to {own}, or remove it" in outcome.err
    place.with_name("seed-1").rename(place)
    assert "already trained" in train().err
    assert train("--seed", 1).code == 0


def test_an_interrupted_run_is_resumed_under_the_other_name(train, cli, tiny, make_spec, pictures, tmp_path):
    train()
    place = the_run(tmp_path).path
    (place / "result.json").unlink()
    place.rename(place.with_name("seed-0.partial"))
    twin = make_spec("twin", tiny.read_text().replace("arch tiny", "arch twin"))
    outcome = cli("train", twin, "--data", f"npz:{pictures}", "--device", "cpu", "--threads", 1)
    assert outcome.code == 0
    assert the_run(tmp_path).path == place
    assert outcome.out.splitlines()[-1] == f"run: {place.relative_to(tmp_path)}"
    assert "resuming twin seed 0 at epoch 1, in the run of tiny, an equivalent spec\n" in outcome.err
    assert the_run(tmp_path).record().spec.name == "tiny"
    assert cli("runs").out.splitlines()[1].split()[0] == "tiny"


def test_a_changed_spec_is_not_resumed(cli, train, tmp_path, monkeypatch):
    train()
    place = the_run(tmp_path).path
    (place / "result.json").unlink()
    place = place.rename(place.with_name("seed-0.partial"))
    (place / "spec.arch").write_text((place / "spec.arch").read_text().replace("relu", "gelu"))
    outcome = cli("train", "--resume", place, "--device", "cpu")
    assert outcome.code == 1
    assert "spec.arch is not the spec that was trained" in outcome.err


def test_a_run_without_the_path_of_its_array_file_asks_for_it(cli, train, tmp_path):
    train()
    record = the_run(tmp_path).path / "run.json"
    rewrite(record, lambda fields: fields["data"].pop("path"))
    outcome = cli("evaluate", "runs", "--device", "cpu")
    assert (outcome.code, outcome.out) == (1, "")
    assert "--data npz:PATH" in outcome.err


def test_a_path_without_npz_is_pointed_out(cli, train, pictures):
    train()
    outcome = cli("evaluate", "runs", "--device", "cpu", "--data", pictures)
    assert (outcome.code, outcome.out) == (1, "")
    assert f"as npz:{pictures}" in outcome.err


def test_other_data_is_named(cli, train, make_pictures):
    train()
    outcome = cli("evaluate", "runs", "--device", "cpu", "--data", f"npz:{make_pictures('other.npz', seed=1)}")
    assert outcome.code == 0
    assert "on other.npz (20 images, other data): accuracy" in outcome.out
    assert "after training" not in outcome.out + outcome.err


def test_damaged_weights_are_refused(cli, train, tmp_path):
    train()
    weights = the_run(tmp_path).weights
    weights.write_bytes(weights.read_bytes()[:-1])
    outcome = cli("evaluate", "runs", "--device", "cpu")
    assert (outcome.code, outcome.out) == (1, "")
    assert "weights.safetensors is not the file that was written" in outcome.err


def test_a_folder_without_a_run_is_refused(cli):
    outcome = cli("evaluate", "nothing")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error: nothing is not a run" in outcome.err


@pytest.mark.parametrize("threads", [0, 99_999])
def test_a_record_with_an_impossible_number_of_threads_is_named(cli, train, tmp_path, threads):
    train()
    run = the_run(tmp_path).path
    rewrite(run / "run.json", lambda fields: fields["environment"].update(threads=threads))
    outcome = cli("evaluate", run, "--device", "cpu")
    assert outcome.code == 1
    assert f"error: {run}/run.json: threads is {threads}, but must be at " in outcome.err
    assert cli("evaluate", run, "--device", "cpu", "--threads", 1).code == 0  # as the message says


# ---- several seeds, and resuming by the run's name


def test_several_seeds_are_trained_and_summed_up(train, tmp_path):
    outcome = train("--seeds", 3, "--seed", 5, "--jobs", 1)
    assert outcome.code == 0
    assert sorted(path.name for path in tmp_path.glob("runs/*/seed-?")) == ["seed-5", "seed-6", "seed-7"]
    *results, summary = outcome.out.splitlines()
    assert len(results) == 6
    assert re.fullmatch(r"3 seeds: accuracy \d+\.\d\d ± \d+\.\d\d %", summary)
    assert "runs: 3 exist, 0 to train" in train("--seeds", 3, "--seed", 5, "--jobs", 1).err


def test_an_interrupted_run_resumes_by_its_path_alone(cli, train, tmp_path, monkeypatch):
    train("--runs", "uninterrupted")
    expected = open_run(tmp_path / "uninterrupted")
    signal_at(monkeypatch, 6)
    train()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    outcome = cli("train", "--resume", partial, "--verbose")
    assert outcome.code == 0
    assert "accuracy" in outcome.out
    assert "conv(4, 3, stride=4)" in outcome.err
    assert the_run(tmp_path).weights.read_bytes() == expected.weights.read_bytes()


def test_a_run_resumes_with_an_array_file_that_has_moved(cli, train, pictures, make_pictures, tmp_path, monkeypatch):
    signal_at(monkeypatch, 6)
    train()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    (partial,) = tmp_path.glob("runs/*/seed-0.partial")
    moved = shutil.move(pictures, tmp_path / "moved.npz")
    without = cli("train", "--resume", partial)
    assert (without.code, without.out) == (1, "")
    assert f"is not at {pictures}" in without.err
    assert "pass its path: --data npz:PATH" in without.err
    other = cli("train", "--resume", partial, "--data", f"npz:{make_pictures('other.npz', seed=1)}")
    assert (other.code, other.out) == (1, "")
    assert "was trained on other data" in other.err
    named = cli("train", "--resume", partial, "--data", "shapes")
    assert (named.code, named.out) == (2, "")
    assert "--data takes npz:PATH, not shapes" in named.err
    assert cli("train", "--resume", partial, "--data", f"npz:{moved}").code == 0
    run = the_run(tmp_path)
    assert len(run.record().resumed) == 1
    assert run.record().data.path == str(moved)
    assert cli("evaluate", run.path, "--device", "cpu").code == 0  # without --data


@pytest.mark.parametrize("arguments", [(), ("tiny.arch", "--resume", "runs")])
def test_either_a_spec_or_a_run_is_trained(cli, tiny, arguments):
    outcome = cli("train", *arguments)
    assert outcome.code == 2
    assert "--resume RUN" in outcome.err


@pytest.mark.parametrize(
    "option",
    [
        ("--dry-run",),
        ("--seed", 1),
        ("--executor", "ray"),
        ("--restart",),
        ("--runs", "x"),
    ],
)
def test_options_that_the_run_records_are_refused_with_resume(cli, tmp_path, option):
    outcome = cli("train", "--resume", tmp_path / "nothing", *option)
    assert outcome.code == 2
    assert f"{option[0]} can't be combined with --resume" in outcome.err


@pytest.mark.parametrize(("option", "needed"), [("--address", "--executor ray"), ("--log-dir", "--log")])
@pytest.mark.parametrize("command", ["train", "compare"])
def test_an_option_that_would_do_nothing_is_wrong_usage(cli, tiny, tmp_path, command, option, needed):
    outcome = cli(command, tiny, option, "x", "--data", "shapes")
    assert outcome.code == 2
    assert f"{option} requires {needed}." in outcome.err
    assert not (tmp_path / "runs").exists()


def test_jobs_is_refused_on_a_cluster(train):
    outcome = train("--executor", "ray", "--jobs", 2)
    assert outcome.code == 2
    assert "--jobs can't be combined with --executor ray" in outcome.err


def test_a_folder_without_a_run_can_not_be_resumed(cli, tmp_path):
    outcome = cli("train", "--resume", tmp_path / "nothing")
    assert outcome.code == 1
    assert "is not a run" in outcome.err


def test_a_profile_shows_where_the_time_goes_and_trains_nothing(train, tmp_path):
    outcome = train("--set", "train.batch=2", "--profile", "trace.json")
    assert outcome.code == 0
    assert [line.split()[0] for line in outcome.out.splitlines()[1:5]] == ["data", "forward", "backward", "optimizer"]
    assert "images/s on" in outcome.out
    assert "perfetto" in outcome.err
    assert (tmp_path / "trace.json").exists()
    assert not (tmp_path / "runs").exists()
