"""`cifar-dsl doctor`: check the installation (versions, device, extras, folders, disk space, datasets)."""

import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click
from attrs import asdict

from cifar_dsl.analysis import usable_cpus
from cifar_dsl.cli.click_options import StrictCommand, with_option
from cifar_dsl.cli.output import counted, note, print_json, print_result
from cifar_dsl.foundation.atomic import check_writable
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.extras import install_command
from cifar_dsl.foundation.installation import Requirement, requirements, versions, without_home
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.foundation.text import columns, in_short
from cifar_dsl.foundation.user_folders import temporary_folder
from cifar_dsl.language.diagnostics import SpecError
from cifar_dsl.training.options import RunOptions

_REMEDIES = {  # for a folder that can't be used
    "runs": "choose another folder with --runs",
    "data": "choose another folder with --data-dir or CIFAR_DSL_DATA",
    "temporary files": "choose another folder with TMPDIR",
}
_NEEDED_BYTES = 10**9  # free space for a published archive, the dataset made from it, and some runs


@frozen
class Finding:
    """The result of one check. If it `is_broken`, `help` is the fix."""

    topic: str
    name: str
    text: str
    is_broken: bool = False
    help: str = ""


@click.command(name="doctor", cls=StrictCommand)
@with_option(RunOptions, "runs")
@with_option(RunOptions, "data_dir")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(runs: Path, data_dir: Path | None, as_json: bool) -> int:
    """Check the installation: versions, device, extras, folders, disk space, datasets.

    The output can be pasted into a bug report: it shows your home folder as ~. Exits with 1 if something is broken.
    """
    findings = examine_installation(runs, data_dir)
    if as_json:
        print_json(as_data(findings), indent=2)
    else:
        for line in as_lines(findings):
            print_result(line)
    broken = sum(finding.is_broken for finding in findings)
    if broken:
        note(f"{counted(broken, 'problem')} found")
    return int(bool(broken))


def examine_installation(runs: Path, data_dir: Path | None = None) -> list[Finding]:
    """Run all checks. Imports torch, reads the stored datasets, and writes only temporary files."""
    folders = {"runs": runs}
    missing: list[Finding] = []
    if data := _data_folder(data_dir, missing):
        folders["data"] = data
    if temporary := _temporary_folder(missing):
        folders["temporary files"] = temporary
    return [
        *_versions(),
        *_language(),
        *_device(),
        *_extras(requirements()),
        *(finding for name, folder in folders.items() for finding in _folder(name, folder)),
        *missing,
        *(_datasets(data) if data else ()),
    ]


def _data_folder(data_dir: Path | None, findings: list[Finding]) -> Path | None:
    """The folder for datasets; a finding if there is none."""
    from cifar_dsl.training.datasets import data_directory

    try:
        return data_directory(data_dir)
    except UserError as error:
        findings.append(Finding("folders", "data", error.message, is_broken=True, help="; ".join(error.help)))
        return None


def _temporary_folder(findings: list[Finding]) -> Path | None:
    """The folder for temporary files; a finding if there is none."""
    try:
        return temporary_folder()
    except UserError as error:
        help_text = "; ".join(error.help)
        findings.append(Finding("folders", "temporary files", error.message, is_broken=True, help=help_text))
        return None


def as_lines(findings: Iterable[Finding]) -> list[str]:
    """The findings as lines of text."""
    lines: list[str] = []
    for topic, group in groupby(findings, lambda finding: finding.topic):
        checks = list(group)
        lines += [*([""] if lines else []), topic]
        rows = [[one.name, f"BROKEN: {one.text}" if one.is_broken else one.text] for one in checks]
        lines += columns(rows, indent="  ")
        lines += [f"  = help: {one.help}" for one in checks if one.help]
    return [without_home(line) for line in lines]


def as_data(findings: Iterable[Finding]) -> list[dict[str, object]]:
    """The findings as JSON data."""
    return [
        {key: without_home(value) if isinstance(value, str) else value for key, value in asdict(finding).items()}
        for finding in findings
    ]


def _versions() -> Iterator[Finding]:
    for name, version in versions().items():
        is_missing = version == "not installed"
        yield Finding("versions", name, version, is_missing, "reinstall cifar-dsl" if is_missing else "")


