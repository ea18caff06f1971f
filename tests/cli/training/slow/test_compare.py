"""`cifar-dsl compare`."""

import csv
import errno
import html
import json
import re
import shlex
import shutil
import sys
from datetime import datetime

import numpy as np
import pytest
from helpers.runs import reseal, rewrite

from cifar_dsl import api
from cifar_dsl.experiments.comparison.images import SHOWN
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import PREDICTIONS, RunWriter, find_runs
from cifar_dsl.runs.predictions import write_predictions
from cifar_dsl.training.datasets import load_dataset

WIDER = 'arch wider extends "tiny.arch"\n\nmodel {\n    conv(8, 3, stride=4) -> relu -> flatten -> dense(10)\n}\n'
LONGER = 'arch longer extends "tiny.arch"\n\ntrain { epochs 3 }\n'


@pytest.fixture
def specs(make_spec, tiny):
    """A base and two specs that extend it; the base is not the first by name."""
    make_spec("wider", WIDER)
    make_spec("longer", LONGER)
    return tiny.parent


@pytest.fixture
def compare(cli, specs, pictures):
    return lambda *more: cli("compare", specs, "--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1, *more)


def table(outcome) -> dict[str, list[str]]:
    """The table's lines by the spec's name."""
    return {line.split()[0]: line.split() for line in outcome.out.split("\n\n")[0].splitlines()[1:]}


def test_every_spec_is_trained_and_compared_with_its_base(compare, tmp_path):
    outcome = compare("--seeds", 2)
    assert outcome.code == 0
    assert list(table(outcome)) == ["tiny", "longer", "wider"]
    assert "difference: from tiny" in outcome.out
    assert "runs: 0 exist, 6 to train" in outcome.err
    assert len(list(tmp_path.glob("runs/*/seed-?"))) == 6


def test_no_report_or_table_holds_the_folder_of_the_data(compare, pictures, tmp_path):
    """A report is passed on; the name and the digest identify an array file."""
    outcome = compare("--out", "report")
    written = [path for path in (tmp_path / "report").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".html", ".json", ".md"}
    for text in (outcome.out, *(path.read_text("utf-8", errors="replace") for path in written)):
        assert str(pictures.parent) not in text
    data = json.loads((tmp_path / "report/comparison.json").read_text())["data"]
    assert (data["origin"], data["path"]) == (pictures.name, None)
    assert f"npz ({pictures.name}; 60 + 20 images, digest {data['digest'][:12]})" in " ".join(outcome.out.split())


def test_only_missing_runs_are_trained(compare, train, specs):
    train("-q")
    assert "runs: 1 exist, 2 to train" in compare().err
    assert "runs: 3 exist, 0 to train" in compare().err
    assert "runs: 3 exist, 3 to train" in compare("--seeds", 2).err


def test_no_train_compares_existing_runs(compare, train, tmp_path):
    train("-q")
    outcome = compare("--no-train")
    assert outcome.code == 1  # two specs have nothing to compare
    assert "no run" not in " ".join(table(outcome)["tiny"])
    assert all("no run" in " ".join(table(outcome)[name]) for name in ("wider", "longer"))
    assert len(list(tmp_path.glob("runs/*/seed-?"))) == 1


def test_runs_with_other_settings_are_pointed_out_and_results_are_kept(compare, cli, specs, pictures, tmp_path):
    compare("--set", "train.epochs=1")
    written = (tmp_path / "comparison" / "comparison.md").read_bytes()
    outcome = compare("--no-train")
    assert outcome.code == 1
    assert "nothing is written to comparison, because no spec has a run in runs" in outcome.err
    assert (tmp_path / "comparison" / "comparison.md").read_bytes() == written
    advice = re.search("has runs with other settings; to compare those, add (.*)", outcome.err)
    assert advice
    assert advice.group(1) == f"--set train.epochs=1 --data npz:{pictures}"
    followed = cli("compare", specs, "--no-train", *shlex.split(advice.group(1)))
    assert (followed.code, "written to comparison" in followed.err) == (0, True)


def test_an_interrupted_run_of_the_same_settings_is_no_other_run(compare, train, tmp_path):
    train("-q", "--set", "train.epochs=1")
    (run,) = tmp_path.glob("runs/tiny-*/seed-0")
    (run / "result.json").unlink()
    run.rename(f"{run}.partial")
    assert "has runs with other settings" not in compare("--no-train", "--set", "train.epochs=1").err
    assert "has runs with other settings" in compare("--no-train").err


def test_a_run_at_chance_level_of_equal_specs_is_reported_once(compare, make_spec, tiny):
    make_spec("twin", tiny.read_text().replace("arch tiny", "arch twin"))
    outcome = compare("--set", "train.optimizer=adam(lr=1e-9)")
    assert outcome.err.count("warning: tiny seed 0 is at chance level") == 1


def test_all_outputs_agree(compare, tmp_path):
    outcome = compare("--seeds", 2)
    folder = tmp_path / "comparison"
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"comparison.{suffix}" for suffix in ("csv", "json", "md", "png", "svg", "tex")),
        "report.html",
    ]
    with (folder / "comparison.csv").open() as file:
        lines = {line["spec"]: line for line in csv.DictReader(file)}
    rows = {row["name"]: row for row in json.loads((folder / "comparison.json").read_text())["rows"]}
    markdown = (folder / "comparison.md").read_text()
    assert set(lines) == set(rows) == set(table(outcome)) == {"tiny", "wider", "longer"}
    for name, row in rows.items():
        assert float(lines[name]["mean"]) == row["mean"]
        assert [float(text) for text in lines[name]["accuracies"].split()] == row["accuracies"]
        shown = f"{100 * row['mean']:.2f} ± {100 * row['deviation']:.2f} %"
        assert shown in outcome.out
        assert f"| {name} | " in markdown
        difference = f"{100 * row['effect']['difference']:+.2f}" if row["effect"] else ""
        assert f" | {shown} | 2 | {difference} | " in markdown


