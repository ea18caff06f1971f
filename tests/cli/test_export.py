"""`cifar-dsl export`."""

import pytest

from cifar_dsl.foundation.resources import specs_directory

RESIDUAL = specs_directory() / "residual.arch"


def test_source_goes_to_stdout_and_is_checked(cli) -> None:
    outcome = cli("export", RESIDUAL, "--to", "pytorch")
    assert outcome.code == 0
    assert outcome.out.startswith('"""residual: images (N, 3, 32, 32) to scores (N, 10), 212,714 parameters.\n')
    assert outcome.err == "checked: equal scores, bit for bit, for batches of 7 and 1 images\n"


def test_what_isnt_checked_says_so(cli, tmp_path) -> None:
    outcome = cli("export", RESIDUAL, "--to", "pytorch", "--no-verify", "-o", "residual.py")
    assert outcome.err == "written to residual.py\nnot checked\n"
    assert "class Residual(" in (tmp_path / "residual.py").read_text()


def test_a_difference_is_an_error_and_leaves_no_file(cli, tmp_path, monkeypatch) -> None:
    from cifar_dsl.export.source import module

    print_right = module.pytorch_source
    monkeypatch.setattr(
        module, "pytorch_source", lambda analysis: print_right(analysis).replace("torch.add", "torch.sub")
    )
    outcome = cli("export", RESIDUAL, "--to", "pytorch", "-o", "residual.py")
    assert outcome.code == 1
    assert "the printed network doesn't compute what the network computes" in outcome.err
    assert not (tmp_path / "residual.py").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((RESIDUAL,), "Missing option '--to'. Choose from:\n  pytorch,\n  pt2,\n  onnx,\n  hub\n"),
        ((RESIDUAL, "--to", "pytorch", "--input", "uint8"), "--input requires --to pt2 or --to onnx."),
        (("missing.arch", "--to", "pytorch"), "There is no file missing.arch."),
        ((".", "--to", "pytorch", "--set", "a=1"), "--set, --root and --data require a spec: a run has its own."),
    ],
)
def test_wrong_arguments(cli, arguments, message) -> None:
    outcome = cli("export", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_folder_that_is_no_run(cli, tmp_path) -> None:
    outcome = cli("export", tmp_path, "--to", "pytorch")
    assert outcome.code == 1
    assert str(tmp_path) in outcome.err


def test_a_training_script_is_added_or_refused(cli, tmp_path) -> None:
    outcome = cli("export", RESIDUAL, "--to", "pytorch", "--train", "-o", "residual.py")
    assert outcome.code == 0
    assert "checked: equal scores" in outcome.err
    text = (tmp_path / "residual.py").read_text()
    assert text.endswith('if __name__ == "__main__":\n    main()\n')
    average = ("--set", "train.average=ema(decay=0.99)")
    refused = cli("export", RESIDUAL, "--to", "pytorch", "--train", "-o", "other.py", *average)
    assert refused.code == 1
    assert "a training script can't have `average ema`" in refused.err
    assert "help: remove it: --set train.average=none, or export" in refused.err
    assert not (tmp_path / "other.py").exists()
    assert cli("export", RESIDUAL, "--to", "pt2", "--train").code == 2
