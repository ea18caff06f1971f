"""Checkpoint files. Each name contains the digest of the content, so damage is detectable.

    checkpoints/epoch-<epoch>-step-<steps done>-<SHA-256>.safetensors

A new checkpoint is complete on disk before an older one is removed.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from cifar_dsl.foundation.atomic import sync_folder, write_atomically
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.places import CHECKPOINTS

_NAME = re.compile(r"epoch-(?P<epoch>\d{6})-step-(?P<step>\d{9})-(?P<digest>[0-9a-f]{64})\.safetensors")


@frozen
class Checkpoint:
    """A checkpoint file of a partial run, after `steps_done` steps of `epoch`."""

    path: Path
    epoch: int
    steps_done: int
    digest: str

    def content(self) -> bytes | None:
        """The bytes of the file; None if it can't be read or is damaged."""
        try:
            with open_regular(self.path) as file:
                content = file.read()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == self.digest else None


def checkpoints(partial: Path) -> list[Checkpoint]:
    """The checkpoints of a partial run, latest first. None of a folder elsewhere, where a stranger's link leads."""
    return sorted(_read_names(partial), key=lambda each: (each.epoch, each.steps_done), reverse=True)


def write_checkpoint(partial: Path, epoch: int, steps_done: int, content: bytes, keep: int) -> None:
    """Write a checkpoint, then remove all but the latest `keep`. If it raises OSError, older ones are still there.

    Checkpoints of later steps are removed too: training resumed from an earlier one because they are unusable.
    """
    folder = partial / CHECKPOINTS
    if not folder.is_dir():
        folder.mkdir()
        sync_folder(partial)
    path = folder / f"epoch-{epoch:06}-step-{steps_done:09}-{hashlib.sha256(content).hexdigest()}.safetensors"
    write_atomically(path, content)
    others = [each for each in checkpoints(partial) if each.path != path]
    earlier = [each for each in others if (each.epoch, each.steps_done) < (epoch, steps_done)]
    for other in others:
        if other not in earlier[: keep - 1]:
            other.path.unlink(missing_ok=True)


def _read_names(partial: Path) -> Iterator[Checkpoint]:
    folder = partial / CHECKPOINTS
    for path in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else ():
        if match := _NAME.fullmatch(path.name):
            yield Checkpoint(path, int(match["epoch"]), int(match["step"]), match["digest"])
