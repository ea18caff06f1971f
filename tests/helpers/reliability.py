"""Trials of the promises of training: the suite runs a few of each, bench/promises.py all."""

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from attrs import evolve, field, frozen
from helpers.comparisons import essence_of_table
from helpers.damage import damaged
from helpers.training import terminated_after

from cifar_dsl.cli import main
from cifar_dsl.compiler import analyze_text
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.runs import Run, open_run, partial_path
from cifar_dsl.runs.checkpoints import checkpoints
from cifar_dsl.training.weights import load_weights

# It uses everything in a checkpoint: running statistics, optimizer state, dropout's generator, an average, and the best
# weights so far.
SPEC = """\
arch small
input 3x8x8

model {
    conv(4, 3) -> bn -> relu
    conv(6, 3, stride=2) -> relu -> dropout(0.3)
    flatten
    dense(10)
}

train {
    data        npz("00")
    validation  12
    epochs      4
    batch       16
    augment     crop(padding=1) -> flip
    optimizer   adamw(lr=3e-3)
    average     ema(0.9)
}
"""
STEPS = 3  # per epoch


@frozen
class Figure:
    """The outcome of a number of trials; none may be `broken`."""

    trials: int
    of: str
    broken: int
    how: str

    def __str__(self) -> str:
        return f"{self.trials:,} {self.of}, {self.broken:,} {self.how}"


@frozen
class Outcome:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def epochs(self) -> int:
        """The last epoch that was reported."""
        lines = [json.loads(line) for line in self.out.splitlines()]
        return max((line["epoch"] for line in lines if line["event"] == "epoch"), default=0)


@frozen
class Place:
    """A folder with a spec, its data and its runs."""

    folder: Path
    runs: str = "runs"

    @classmethod
    def made(cls, folder: Path) -> "Place":
        """A folder with a small spec and a few images."""
        (folder / "small.arch").write_text(SPEC, encoding="utf-8")
        drawn = np.random.default_rng(0)
        np.savez(
            folder / "pictures.npz",
            x_train=drawn.integers(0, 256, (60, 8, 8, 3), np.uint8),
            y_train=np.arange(60) % 10,
            x_test=drawn.integers(0, 256, (20, 8, 8, 3), np.uint8),
            y_test=np.arange(20) % 10,
        )
        return cls(folder)

    def of(self, runs: str) -> "Place":
        """The same folder with another runs folder."""
        return evolve(self, runs=runs)

    @property
    def root(self) -> Path:
        """The runs folder."""
        return self.folder / self.runs

    @property
    def arguments(self) -> list[str]:
        """The arguments of a training that reports epochs as JSON."""
        spec, data = self.folder / "small.arch", self.folder / "pictures.npz"
        where = ["--device", "cpu", "--threads", "1", "--runs", str(self.root)]
        return ["train", str(spec), "--data", f"npz:{data}", "--json", *where]

    def train(self, *more: str) -> Outcome:
        """Train in this process."""
        return _run([*self.arguments, *more])

    def sweep(self) -> Outcome:
        """Train the spec and a variant with two epochs, one after the other in this process, and compare them."""
        spec, data = self.folder / "small.arch", self.folder / "pictures.npz"
        grid = ["--set", "train.optimizer.lr=3e-3,1e-3", "--set", "train.epochs=2"]
        where = ["--device", "cpu", "--jobs", "1", "--threads", "1", "--runs", str(self.root), "--out", str(self.out)]
        return _run(["sweep", str(spec), "--data", f"npz:{data}", *grid, *where, "--no-chart", "--no-report"])

    @property
    def out(self) -> Path:
        """The folder of the tables of `sweep`, on the disk of the runs."""
        return self.root / "comparison"

    def train_until(self, step: int) -> Outcome:
        """Train, and send SIGTERM in a step, counted from 1."""
        taken = itertools.count(1)
        with terminated_after(lambda _: next(taken) == step):
            return self.train()

    @property
    def partial(self) -> Path:
        """The folder of the incomplete run."""
        (found,) = self.root.glob("*/seed-0.partial")
        return found

    def kept_epochs(self) -> int:
        """The number of epochs in the latest intact checkpoint; a huge number if the run is complete."""
        if any(self.root.glob("*/seed-0*/result.json")):
            return 10**6
        places = [partial_path(path.with_suffix("")) for path in self.root.glob("*/seed-0.partial")]
        whole = [one for place in places for one in checkpoints(place) if one.content() is not None]
        return max((one.epoch - 1 for one in whole), default=0)


def _run(arguments: list[str]) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    threads = torch.get_num_threads()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    finally:
        torch.set_num_threads(threads)
    return Outcome(code, out.getvalue(), err.getvalue())


