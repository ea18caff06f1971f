"""`cifar-dsl export` of a run."""

import json

import torch


def test_a_run_is_exported_with_its_weights(cli, train, tmp_path) -> None:
    train("--runs", "runs")
    (run,) = (tmp_path / "runs").glob("*/seed-0")
    outcome = cli("export", run, "--to", "pytorch", "-o", "network.py")
    assert outcome.code == 0
    assert "checked: equal scores" in outcome.err
    assert f"weights: {run}" in outcome.err


def test_the_classes_and_the_normalization_of_a_run_are_in_the_file(cli, train, tmp_path) -> None:
    train("--runs", "runs")
    (run,) = (tmp_path / "runs").glob("*/seed-0")
    outcome = cli("export", run, "--to", "pt2")
    assert outcome.code == 0
    assert "checked: equal scores" in outcome.err
    assert "isn't trained" not in outcome.err
    extra = {"metadata.json": ""}
    torch.export.load(tmp_path / "tiny.pt2", extra_files=extra)
    metadata = json.loads(extra["metadata.json"])
    assert set(json.loads(metadata["normalization"])) == {"mean", "std"}
    assert len(json.loads(metadata["classes"])) == 10
