"""Checkpoints as files, each named after its content, so that a damaged one is noticed.

    checkpoints/epoch-<epoch>-step-<steps done>-<SHA-256>.safetensors

A new one is whole on disk before an older one goes.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from cifar_dsl.foundation.atomic import sync_folder, write_atomically
from cifar_dsl.foundation.records import frozen

FOLDER = "checkpoints"
_NAME = re.compile(r"epoch-(?P<epoch>\d{6})-step-(?P<step>\d{9})-(?P<digest>[0-9a-f]{64})\.safetensors")


@frozen
class Checkpoint:
    """A file of a partial run; so many steps of `epoch` are done in it."""

    path: Path
    epoch: int
    steps_done: int
    digest: str

    def content(self) -> bytes | None:
        """Its bytes; None where they can't be read or aren't those that were written."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == self.digest else None


def checkpoints(partial: Path) -> list[Checkpoint]:
    """Those of a partial run, the one that is furthest first."""
    return sorted(_found(partial), key=lambda one: (one.epoch, one.steps_done), reverse=True)


def write_checkpoint(partial: Path, epoch: int, steps_done: int, content: bytes, keep: int) -> None:
    """Write a checkpoint, then remove all but the last `keep`. Raises OSError, and loses nothing.

    Training has come no further than this one: those that say so could not be gone on from.
    """
    folder = partial / FOLDER
    if not folder.is_dir():
        folder.mkdir()
        sync_folder(partial)
    path = folder / f"epoch-{epoch:06}-step-{steps_done:09}-{hashlib.sha256(content).hexdigest()}.safetensors"
    write_atomically(path, content)
    others = [one for one in checkpoints(partial) if one.path != path]
    before = [one for one in others if (one.epoch, one.steps_done) < (epoch, steps_done)]
    for other in others:
        if other not in before[: keep - 1]:
            other.path.unlink(missing_ok=True)


def _found(partial: Path) -> Iterator[Checkpoint]:
    folder = partial / FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            yield Checkpoint(path, int(match["epoch"]), int(match["step"]), match["digest"])
