"""Commands that need no torch themselves, for runs that were trained."""

from cifar_dsl.runs import METRICS


def test_a_run_that_was_trained_is_whole(cli, train):
    assert train("--validation", 20).code == 0
    outcome = cli("runs", "verify")
    assert (outcome.code, outcome.err) == (0, "1 run, 0 damaged\n")


def test_a_run_that_was_damaged_is_trained_again_after_it_is_pruned(cli, train, tmp_path):
    train()
    (metrics,) = tmp_path.glob(f"runs/*/seed-0/{METRICS}")
    whole = metrics.read_bytes()
    metrics.write_bytes(b"")
    assert cli("runs", "verify").code == 1
    assert cli("runs", "prune", "--damaged", "--yes").code == 0
    assert train().code == 0
    assert len(metrics.read_bytes().splitlines()) == len(whole.splitlines())
    assert cli("runs", "verify").code == 0


def test_a_run_stands_for_the_spec_that_was_trained(cli, train, tiny):
    trained = train("--set", "train.batch=20", "--seed", "3").out.split("run: ")[1].strip()
    outcome = cli("diff", tiny, trained)
    assert outcome.code == 1
    assert "train\n  data: shapes -> npz(" in outcome.out
    assert outcome.out.endswith("  batch: 16 -> 20\n")
    assert cli("diff", trained, "runs").code == 0
