"""`cifar-dsl evaluate`: evaluate a run's weights again."""

from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import with_option
from cifar_dsl.cli.output import loss_text, note, print_json, print_result
from cifar_dsl.training.options import RunOptions


@click.command(name="evaluate")
@arguments.run
@click.option("--data", metavar="npz:PATH", help="New path of the run's .npz dataset, if it has moved.")
@with_option(RunOptions, "data_dir")
@with_option(RunOptions, "device")
@with_option(RunOptions, "threads")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    run: Path,
    data: str | None,
    data_dir: Path | None,
    device: str,
    threads: int | None,
    as_json: bool,
) -> int:
    """Load the weights of RUN and evaluate them on the test images of its dataset."""
    from cifar_dsl.cli.progress import DownloadProgress
    from cifar_dsl.cli.recorded_data import find_data
    from cifar_dsl.foundation.errors import RunError
    from cifar_dsl.runs import open_run
    from cifar_dsl.training.datasets import load_dataset
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.provenance import threads_of
    from cifar_dsl.training.weights import evaluate_run

    opened = open_run(run)
    record, result = opened.record(), opened.result()
    if result.accuracy is None:
        raise RunError(f"{opened.path} diverged and has no weights", "train it again with a lower learning rate")
    choice, threads = choose_device(device), threads_of(opened, threads)
    path = find_data(opened, data)
    with DownloadProgress(quiet=as_json) as download:
        dataset = load_dataset(record.data.name, path=path, data_dir=data_dir, progress=download)
    set_threads(threads)
    evaluation = evaluate_run(opened, dataset, choice)
    loss, accuracy = evaluation.loss, evaluation.accuracy
    if as_json:
        fields = {
            "run": str(opened.path),
            "accuracy": accuracy,
            "loss": loss,
            "cross_entropy": evaluation.cross_entropy,
            "recorded_accuracy": result.accuracy,
        }
        print_json(fields)
    else:
        print_result(
            f"{record.spec.name} on {record.data.name}, seed {record.seed}: accuracy {accuracy:.4f}, "
            f"{loss_text(loss, evaluation.cross_entropy)}"
        )
        if accuracy == result.accuracy:
            print_result("same accuracy as after training")
        else:
            note(f"accuracy after training: {result.accuracy:.4f} (on {record.environment.device_name})")
    return 0
