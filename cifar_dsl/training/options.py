"""The options of a run, each declared once: type, default, bounds, help, and where it can be given.

The command line makes its options from these declarations (`cli/options.py`), and `cifar_dsl.train` its keywords.
Options of several runs and of comparisons stand here too, so that a new option touches this file alone. Needs neither
torch nor click.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from attrs import Attribute, fields
from attrs import field as attrs_field
from attrs.converters import optional

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen

# The headings of `--help`; without one, an option stands under the last.
TARGET = "What to train"
RUNS = "Runs"
DEVICES = "Devices and processes"
TRACKERS = "Trackers"
COMPARISON = "Comparison"
OTHER = ""


@frozen
class Declaration:
    """What a command line needs to know of an option, beside its name, type and default.

    `flag` and `short` are its names there; `flag` defaults to the field's name. `check` returns what is wrong with a
    text, or None. Without `beside_resume`, `--resume` refuses it, since the run's record says it. `compare` and `sweep`
    don't offer what is `train_only`.
    """

    help: str
    group: str
    flag: str | None = None
    short: str | None = None
    metavar: str | None = None
    minimum: int | None = None
    choices: tuple[str, ...] = ()
    path: Literal["any", "folder"] | None = None
    check: Callable[[str], str | None] | None = None
    beside_resume: bool = True
    train_only: bool = False


def option(help: str, default: Any = None, *, group: str, **more: Any) -> Any:  # noqa: A002  # as click calls it
    """A field that is an option; `more` are fields of its Declaration."""
    declaration = Declaration(help, group, **more)
    return attrs_field(
        default=default,
        converter=optional(Path) if declaration.path else None,
        validator=None if declaration.minimum is None else _check_minimum,
        metadata={Declaration: declaration},
    )


def _check_minimum(_options: object, attribute: "Attribute[int | None]", value: int | None) -> None:
    minimum = declaration_of(attribute).minimum
    if value is not None and minimum is not None and value < minimum:
        raise UserError(f"{attribute.name} is {value}, and must be at least {minimum}")


def declaration_of(attribute: "Attribute[Any]") -> Declaration:
    """What an option's field declares."""
    declaration: Declaration = attribute.metadata[Declaration]
    return declaration


def _check_device(text: str) -> str | None:
    """Whether it can be the name of a device; only torch knows whether that device exists."""
    if re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,4})?", text):
        return None
    return f"{text!r} is not a device; use auto, cpu, cuda, cuda:0 or mps."


@frozen
class RunOptions:
    """How a run is trained and kept. None of it changes which run it is. Raises UserError for a value out of bounds.

    These are also keywords of `cifar_dsl.train`.
    """

    data_dir: Path | None = option(
        "Where downloaded data is kept [default: $CIFAR_DSL_DATA, else the user's cache].", group=TARGET, path="any"
    )
    device: str = option("auto, cpu, cuda, cuda:<n> or mps.", "auto", group=DEVICES, check=_check_device)
    threads: int | None = option(
        "CPU threads [default: torch's choice]; recorded with the run.", group=DEVICES, minimum=1
    )
    engine: str = option(
        "How steps are run: one by one; recorded as CUDA graphs and replayed, where that is possible; or one by one "
        "with the network compiled by torch.compile.",
        "auto",
        group=DEVICES,
        choices=("auto", "eager", "graph", "compile"),
    )
    runs: Path = option("Folder of runs.", Path("runs"), group=RUNS, path="any", beside_resume=False)
    checkpoint_every: int = option(
        "After how many epochs to write down everything from which training can go on; 0 for never.",
        1,
        group=RUNS,
        metavar="EPOCHS",
        minimum=0,
    )
    keep_last: int = option("Checkpoints to keep while training.", 2, group=RUNS, minimum=1)
    wait: bool = option("Wait where another process is training the same run.", False, group=RUNS)
    retrain: bool = option(
        "Train again though the run is there; the old one is replaced.",
        False,
        group=RUNS,
        beside_resume=False,
        train_only=True,
    )
    restart: bool = option(
        "Begin anew where a training was broken off; go on with nothing.",
        False,
        group=RUNS,
        beside_resume=False,
        train_only=True,
    )


