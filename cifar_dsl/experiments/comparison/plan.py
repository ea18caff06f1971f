"""The plan of a comparison until decided: what is fixed before the first training, kept beside the runs.

    runs/plans/<hash>.json

The hash is that of all that the promise depends on. So the same command finds its plan again, and another cap, margin,
baseline or spec is another plan.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import cattrs

from cifar_dsl.experiments.comparison.effects import ALPHA, Sample
from cifar_dsl.experiments.comparison.sequential import Design
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.foundation.folders import make_folder
from cifar_dsl.foundation.reading import read_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.runs.record_json import from_json, to_json

FOLDER = "plans"
_SCHEMA = 1
_LARGEST = 1 << 20  # bytes of a file: 51 specs with 100 seeds each take 66,000


@frozen
class PlannedSpec:
    """A spec of a plan, with the seeds that had been trained when it was declared."""

    name: str
    fingerprint: str
    seeds: tuple[int, ...]


@frozen
class Plan:
    """A declared comparison: the baseline, all specs ever compared with it, and how long to continue.

    In a search for the best spec (`purpose`), `baseline` is just the first of them: each is compared with whichever is
    the best. `equivalent_within` is in accuracy (0 to 1). `data` is the digest of the images.
    """

    baseline: PlannedSpec
    specs: tuple[PlannedSpec, ...]
    data: str
    cap: int
    equivalent_within: float | None
    declared: str
    alpha: float = ALPHA
    purpose: Literal["comparison", "best"] = "comparison"
    schema: int = _SCHEMA

    @property
    def all_specs(self) -> tuple[PlannedSpec, ...]:
        """The baseline and the others."""
        return (self.baseline, *self.specs)

    @property
    def design(self) -> Design:
        """The design for the statistics. Raises UserError if it isn't calibrated for that."""
        return Design(len(self.specs), self.cap, self.equivalent_within, self.alpha)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that identify what the promise depends on."""
        content: list[Any] = [
            self.baseline.fingerprint,
            sorted(spec.fingerprint for spec in self.specs),
            self.data,
            self.cap,
            self.alpha,
            self.equivalent_within,
        ]
        if self.purpose != "comparison":
            content = [self.purpose, sorted([self.baseline.fingerprint, *content[1]]), *content[2:]]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]

    @property
    def subject(self) -> tuple[str, ...]:
        """What plans have in common whose claims are about the same."""
        return (self.purpose, self.baseline.fingerprint, self.data)

    def path(self, runs: Path) -> Path:
        """Where the plan is kept."""
        return runs / FOLDER / f"{self.hash}.json"

    def sample(self, fingerprint: str, accuracies: Mapping[int, float], lost: int = 0) -> Sample:
        """Accuracies by seed in the order in which they count: those of the declaration, then by seed.

        The order depends on no accuracy, and new runs come last.
        """
        seeds = next(each.seeds for each in self.all_specs if each.fingerprint == fingerprint)
        first = [seed for seed in seeds if seed in accuracies]
        order = [*first, *sorted(set(accuracies) - set(first))]
        return Sample(tuple(accuracies[seed] for seed in order), lost)


def declare(plan: Plan, runs: Path) -> tuple[Plan, bool]:
    """The plan as it was first declared, and whether that is now. Raises RunError for a damaged file; OSError."""
    path = plan.path(runs)
    if path.is_file():
        return _read(path), False
    make_folder(path.parent)
    write_atomically(path, to_json(plan))
    return plan, True


def earlier(plan: Plan, runs: Path) -> list[Plan]:
    """The other plans beside these runs with the same purpose, baseline and data, as far as they can be read."""
    found = []
    for path in sorted((runs / FOLDER).glob("*.json")):
        try:
            other = _read(path)
        except RunError:
            continue
        if other.hash != plan.hash and other.subject == plan.subject:
            found.append(other)
    return found


def now() -> str:
    """The present moment, for `declared`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def next_seeds(trained: Sequence[int], count: int) -> list[int]:
    """The smallest `count` seeds that aren't trained."""
    taken, seed = set(trained), 0
    found: list[int] = []
    while len(found) < count:
        if seed not in taken:
            found.append(seed)
        seed += 1
    return found


def _read(path: Path) -> Plan:
    try:
        plan = from_json(read_regular(path, _LARGEST).decode(), Plan)
    except (OSError, ValueError, cattrs.BaseValidationError) as error:
        raise RunError(
            f"the plan {path} can't be read", "restore it; without it, the comparison loses its promise"
        ) from error
    if plan.schema != _SCHEMA or path.stem != plan.hash:
        raise RunError(
            f"the plan {path} was changed, or is of another version of cifar_dsl",
            "restore it, or use that version; without it, the comparison loses its promise",
        )
    return plan