def test_figures_are_those_of_the_runs(compare, tmp_path):
    compare("--no-chart")
    rows = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"]
    for row in rows:
        (run,) = find_runs(tmp_path / "runs", row["fingerprint"])
        assert row["accuracies"] == [run.result().accuracy]
        assert row["parameters"] == run.result().parameters


def test_another_baseline_can_be_chosen(compare):
    outcome = compare("--baseline", "wider")
    assert next(iter(table(outcome))) == "wider"
    assert "difference: from wider" in outcome.out


def test_a_baseline_that_is_none_of_the_specs_is_refused_before_training(compare, tmp_path):
    outcome = compare("--baseline", "widr")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error: the baseline widr is not among the specs" in outcome.err
    assert "choose one of longer, tiny, wider" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_errors_are_shown_before_training(compare, wrong):
    outcome = compare()
    assert outcome.code == 1
    assert outcome.err.index(f"{wrong.name}:3:20") < outcome.err.index("runs: 0 exist, 3 to train")


def test_a_run_that_diverged_is_shown_and_not_averaged(compare, tmp_path):
    outcome = compare("--set", "train.optimizer=sgd(lr=1e12)", "--set", "train.clip=none", "--seeds", 2)
    rows = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"]
    assert any(row["diverged"] == 2 for row in rows)
    for row in rows:
        assert len(row["accuracies"]) + row["diverged"] == 2
        if row["diverged"] == 2:
            assert row["mean"] is None
            assert "diverged" in table(outcome)[row["name"]]
            assert outcome.code == 1


def test_a_training_that_failed_is_shown_and_not_averaged_and_the_same_command_resumes(
    compare, cli, tmp_path, monkeypatch
):
    commit = RunWriter.commit

    def fail(writer, result):
        if "wider" in writer.path.parent.name:
            raise RunError("the disk is full", "make room there")
        return commit(writer, result)

    monkeypatch.setattr(RunWriter, "commit", fail)
    outcome = compare("--seeds", 2)
    assert outcome.code == 1
    assert outcome.err.count("wider seed 0 could not be trained: the disk is full") == 1
    assert "  = note: for the same reason, could not be trained: wider seed 1\n" in outcome.err
    assert "failed" in table(outcome)["wider"]
    assert "failed" not in table(outcome)["longer"]
    rows = json.loads((tmp_path / "comparison/comparison.json").read_text())["rows"]
    assert [row["failed"] for row in rows] == [0, 0, 2]
    assert cli("runs").out.count("failed at epoch 2 of 2") == 2
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    outcome = compare("--seeds", 2)
    assert outcome.code == 0
    assert "failed" not in table(outcome)["wider"]
    assert list(tmp_path.glob("runs/**/failure.json")) == []