def _language() -> Iterator[Finding]:
    """Whether the grammar and the shipped specs can be loaded."""
    from cifar_dsl.compiler import analyze

    try:
        analysis = analyze(specs_directory() / "baseline.arch")
    except (SpecError, OSError) as error:
        yield Finding("language", "baseline", f"can't be checked: {error}", is_broken=True, help="reinstall cifar-dsl")
    else:
        yield Finding("language", "baseline", f"{analysis.graph.cost.parameters:,} parameters")


def _device() -> Iterator[Finding]:
    try:
        import torch

        from cifar_dsl.training.device import choose_device, set_threads

        set_threads(None)
        choice = choose_device("auto")
        (torch.ones(8, device=choice.device) @ torch.ones(8, device=choice.device)).item()
    except (ImportError, OSError, RuntimeError, UserError) as error:
        yield Finding("device", "torch", f"{error}", is_broken=True, help="see https://pytorch.org/get-started/locally")
        return
    yield Finding("device", str(choice.device), f"{choice.name}; {choice.reason}")
    yield Finding("device", "CUDA", torch.version.cuda or "not in this build of torch")
    cpus = f"{os.cpu_count()} in this machine, {usable_cpus()} usable by this process"
    yield Finding("device", "CPUs", f"{cpus}; training uses {counted(torch.get_num_threads(), 'thread')} by default")


def _extras(required: Iterable[Requirement]) -> Iterator[Finding]:
    for one in required:
        if one.extra:
            missing = f"not installed; run `{install_command(one.extra)}`"
            yield Finding("extras", f"{one.extra}: {one.name}", one.version or missing)


def _folder(name: str, folder: Path) -> Iterator[Finding]:
    """Whether a folder, or its nearest existing parent, is writable and has free space."""
    try:
        existing = check_writable(folder)
        free_bytes = shutil.disk_usage(existing).free
    except OSError as error:
        reason = error.strerror or str(error)
        yield Finding("folders", name, f"{folder} is not writable: {reason}", is_broken=True, help=_REMEDIES[name])
        return
    note = "" if existing == folder.absolute() else f" (doesn't exist yet; checked {existing})"
    free = f"{in_short(free_bytes, 'B')} free"
    if free_bytes < _NEEDED_BYTES:
        text = f"{folder}: only {free}"
        yield Finding(
            "folders", name, text, is_broken=True, help=f"free {in_short(_NEEDED_BYTES, 'B')}, or {_REMEDIES[name]}"
        )
    else:
        yield Finding("folders", name, f"{folder}: {free}{note}")


def _datasets(folder: Path) -> Iterator[Finding]:
    from cifar_dsl.foundation.errors import DataError
    from cifar_dsl.training.datasets.catalogue import PUBLISHED
    from cifar_dsl.training.datasets.cifar import CIFAR10_DIGEST, compare_to_published
    from cifar_dsl.training.datasets.store import load_npz

    for name, source in PUBLISHED.items():
        path, places = folder / f"{name}.npz", source.places(folder)
        try:
            for file in source.files:
                place = places[file.filename]
                if place.exists() and not file.is_at(place):
                    text = f"{place} is not the published {file.kind}"
                    yield Finding("data", name, text, is_broken=True, help=f"delete {place}")
            if not path.exists():
                yield Finding("data", name, f"not downloaded; run `cifar-dsl data download {name}`")
                continue
            dataset = load_npz(path, name=name)
        except (DataError, OSError) as error:
            help_text = error.help[0] if isinstance(error, DataError) and error.help else ""
            yield Finding("data", name, str(error), is_broken=True, help=help_text)
            continue
        counts = f"{len(dataset.y_train):,} + {len(dataset.y_test):,} images, digest {dataset.digest[:12]}"
        sentence = compare_to_published(dataset)
        is_other = name == "cifar10" and dataset.digest != CIFAR10_DIGEST
        help_text = f"delete {path}, then run `cifar-dsl data download {name}`" if is_other else ""
        yield Finding("data", name, f"{counts}{f'; {sentence}' if sentence else ''}", is_other, help_text)