def essence(run: Run) -> str:
    """A digest of the results of a training except times: weights, best weights, and metrics."""
    digest = hashlib.sha256(run.weights.read_bytes())
    digest.update((run.path / "best.safetensors").read_bytes())
    for metrics in run.metrics():
        digest.update(repr(evolve(metrics, time_s=0, evaluation_time_s=0)).encode())
    result, best = run.result(), run.result().best
    digest.update(repr((result.accuracy, result.loss, best)).encode())
    return digest.hexdigest()


# ---- damage


def damaged_checkpoints(place: Place, count: int, seed: int = 0) -> Figure:
    """Damage a checkpoint `count` times; count undetected damage."""
    place.train_until(2 * STEPS + 1)
    newest = checkpoints(place.partial)[0]
    whole, chance = newest.path.read_bytes(), random.Random(seed)
    assert newest.content() == whole
    accepted = 0
    for _ in range(count):
        newest.path.write_bytes(damaged(whole, chance))
        accepted += newest.content() is not None
    newest.path.write_bytes(whole)
    return Figure(count, "bit flips and truncations of a checkpoint", accepted, "accepted")


def damaged_weights(place: Place, count: int, seed: int = 0) -> Figure:
    """Damage trained weights `count` times; count how often they load nevertheless."""
    place.train()
    run = open_run(place.root)
    analysis = analyze_text(run.spec_text)
    whole, chance = run.weights.read_bytes(), random.Random(seed)
    load_weights(run, analysis)
    accepted = 0
    for _ in range(count):
        run.weights.write_bytes(damaged(whole, chance))
        with contextlib.suppress(RunError):
            load_weights(run, analysis)
            accepted += 1
    run.weights.write_bytes(whole)
    return Figure(count, "bit flips and truncations of weights", accepted, "accepted")


# ---- crashes


def kills(place: Place, count: int, seed: int = 0) -> Figure:
    """Kill trainings at random moments and resume them; count lost epochs and different results."""
    script = Path(__file__).with_name("killing.py")
    command = [sys.executable, str(script), str(place.folder), str(count), str(seed)]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout)
    of = f"SIGKILLs in {found['trainings']:,} trainings ({found['midway']:,} before the end)"
    return Figure(count, of, found["lost"] + found["different"], "lost a reported epoch or a bit of the results")


# ---- failing disks


