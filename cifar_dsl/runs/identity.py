"""The identity of a run: the spec, the seed and the dataset that decide its result.

Checking a spec yields its `SpecIdentity`; seed and dataset complete it to a `RunIdentity`. The fingerprint, the seed
and the dataset's digest distinguish runs. Name, lineage, changes and overrides only describe the spec's origin for
people: two specs that differ in nothing else share their runs.
"""

from collections.abc import Sequence

from cifar_dsl.compiler import Analysis, changes
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.runs.places import run_name


@frozen
class SpecIdentity:
    """The identity of a checked spec, without its graph and recipe.

    `lineage` holds the names of the spec and its bases. `changes` describes each change of the spec's own file in a
    phrase. `overrides` are the values of `--set`, verbatim.
    """

    name: str
    fingerprint: str
    lineage: tuple[str, ...]
    changes: tuple[str, ...]
    overrides: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The folder of its runs in a folder of runs: `baseline-0123456789ab`."""
        return f"{self.name}-{self.fingerprint}"

    def continued(self, longer: "SpecIdentity") -> "SpecIdentity":
        """The identity of the resolved spec `longer`, which continues a run of this spec."""
        later = {text.partition("=")[0]: text for text in longer.overrides}
        overrides = {text.partition("=")[0]: text for text in self.overrides} | later
        return evolve(self, fingerprint=longer.fingerprint, overrides=tuple(overrides.values()))

    @classmethod
    def of(cls, analysis: Analysis, overrides: Sequence[str] = ()) -> "SpecIdentity":
        """The identity of a spec that was analyzed with these overrides."""
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
        """The path of the run in a folder of runs: `baseline-0123456789ab/seed-3`."""
        return f"{self.spec.folder}/{run_name(self.seed)}"

    def is_same_training(self, other: "RunIdentity") -> bool:
        """Whether both train the same network and recipe with the same seed and data, under any name."""
        mine = (self.spec.fingerprint, self.seed, self.data_digest)
        return mine == (other.spec.fingerprint, other.seed, other.data_digest)
