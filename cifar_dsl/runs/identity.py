"""Which run a run is: the spec, the seed and the dataset that decide its result.

A `SpecIdentity` is known as soon as a spec is checked; seed and dataset make it a `RunIdentity`. The fingerprint, the
seed and the dataset's digest tell runs apart. Name, lineage, changes and overrides are for people: they say where the
spec comes from, and two specs that differ in nothing else share their runs.
"""

from collections.abc import Sequence

from cifar_dsl.compiler import Analysis, changes
from cifar_dsl.foundation.records import frozen


@frozen
class SpecIdentity:
    """A checked spec, without its graph and recipe.

    `lineage` are the names of the spec and its bases; `changes` is what its own file changes, a phrase each, and
    `overrides` are those of `--set`, as they were written.
    """

    name: str
    fingerprint: str
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    overrides: tuple[str, ...]

    @classmethod
    def of(cls, analysis: Analysis, overrides: Sequence[str] = ()) -> "SpecIdentity":
        """The identity of a spec that was analysed with these overrides."""
        program = analysis.program
        return cls(program.name.text, analysis.fingerprint, program.lineage, changes(program), tuple(overrides))


@frozen
class RunIdentity:
    """One seed's training of a spec. `data_digest` is the SHA-256 of the dataset's arrays."""

    spec: SpecIdentity
    seed: int
    data_digest: str

    @property
    def folder(self) -> str:
        """Where its run lies in a folder of runs: `baseline-0123456789ab/seed-3`."""
        return f"{self.spec.name}-{self.spec.fingerprint}/seed-{self.seed}"

    def is_same_training(self, other: "RunIdentity") -> bool:
        """Whether both train the same network and recipe with the same seed and data, whatever their names."""
        mine = (self.spec.fingerprint, self.seed, self.data_digest)
        return mine == (other.spec.fingerprint, other.seed, other.data_digest)