def test_a_bug_in_a_training_is_reported_with_its_spec_and_the_others_continue(compare, tmp_path, monkeypatch):
    commit = RunWriter.commit
    monkeypatch.setattr(
        RunWriter, "commit", lambda self, result: commit(self, result) if "tiny" in self.path.parent.name else 1 / 0
    )
    outcome = compare()
    assert outcome.code == 101
    assert outcome.err.count("this is a bug in cifar-dsl") == 1
    assert "  = note: for the same reason, could not be trained: wider seed 0\n" in outcome.err
    (report,) = [path.read_text(encoding="utf-8") for path in (tmp_path / "state/bugs").iterdir()]
    assert "command: cifar-dsl compare" in report
    assert "ZeroDivisionError" in report
    assert "epochs 3" in report
    assert table(outcome)["tiny"][3] != "failed"


def test_the_chart_is_an_svg_and_where_resvg_is_also_a_png(compare, tmp_path, monkeypatch):
    pytest.importorskip("resvg_py")
    charts = [tmp_path / "comparison" / f"comparison.{suffix}" for suffix in ("svg", "png")]
    assert compare().code == 0
    assert all(chart.exists() for chart in charts)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    outcome = compare("--no-train")
    assert outcome.code == 0
    assert "comparison.png not written: PNG needs resvg-py (pip install 'cifar-dsl[pictures]')\n" in outcome.err
    assert [chart.exists() for chart in charts] == [True, False]
    compare("--no-train", "--no-chart")
    assert not any(chart.exists() for chart in charts)


def pretend_other_data(record) -> None:
    rewrite(record, lambda fields: fields["data"].update(digest="0" * 64))


def test_runs_on_different_data_are_refused_where_none_was_opened(cli, specs, compare, pictures, tmp_path):
    compare()
    pretend_other_data(next(tmp_path.glob("runs/wider-*/seed-0/run.json")))
    digest = load_dataset("npz", path=pictures).digest[:16]
    outcome = cli("compare", specs, "--no-train", "--set", f'train.data=npz("{digest}")')
    assert (outcome.code, outcome.out) == (1, "")
    assert "error: the runs used different data" in outcome.err


def test_a_stray_run_on_other_data_takes_no_part(compare, tmp_path):
    compare("--seeds", 2)
    pretend_other_data(next(tmp_path.glob("runs/wider-*/seed-1/run.json")))
    for more in ((), ("--no-train",)):
        outcome = compare(*more)
        assert outcome.code == 0
        rows = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"]
        assert {row["name"]: len(row["accuracies"]) for row in rows} == {"tiny": 2, "longer": 2, "wider": 1}


def test_specs_of_one_meaning_share_their_runs(compare, make_spec, tiny, tmp_path):
    make_spec("twin", tiny.read_text().replace("arch tiny", "arch twin"))
    outcome = compare("--seeds", 2)
    assert outcome.code == 0
    assert "runs: 0 exist, 6 to train" in outcome.err
    assert table(outcome)["twin"][1:4] == table(outcome)["tiny"][1:4]
    assert len(list(tmp_path.glob("runs/*/seed-?"))) == 6