@frozen
class Disk:
    """Makes operation number `fails_at` below a folder fail; it counts writes, fsyncs, renames and new folders.

    With `stays_full`, every later write and new folder fails, too, as on a disk that is full.
    """

    folder: Path
    fails_at: int
    error: int
    stays_full: bool = False
    done: list[str] = field(factory=list)

    @property
    def has_failed(self) -> bool:
        """Whether the failing operation was reached."""
        return len(self.done) >= self.fails_at

    def note(self, what: str, path: object = None) -> None:
        """Count an operation; raise if it is the one that fails."""
        self.done.append(what)
        needs_space = self.stays_full and self.has_failed and what in {"write", "mkdir"}
        if len(self.done) == self.fails_at or needs_space:
            raise OSError(self.error, os.strerror(self.error), *([str(path)] if path else []))

    def holds(self, path: object) -> bool:
        """Whether a path, or the file of a descriptor, is on this disk."""
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        return Path(os.fspath(path)).is_relative_to(self.folder)  # type: ignore[call-overload]

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Count operations, and let one fail, in this context."""
        opened = io.open

        def open_(file: object, mode: str = "r", *rest: object, **more: object) -> object:
            stream = opened(file, mode, *rest, **more)  # type: ignore[call-overload]
            return _Counted(stream, self) if set(mode) & set("wa+x") and self.holds(file) else stream

        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.object(io, "open", open_))
            for name in ("fsync", "rename", "replace", "mkdir"):
                stack.enter_context(mock.patch.object(os, name, self._counted(name, getattr(os, name))))
            yield

    def _counted(self, name: str, do: Callable[..., object]) -> Callable[..., object]:
        def counted(first: object, *rest: object, **more: object) -> object:
            if self.holds(first):
                self.note(name, None if isinstance(first, int) else first)
            return do(first, *rest, **more)

        return counted


class _Counted:
    """A file that writes half of the content when the disk fails."""

    def __init__(self, stream: io.IOBase, disk: Disk) -> None:
        self._stream, self._disk = stream, disk

    def write(self, content: bytes | str) -> int:
        try:
            self._disk.note("write")
        except OSError:
            self._stream.write(content[: len(content) // 2])  # type: ignore[attr-defined]
            self._stream.flush()
            raise
        return self._stream.write(content)  # type: ignore[attr-defined,no-any-return]

    def __enter__(self) -> "_Counted":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def disk_failures(place: Place, *, every: int = 1) -> Figure:
    """Let each operation on the disk (or every n-th) fail once with ENOSPC and once with EIO, then resume.

    Counts failures that lose a reported epoch, are reported badly, or change the results.
    """
    place.of("expected").train()
    expected = essence(open_run(place.of("expected").root))
    trials = broken = 0
    number = 1
    while True:
        for error in (errno.ENOSPC, errno.EIO):
            struck = place.of(f"{number}-{error}")
            disk = Disk(struck.root, number, error)
            with disk.failing():
                outcome = struck.train()
            if not disk.has_failed:
                assert outcome.code == 0, outcome.err
                return Figure(trials, "operations on a disk that fail (ENOSPC, EIO)", broken, "lost anything")
            trials += 1
            is_saved = struck.kept_epochs() >= outcome.epochs
            is_reported = outcome.code == 1 and str(struck.root) in outcome.err and "Traceback" not in outcome.err
            is_reported &= os.strerror(error) in outcome.err and "rerun the command" in outcome.err
            struck_by = disk.done[number - 1]
            is_reported |= outcome.code == 0 and struck_by == "mkdir"  # of an existing folder
            again = struck.train()
            is_same = again.code == 0 and essence(open_run(struck.root)) == expected
            if not (is_saved and is_reported and is_same):
                broken += 1
                print(f"{struck_by} number {number}: {outcome.err}{again.err}", file=sys.stderr)
        number += every


def full_disks(place: Place, *, every: int = 1) -> Figure:
    """Sweep on a disk that is full from an operation on (each, or every n-th), and again when there is space.

    Counts sweeps that lose a reported epoch, are reported badly, train a complete run again, or end with another table.
    """
    place.of("expected").sweep()
    expected = essence_of_table(place.of("expected").root, place.of("expected").out)
    trials = broken = 0
    number = 1
    while True:
        struck = place.of(f"full-{number}")
        disk = Disk(struck.root, number, errno.ENOSPC, stays_full=True)
        with disk.failing():
            outcome = struck.sweep()
        if not disk.has_failed:
            assert outcome.code == 0, outcome.err
            return Figure(trials, "operations from which on the disk of a sweep is full", broken, "lost anything")
        trials += 1
        reported, complete = _reported(outcome.err), _complete(struck.root)
        is_saved = sum(reported.values()) <= _kept(struck.root)
        is_reported = outcome.code == 1 and os.strerror(errno.ENOSPC) in outcome.err and str(struck.root) in outcome.err
        is_reported &= "free" in outcome.err and "space" in outcome.err and "Traceback" not in outcome.err
        is_reported |= outcome.code == 0 and disk.done[number - 1] == "mkdir"  # of an existing folder
        again = struck.sweep()
        is_same = again.code == 0 and essence_of_table(struck.root, struck.out) == expected
        is_same &= complete.items() <= _complete(struck.root).items()
        if not (is_saved and is_reported and is_same):
            broken += 1
            print(f"{disk.done[number - 1]} number {number}: {outcome.err}{again.err}", file=sys.stderr)
        number += every


def _reported(messages: str) -> dict[str, int]:
    """The last epoch that a sweep reports of each of its trainings, by the training's number."""
    found = re.findall(r"^\[(\d+)/\d+\] .*  epoch (\d+)/", messages, re.MULTILINE)
    return {number: int(epoch) for number, epoch in found}


def _complete(root: Path) -> dict[Path, bytes]:
    """The results of complete runs, which also hold how long they took."""
    return {path: path.read_bytes() for path in root.glob("*/seed-0/result.json")}


def _kept(root: Path) -> int:
    """The number of epochs in complete runs and in the latest checkpoint of each other run."""
    whole = sum(round(open_run(path.parent).result().epochs) for path in root.glob("*/seed-0/result.json"))
    partial = (checkpoints(path) for path in root.glob("*/seed-0.partial"))
    return whole + sum(max((one.epoch - 1 for one in saved if one.content()), default=0) for saved in partial)


# ---- repetition


def repetitions(place: Place, count: int) -> Figure:
    """Train `count` times with one seed; count different results."""
    for number in range(count):
        assert place.of(f"repeated-{number}").train().code == 0
    digests = [essence(open_run(place.of(f"repeated-{number}").root)) for number in range(count)]
    return Figure(count, "trainings with one seed", len(set(digests)) - 1, "results different from the first")


def resumptions(place: Place) -> Figure:
    """Stop trainings, each after another step, and one after every step; resume them and count different results."""
    place.of("whole").train()
    expected = essence(open_run(place.of("whole").root))
    steps = range(1, 4 * STEPS)
    different = 0
    for step in steps:
        stopped = place.of(f"stopped-{step}")
        assert stopped.train_until(step).code == 143
        assert stopped.train().code == 0
        different += essence(open_run(stopped.root)) != expected
    halting = place.of("halting")
    while halting.train_until(1).code:
        pass
    different += essence(open_run(halting.root)) != expected
    return Figure(len(steps) + 1, "trainings stopped after a step and resumed", different, "with different results")