@frozen
class TrainOptions(RunOptions):
    """What `train` is to train, perhaps several runs, how they are shared out, and what is shown of them."""

    data: str | None = option(
        "Data in place of the spec's: cifar10, cifar100, shapes, or npz:PATH.",
        group=TARGET,
        metavar="NAME",
        beside_resume=False,
    )
    validation: int | None = option(
        "Hold out so many training images, and keep the weights that are best on them (train.validation).",
        group=TARGET,
        metavar="IMAGES",
        minimum=0,
        beside_resume=False,
        train_only=True,
    )
    seed: int = option(
        "Seed of weights, order and draws; with --seeds, the first of them.",
        0,
        group=TARGET,
        minimum=0,
        beside_resume=False,
        train_only=True,
    )
    seeds: int = option("Number of seeds to train.", 1, group=TARGET, minimum=1, beside_resume=False)
    jobs: int | None = option(
        "Trainings at a time [default: one a core, each with one thread; one a GPU, of a spec with all its seeds].",
        group=DEVICES,
        minimum=1,
        beside_resume=False,
    )
    executor: str = option(
        "Where to train: in processes of this machine, or on a Ray cluster (pip install 'cifar-dsl[ray]').",
        "local",
        group=DEVICES,
        choices=("local", "ray"),
        beside_resume=False,
    )
    address: str | None = option(
        "The Ray cluster, as host:port or auto [default: one of this machine alone].",
        group=DEVICES,
        metavar="ADDRESS",
        beside_resume=False,
    )
    log: tuple[str, ...] = option(
        "Tell a tracker of every epoch, too; may be given several times (pip install 'cifar-dsl[tensorboard]').",
        (),
        group=TRACKERS,
        choices=("tensorboard", "mlflow", "wandb"),
    )
    log_dir: Path | None = option(
        "Where trackers keep their files [default: beside the runs; MLflow's own].", group=TRACKERS, path="folder"
    )
    yes: bool = option("Agree beforehand to what would be asked.", False, group=OTHER, short="-y")
    as_json: bool = option(
        "Print each epoch and the result as a line of JSON.", False, group=OTHER, flag="--json", train_only=True
    )
    quiet: bool = option("Say nothing but the result.", False, group=OTHER, short="-q")

    @property
    def all_seeds(self) -> range:
        """The seeds to train."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def conflict(self) -> str | None:
        """Why an option would do nothing beside the others; None where each does something."""
        if self.address is not None and self.executor != "ray":
            return "--address is that of a Ray cluster; give --executor ray, too."
        if self.jobs is not None and self.executor == "ray":
            return "--jobs counts processes of this machine; a cluster trains as many as it has room for."
        if self.log_dir is not None and not self.log:
            return "--log-dir is for the files of trackers; give --log, too."
        return None


@frozen
class CompareOptions(TrainOptions):
    """How `compare` and `sweep` train specs and compare their runs."""

    baseline: str | None = option(
        "What the others are measured against [default: what they extend; of a sweep, its spec].",
        group=COMPARISON,
        metavar="NAME",
    )
    no_train: bool = option("Compare the runs that are there; train nothing.", False, group=COMPARISON)
    pairs: bool = option("Also compare every spec with every other (Holm's adjustment).", False, group=COMPARISON)
    no_chart: bool = option("Write no chart.", False, group=COMPARISON)
    no_report: bool = option("Write no report.html.", False, group=COMPARISON)
    out: Path = option("Folder for tables, charts and the report.", Path("comparison"), group=COMPARISON, path="folder")


def offered_options(kind: type[RunOptions]) -> "list[Attribute[Any]]":
    """The options that a command with options of this kind offers; what it doesn't offer keeps its default."""
    is_comparison = issubclass(kind, CompareOptions)
    return [each for each in fields(kind) if not (is_comparison and declaration_of(each).train_only)]
