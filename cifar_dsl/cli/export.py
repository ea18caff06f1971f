"""`cifar-dsl export`: a network as PyTorch source, as a file of torch.export or ONNX, or as a folder for the hub."""

import shlex
from pathlib import Path

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand
from cifar_dsl.cli.output import note, print_exactly, writing
from cifar_dsl.export import files
from cifar_dsl.export.subject import Subject, subject_at
from cifar_dsl.foundation.atomic import check_place, write_atomically

_FORMATS = ("pytorch", "pt2", "onnx", "hub")
_ELSEWHERE = "choose another place with --output"


@click.command(
    name="export",
    cls=GroupedCommand,
    examples=(
        "cifar-dsl export resnet18 --to pytorch",
        "cifar-dsl export runs/mine-0123456789ab/seed-0 --to onnx",
    ),
    common=("--to", "--output", "--input", "--train", "--license", "--set", "--data"),
)
@arguments.spec_or_run
@click.option("--to", "form", type=click.Choice(_FORMATS), required=True, help="Format of the export.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="File to write, or folder for hub [default: standard output for pytorch, otherwise NAME.pt2, NAME.onnx or "
    "NAME-hub].",
)
@click.option(
    "--input",
    "dtype",
    type=click.Choice(files.INPUTS),
    help="Images that a pt2 or onnx file takes: uint8 from 0 to 255, or float32 from 0 to 1 [default: uint8].",
)
@click.option(
    "--train", is_flag=True, help="Add a training script to PyTorch source, for recipes that a plain loop follows."
)
@click.option("--license", "licence", metavar="ID", help="Licence in the card of a folder for the hub, such as mit.")
@click.option("--no-verify", is_flag=True, help="Don't load the export again and compare its scores.")
@arguments.overrides
@arguments.root
@arguments.data
def command(
    spec_or_run: Path,
    form: str,
    output: Path | None,
    dtype: str | None,
    train: bool,
    licence: str | None,
    no_verify: bool,
    overrides: tuple[str, ...],
    root: Path | None,
    data: str | None,
) -> None:
    """Write the network of SPEC or RUN as PyTorch source, as a file of torch.export or ONNX, or RUN for the hub.

    Loads what it wrote and compares its scores with those of the network, unless --no-verify. A difference is an
    error, and leaves no file.
    """
    if dtype and form not in {"pt2", "onnx"}:
        raise click.UsageError("--input requires --to pt2 or --to onnx.")
    if train and form != "pytorch":
        raise click.UsageError("--train requires --to pytorch.")
    if licence and form != "hub":
        raise click.UsageError("--license requires --to hub.")
    if no_verify and form == "hub":
        raise click.UsageError("--no-verify can't be combined with --to hub: what is published is checked.")
    if output and form != "hub" and output.is_dir():
        raise click.UsageError(f"{output} is a folder; --output takes a file.")
    if spec_or_run.is_dir() and (overrides or root or data):
        raise click.UsageError("--set, --root and --data require a spec: a run has its own.")
    if output is not None:
        with writing(output, _ELSEWHERE):
            check_place(output)
    subject = subject_at(spec_or_run, root, overrides, arguments.chosen_data(data))
    if form == "pytorch":
        _export_source(subject, output, train=train, verify=not no_verify)
    elif form == "hub":
        _export_folder(subject, output or Path(f"{subject.name}-hub"), licence)
    else:
        _export_file(subject, form, output, dtype or files.INPUTS[0], verify=not no_verify)


def _check_of_source(subject: Subject, text: str) -> str:
    """The result of the check, in words. Raises UserError if the printed network differs."""
    from cifar_dsl.export.verification import check_source, fill_with_statistics
    from cifar_dsl.foundation.installation import installed

    if not installed("torch"):
        return "not checked, since torch isn't installed"
    module = subject.module()
    if subject.run is None:
        fill_with_statistics(module, subject.image)
    return f"checked: {check_source(text, module, subject.image)}"


def _export_source(subject: Subject, output: Path | None, *, train: bool, verify: bool) -> None:
    from cifar_dsl.export.source.module import pytorch_source

    text = pytorch_source(subject.analysis)
    written = pytorch_source(subject.analysis, train=True) if train else text
    checked = _check_of_source(subject, text) if verify else "not checked"
    if output is None:
        print_exactly(written)
    else:
        with writing(output, _ELSEWHERE):
            write_atomically(output, written.encode(), follow=True)
        note(f"written to {output}")
    note(checked)
    if subject.run is not None:
        note(f"weights: {subject.run.weights}, for load_state_dict(safetensors.torch.load_file(...))")


def _export_file(subject: Subject, form: str, output: Path | None, dtype: str, *, verify: bool) -> None:
    place = output or Path(f"{subject.name}.{form}")
    exported = (files.pt2 if form == "pt2" else files.onnx)(subject, dtype, verify=verify)
    with writing(place, _ELSEWHERE):
        write_atomically(place, exported.content, follow=True)
    note(f"written to {place}")
    note(f"checked: {exported.comparison}" if exported.comparison else "not checked")
    if subject.run is None:
        note("the network isn't trained: it has the initial weights of seed 0")
    if subject.normalization is None:
        note("the file takes normalized images: the statistics of the training images are known only to a run")


def _export_folder(subject: Subject, place: Path, licence: str | None) -> None:
    from cifar_dsl.export.hub import write_hub_folder

    with writing(place, _ELSEWHERE):
        comparison = write_hub_folder(subject, place, licence)
    note(f"written to {place}")
    note(f"checked: {comparison}")
    if licence is None:
        note("the card names no licence: choose one with --license, or add it to README.md")
    note(f"to upload it: hf upload USER/{subject.name} {shlex.quote(str(place))}")
