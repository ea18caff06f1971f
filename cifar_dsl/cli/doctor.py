"""`cifar-dsl doctor`: what of the installation works? Versions, device, datasets, disk space, folders, extras."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click
from attrs import asdict

from cifar_dsl.cli.options import with_option
from cifar_dsl.cli.output import counted, note, say
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.installation import Requirement, requirements, versions, without_home
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.foundation.text import columns, in_short
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.training.options import RunOptions

_ROOM = 10**9  # bytes: a published archive, what is made of it, and some runs


@frozen
class Finding:
    """One thing that was looked at. Where it `is_broken`, `help` says what to do."""

    topic: str
    name: str
    text: str
    is_broken: bool = False
    help: str = ""


@click.command(name="doctor")
@with_option(RunOptions, "runs")
@with_option(RunOptions, "data_dir")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(runs: Path, data_dir: Path | None, as_json: bool) -> int:
    """Say what is installed and whether it works: versions, device, extras, folders, disk space, data sets.

    The text is made to be pasted into a report: the user's own folder is called ~ in it. Ends with 1 if something
    is broken.
    """
    findings = examine_installation(runs, data_dir)
    if as_json:
        click.echo(json.dumps(as_data(findings), indent=2))
    else:
        say("\n".join(as_lines(findings)))
    broken = sum(finding.is_broken for finding in findings)
    if broken:
        note(f"{counted(broken, 'thing')} broken")
    return int(bool(broken))


def examine_installation(runs: Path, data_dir: Path | None = None) -> list[Finding]:
    """Look at everything. Imports torch, reads the data sets that are there, and writes only to try folders out."""
    from cifar_dsl.training.datasets import data_directory

    data = data_directory(data_dir)
    folders = {"runs": runs, "data": data, "temporary files": Path(tempfile.gettempdir())}
    return [
        *_versions(),
        *_language(),
        *_device(),
        *_extras(requirements()),
        *(finding for name, folder in folders.items() for finding in _folder(name, folder)),
        *_data_sets(data),
    ]


def as_lines(findings: Iterable[Finding]) -> list[str]:
    """The findings for people, to be pasted into a report."""
    lines: list[str] = []
    for topic, group in groupby(findings, lambda finding: finding.topic):
        members = list(group)
        lines += [*([""] if lines else []), topic]
        rows = [[one.name, f"BROKEN: {one.text}" if one.is_broken else one.text] for one in members]
        lines += columns(rows, indent="  ")
        lines += [f"  = help: {one.help}" for one in members if one.help]
    return [without_home(line) for line in lines]


def as_data(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """The findings for programs."""
    return [
        {key: without_home(value) if isinstance(value, str) else value for key, value in asdict(finding).items()}
        for finding in findings
    ]


def _versions() -> Iterator[Finding]:
    for name, version in versions().items():
        is_missing = version == "not installed"
        yield Finding("versions", name, version, is_missing, "pip install cifar-dsl again" if is_missing else "")


def _language() -> Iterator[Finding]:
    """Whether the grammar and the shipped specs are there and work."""
    from cifar_dsl.compiler import analyze

    try:
        analysis = analyze(specs_directory() / "baseline.arch")
    except (SpecError, OSError) as error:
        yield Finding(
            "language", "baseline", f"can't be checked: {error}", is_broken=True, help="install cifar-dsl again"
        )
    else:
        yield Finding("language", "baseline", f"{analysis.graph.cost.parameters:,} parameters")


def _device() -> Iterator[Finding]:
    try:
        import torch

        from cifar_dsl.training.device import choose_device

        choice = choose_device("auto")
        (torch.ones(8, device=choice.device) @ torch.ones(8, device=choice.device)).item()
    except (ImportError, OSError, RuntimeError, UserError) as error:
        yield Finding("device", "torch", f"{error}", is_broken=True, help="see https://pytorch.org/get-started/locally")
        return
    yield Finding("device", str(choice.device), f"{choice.name}; {choice.reason}")
    yield Finding("device", "CUDA", torch.version.cuda or "not in this build of torch")
    yield Finding("device", "CPU", f"{os.cpu_count()} cores, torch takes {torch.get_num_threads()} threads")


def _extras(needed: Iterable[Requirement]) -> Iterator[Finding]:
    for one in needed:
        if one.extra:
            missing = f"not installed; `pip install 'cifar-dsl[{one.extra}]'` brings it"
            yield Finding("extras", f"{one.extra}: {one.name}", one.version or missing)


def _folder(name: str, folder: Path) -> Iterator[Finding]:
    """Whether a folder, or what is there of the way to it, takes files and has room."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    note = "" if there == folder.absolute() else f" (not there yet; tried in {there})"
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
        free = shutil.disk_usage(there).free
    except OSError as error:
        reason = error.strerror or str(error)
        yield Finding(
            "folders", name, f"{folder} can't be written: {reason}", is_broken=True, help="choose another folder"
        )
        return
    room = f"{in_short(free, 'B')} free"
    if free < _ROOM:
        text = f"{folder}: only {room}"
        yield Finding(
            "folders", name, text, is_broken=True, help=f"free {in_short(_ROOM, 'B')}, or choose another folder"
        )
    else:
        yield Finding("folders", name, f"{folder}: {room}{note}")


def _data_sets(folder: Path) -> Iterator[Finding]:
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.cifar import ARCHIVES, compare_to_published
    from cifar_dsl.training.datasets.download import file_sha256
    from cifar_dsl.training.datasets.store import load_npz

    for name, archive in ARCHIVES.items():
        path, packed = folder / f"{name}.npz", folder / archive.filename
        try:
            if packed.exists() and file_sha256(packed) != archive.sha256:
                text = f"{packed} is not the published archive"
                yield Finding("data", name, text, is_broken=True, help=f"delete {packed}")
            if not path.exists():
                yield Finding("data", name, f"not here yet; `cifar-dsl data download {name}`")
                continue
            dataset = load_npz(path, name=name)
        except (DataError, OSError) as error:
            help_text = error.help[0] if isinstance(error, DataError) and error.help else ""
            yield Finding("data", name, str(error), is_broken=True, help=help_text)
            continue
        counts = f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images, digest {dataset.digest[:12]}"
        sentence = compare_to_published(dataset)
        is_other = bool(sentence and "is not" in sentence)
        help_text = f"delete {path}, then `cifar-dsl data download {name}`" if is_other else ""
        yield Finding("data", name, f"{counts}{f'; {sentence}' if sentence else ''}", is_other, help_text)