def test_different_specs_of_one_name_are_refused(cli, make_spec, tiny, pictures, tmp_path):
    for folder, epochs in (("a", 1), ("b", 2), ("c", 2)):
        (tmp_path / folder).mkdir()
        for name in ("x", "y"):
            text = f'arch {name} extends "../tiny.arch"\ntrain {{ epochs {epochs} }}\n'
            (tmp_path / folder / f"{name}.arch").write_text(text)
    options = ("--root", ".", "--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1)
    refused = cli("compare", "a", "b", "c", *options)
    assert refused.code == 1
    names = "different specs are named `x`: a/x.arch, b/x.arch; different specs are named `y`: a/y.arch, b/y.arch"
    assert f"error: {names}\n" in refused.err
    assert "give each spec a name of its own in its first line, such as `arch x` in a/x.arch" in refused.err
    assert not (tmp_path / "runs").exists()
    same = cli("compare", "b/x.arch", "c/x.arch", "tiny.arch", *options, "--baseline", "x")
    assert list(table(same)) == ["x", "tiny"]


def test_different_specs_of_one_name_are_told_apart_by_their_files(cli, make_spec, tiny, pictures, tmp_path):
    for student, epochs in (("ada", 3), ("bob", 4)):
        make_spec(student, f'arch net extends "tiny.arch"\ntrain {{ epochs {epochs} }}\n')
    options = ("--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1)
    outcome = cli("compare", "ada.arch", "bob.arch", "tiny.arch", *options, "--baseline", "bob")
    assert outcome.code == 0
    assert "2 different specs are named `net`; here each has the name of its file" in outcome.err
    assert list(table(outcome)) == ["bob", "ada", "tiny"]
    assert {path.name.partition("-")[0] for path in tmp_path.glob("runs/*-*")} == {"net", "tiny"}


def test_a_spec_keeps_its_name_when_another_appears(cli, make_spec, tiny, pictures, tmp_path):
    """The name is that of the first line, whatever the file is called and whichever specs are compared with it."""
    options = ("--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1)
    renamed = make_spec("called_otherwise", LONGER)
    for specs in ([renamed], [renamed, tiny], [tiny, renamed]):
        outcome = cli("compare", *specs, *options, "--baseline", "longer")
        assert next(iter(table(outcome))) == "longer"
    refused = cli("compare", renamed, tiny, *options, "--baseline", "called_otherwise.arch")
    assert refused.code == 1
    assert "choose one of longer, tiny" in refused.err


def test_runs_whose_records_name_an_odd_path_are_compared_without_pictures(compare, cli, specs, pictures, tmp_path):
    compare("-q")
    for record in tmp_path.glob("runs/*/seed-0/run.json"):
        rewrite(record, lambda fields: fields["data"].update(path="~nosuchuser/x.npz"))
    assert "data:image/png" in (tmp_path / "comparison/report.html").read_text(encoding="utf-8")
    digest = load_dataset("npz", path=pictures).digest[:16]
    assert cli("compare", specs, "--no-train", "--set", f'train.data=npz("{digest}")').code == 0
    assert "data:image/png" not in (tmp_path / "comparison/report.html").read_text(encoding="utf-8")


def test_a_recipe_that_does_not_fit_the_data_is_reported_before_training(compare, tmp_path):
    outcome = compare("--set", "train.validation=2000")
    assert (outcome.code, outcome.out) == (1, "")
    assert "error[E0403]" in outcome.err
    assert "holds out 2,000 images, but there are only 60" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_cannot_be_written_is_reported_before_training(compare, tmp_path):
    (tmp_path / "file").write_text("mine")
    outcome = compare("--out", tmp_path / "file/inside")
    assert outcome.code == 1
    assert "Not a directory" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_is_reported_and_the_table_is_shown(compare, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cifar_dsl.experiments.comparison.report.render_report", full)
    outcome = compare()
    assert outcome.code == 1
    assert list(table(outcome)) == ["tiny", "longer", "wider"]
    assert "can't write comparison: No space left on device" in outcome.err
    assert "= help: free some space on that disk, then rerun the command" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_run_that_came_meanwhile_is_not_trained_again(compare, monkeypatch, tmp_path):
    compare()
    looks = iter([None, None, None])  # the first look at each spec finds nothing
    find = api.find_run
    monkeypatch.setattr(
        api, "find_run", lambda *arguments: next(looks) if looks.__length_hint__() else find(*arguments)
    )
    written = {path: path.stat().st_ino for path in tmp_path.glob("runs/*/seed-0/run.json")}
    assert "3 to train" in compare().err
    assert {path: path.stat().st_ino for path in tmp_path.glob("runs/*/seed-0/run.json")} == written


def test_the_same_comparison_at_the_same_time_is_the_same_bytes(compare, monkeypatch, tmp_path):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 1, 2, 3, 4, tzinfo=tz)

    monkeypatch.setattr("cifar_dsl.cli.results.datetime", Clock)
    compare()
    folder = tmp_path / "comparison"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    compare()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert b"2 January 2026, 03:04 UTC" in first["report.html"]


def test_findings_are_printed_below_the_table(compare):
    findings = compare("--seeds", 2).out.split("\n\n")[1]
    assert {line.split()[0].strip(":") for line in findings.splitlines() if line[0] != " "} == {"longer", "wider"}
    assert "longer, wider: one run each can't separate" in compare("--seeds", 1, "--runs", "fresh").out


def test_pairs_are_compared_on_request(compare, tmp_path):
    compare("--seeds", 2)
    assert "longer and wider" not in compare("--seeds", 2).out
    outcome = compare("--seeds", 2, "--pairs")
    assert re.search(r"longer and wider: no significant difference|longer beats wider|wider beats longer", outcome.out)
    pairs = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["pairs"]
    assert len(pairs) == 3


def test_the_report_can_be_left_out_and_an_old_one_goes(compare, tmp_path):
    compare()
    report = tmp_path / "comparison" / "report.html"
    assert "<strong>wider</strong>" in report.read_text()
    assert str(report.name) in compare().err
    assert "report.html" not in compare("--no-report").err
    assert not report.exists()


def test_the_report_shows_the_images_of_the_data_where_they_are_at_hand(compare, pictures, tmp_path):
    compare("--no-report", "--no-chart")
    dataset = load_dataset("npz", path=pictures)
    for run in tmp_path.glob("runs/*/seed-0"):
        is_base = run.parent.name.startswith("tiny-")
        write_predictions(
            run / PREDICTIONS,
            labels=dataset.y_test,
            predicted=(dataset.y_test + is_base) % len(dataset.classes),
            truth_probability=np.full(len(dataset.y_test), 0.5),
            classes=dataset.classes,
        )
        reseal(run)
    report = tmp_path / "comparison" / "report.html"
    compare("--no-chart", "--no-train")
    assert f"fixes {len(dataset.y_test)} and breaks 0 of {len(dataset.y_test)} images" in report.read_text()
    fixed, mistakes, confusions = 2 * SHOWN, SHOWN, len(dataset.classes)  # of both specs, of the base, of the base
    assert report.read_text().count("<img ") == fixed + mistakes + confusions
    moved = pictures.rename(pictures.with_name("moved.npz"))
    compare("--no-chart", "--no-train", "--data", f"npz:{moved}")
    assert "<img " in report.read_text()


def test_quiet_shows_the_table_and_no_progress(compare):
    outcome = compare("-q")
    assert len(table(outcome)) == 3
    assert "epoch" not in outcome.err


def test_subfolders_are_left_out_and_named(compare, specs):
    for name in ("zoo/a", "zoo/b", "other/c"):
        path = specs / f"{name}.arch"
        path.parent.mkdir(exist_ok=True)
        path.write_text((specs / "tiny.arch").read_text())
    outcome = compare("--no-train")
    assert list(table(outcome)) == ["tiny", "longer", "wider"]
    left_out = f"specs in subfolders are left out: {specs}/other (1), {specs}/zoo (2); to include a folder, name it"
    assert left_out in outcome.err.splitlines()
    assert "left out" not in compare("--no-train", "-q").err
    assert "left out" not in compare("--no-train", "zoo", "other").err


def test_a_folder_with_specs_only_below_is_a_usage_error_that_names_them(cli, specs):
    (specs / "above" / "zoo").mkdir(parents=True)
    (specs / "above" / "zoo" / "a.arch").write_text((specs / "tiny.arch").read_text())
    outcome = cli("compare", specs / "above")
    assert outcome.code == 2
    assert f"in {specs / 'above'} itself; its subfolders with specs: {specs / 'above' / 'zoo'} (1)." in outcome.err


# ---- broken specs and runs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("arch broken\ninput 3x32x32\nmodel { flatten -> dens(10) }\n", "1 error"),
        ("arch broken\ninput 3x32x32\nmodel { flatten -> dense(10) }\n", "`broken` has no recipe: "),
        ('arch broken extends "tiny.arch"\ninput 1x28x28\ntrain { data npz("0123456789abcdef") }\n', "1 error"),
        ("library broken\n", "1 error"),
    ],
    ids=["error", "no_recipe", "other_images", "library"],
)
def test_a_broken_spec_is_left_out_and_listed(compare, make_spec, text, reason, tmp_path):
    path = make_spec("broken", text)
    outcome = compare()
    assert outcome.code == 1
    assert list(table(outcome)) == ["tiny", "longer", "wider"]
    assert "runs: 0 exist, 3 to train" in outcome.err
    _, _, listed = outcome.err.partition("left out of the comparison:\n")
    assert listed.startswith(f"  {path}: {reason}")
    assert len(listed.splitlines()) == 1
    (left_out,) = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["left_out"]
    assert left_out.startswith(f"broken.arch: {reason}")
    for name in ("report.html", "comparison.md"):
        text = html.unescape((tmp_path / "comparison" / name).read_text())
        assert "left out: broken.arch: " in re.sub(r"<wbr>|\\", "", text)
        assert str(path.parent) not in text


def test_a_comparison_of_broken_specs_only(cli, make_spec, tmp_path):
    path = make_spec("broken", "arch broken\ninput 3x32x32\nmodel { flatten -> dens(10) }\n")
    outcome = cli("compare", path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.endswith(f"left out of the comparison:\n  {path}: 1 error\n")
    assert not (tmp_path / "comparison").exists()


def _truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["run.json", "result.json", "metrics.jsonl", PREDICTIONS])
@pytest.mark.parametrize("more", [(), ("--no-train",)], ids=["train", "no_train"])
def test_a_broken_run_is_left_out_and_listed(compare, tmp_path, name, more):
    assert compare("--seeds", 2).code == 0
    (broken,) = tmp_path.glob("runs/longer-*/seed-1")
    _truncate(broken / name)
    outcome = compare("--seeds", 2, *more)
    assert outcome.code == 1
    rows = table(outcome)
    assert list(rows) == ["tiny", "longer", "wider"]
    _, _, listed = outcome.err.partition("left out of the comparison:\n")
    (line,) = listed.splitlines()
    assert line.startswith(f"  runs/{broken.parent.name}/seed-1/{name}")
    written = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert written["rows"][1]["seeds"] == [0]
    assert written["left_out"] == [line.removeprefix("  runs/")]


@pytest.mark.parametrize("accuracy", [2.0, float("nan"), -5, "0.9"])
def test_a_result_that_no_training_has_is_left_out_and_listed(compare, tmp_path, accuracy):
    assert compare("--seeds", 2).code == 0
    (broken,) = tmp_path.glob("runs/longer-*/seed-1")
    rewrite(broken / "result.json", lambda fields: fields.update(accuracy=accuracy))
    outcome = compare("--no-train")
    assert outcome.code == 1
    assert f"  runs/{broken.parent.name}/seed-1/result.json is damaged: accuracy is " in outcome.err
    assert json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"][1]["seeds"] == [0]


@pytest.mark.parametrize("more", [(), ("--no-train",)], ids=["train", "no_train"])
def test_runs_in_the_place_of_others_are_left_out_and_listed(compare, tmp_path, more):
    assert compare("--seeds", 2).code == 0
    (longer,), (wider,) = tmp_path.glob("runs/longer-*"), tmp_path.glob("runs/wider-*")
    shutil.rmtree(longer / "seed-1")
    shutil.copytree(longer / "seed-0", longer / "seed-1")
    shutil.rmtree(wider / "seed-0")
    shutil.copytree(longer / "seed-0", wider / "seed-0")
    outcome = compare("--seeds", 2, *more)
    assert outcome.code == 1
    listed = outcome.err.partition("left out of the comparison:\n")[2].splitlines()
    assert [line.partition(" holds another run: longer ")[0].strip() for line in listed] == [
        f"runs/{place.parent.name}/{place.name}" for place in (longer / "seed-1", wider / "seed-0")
    ]
    rows = json.loads((tmp_path / "comparison" / "comparison.json").read_text())["rows"]
    assert [row["seeds"] for row in rows] == [[0, 1], [0], [1]]


def test_a_run_without_a_result_in_the_place_of_a_complete_one(compare, tmp_path):
    assert compare("-q").code == 0
    (broken,) = tmp_path.glob("runs/longer-*/seed-0")
    (broken / "result.json").unlink()
    outcome = compare()
    assert outcome.code == 1
    assert "longer" in outcome.err.partition("left out of the comparison:\n")[2]
