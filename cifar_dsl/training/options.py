"""The options of `train`, `compare` and `sweep`, each declared once: type, default, bounds, help and commands.

The command-line options (`cli/click_options.py`) and the keywords of `cifar_dsl.train` are generated from these
declarations, so a new option touches only this file. It imports neither torch nor click.
"""

import re
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from attrs import Attribute, fields
from attrs.converters import optional

from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import field as attrs_field
from cifar_dsl.foundation.records import frozen

# The headings of `--help`. Options without a heading come last.
TARGET = "What to train"
RUNS = "Runs"
DEVICES = "Devices and processes"
TRACKERS = "Trackers"
COMPARISON = "Comparison"
OTHER = ""

_MOST_THREADS = 1024  # OpenMP crashes if the system can't start as many as torch requests
_MOST_SEEDS = 10_000
_MOST_JOBS = 1024
_LARGEST_SEED = 2**63 - 1 - _MOST_SEEDS  # of a generator of torch


@frozen
class Declaration:
    """The properties of an option on the command line, beside its field's name, type and default.

    `flag`, by default the field's name, and `short` are its names. `check` returns the error in a value, or None. An
    option without `beside_resume` can't be combined with `--resume`, which reads it from the run; `resume_help` is what
    another one means there. `compare` and `sweep` have no `--resume`, and don't offer a `train_only` option.
    """

    help: str
    group: str
    flag: str | None = None
    short: str | None = None
    metavar: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    path: Literal["any", "folder"] | None = None
    check: Callable[[str], str | None] | None = None
    beside_resume: bool = True
    resume_help: str = ""
    train_only: bool = False

    def flag_of(self, name: str) -> str:
        """The option on the command line for the field `name`, which this declares."""
        return self.flag or f"--{name.replace('_', '-')}"


def option(help: str, default: Any = None, *, group: str, **more: Any) -> Any:  # noqa: A002  # as click calls it
    """Declare an option as a field. `more` are fields of its Declaration."""
    declaration = Declaration(help, group, **more)
    return attrs_field(
        default=default,
        converter=optional(Path) if declaration.path else None,
        validator=_check_bounds,
        metadata={Declaration: declaration},
    )


def _check_bounds(_options: object, attribute: "Attribute[Any]", value: Any) -> None:
    declared = declaration_of(attribute)
    if value is None:
        return
    is_bounded = declared.minimum is not None or declared.maximum is not None
    if is_bounded and not isinstance(value, Real):
        raise UserError(f"{attribute.name} is {value!r}, but must be a number")
    if declared.minimum is not None and value < declared.minimum:
        raise UserError(f"{attribute.name} is {value}, but must be at least {declared.minimum}")
    if declared.maximum is not None and value > declared.maximum:
        raise UserError(f"{attribute.name} is {value}, but must be at most {declared.maximum}")


def declaration_of(attribute: "Attribute[Any]") -> Declaration:
    """The declaration of an option's field."""
    declaration: Declaration = attribute.metadata[Declaration]
    return declaration


def _check_device(text: str) -> str | None:
    """The error in a device name. Whether the device exists is checked later, because only torch knows."""
    if re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,4})?", text):
        return None
    return f"{text!r} is not a device; use auto, cpu, cuda, cuda:0 or mps."


@frozen
class RunOptions:
    """Options that affect how a run executes, never its result. Raises UserError for a value out of bounds.

    They are also keywords of `cifar_dsl.train`.
    """

    data_dir: Path | None = option(
        "Folder for downloaded datasets [default: $CIFAR_DSL_DATA, else the user's cache].", group=TARGET, path="any"
    )
    device: str = option("Device: auto, cpu, cuda, cuda:<n> or mps.", "auto", group=DEVICES, check=_check_device)
    threads: int | None = option(
        "CPU threads, recorded in the run [default: torch's choice, at most the CPUs that this process can use].",
        group=DEVICES,
        minimum=1,
        maximum=_MOST_THREADS,
    )
    engine: str = option(
        "How to run training steps: `eager`, `graph` (recorded CUDA graphs), `compile` (eager, with torch.compile) or "
        "`fused` (`auto`, with batch norm and activation compiled together). `auto` uses CUDA graphs where possible.",
        "auto",
        group=DEVICES,
        choices=("auto", "eager", "graph", "compile", "fused"),
    )
    runs: Path = option("Folder of runs.", Path("runs"), group=RUNS, path="any", beside_resume=False)
    checkpoint_every: int = option(
        "Save a checkpoint every N epochs (0: never).",
        1,
        group=RUNS,
        metavar="N",
        minimum=0,
    )
    checkpoint_seconds: int = option(
        "Save no checkpoint within N seconds of the last one, except at the end.",
        0,
        group=RUNS,
        metavar="N",
        minimum=0,
    )
    evaluate_every: int = option(
        "Evaluate on the test images every N epochs, and after the last one (0: only then). With `validation`, every "
        "epoch is evaluated.",
        1,
        group=RUNS,
        metavar="N",
        minimum=0,
    )
    keep_last: int = option("Number of checkpoints to keep during training.", 2, group=RUNS, minimum=1)
    wait: bool = option("Wait while another process trains the same run.", False, group=RUNS)
    retrain: bool = option(
        "Retrain and replace an existing run.",
        False,
        group=RUNS,
        beside_resume=False,
        train_only=True,
    )
    restart: bool = option(
        "Discard an interrupted run and start over.",
        False,
        group=RUNS,
        beside_resume=False,
        train_only=True,
    )


@frozen
class TrainOptions(RunOptions):
    """Options that select the runs to train, where they train, and what is shown."""

    data: str | None = option(
        "Dataset to use instead of the spec's: cifar10, cifar100, mnist, fashion_mnist, svhn, shapes, or npz:PATH.",
        group=TARGET,
        metavar="NAME",
        resume_help="With --resume, the new path of the run's array file.",
    )
    start: Path | None = option(
        "Fine-tune: start from the weights of this run or .safetensors file, where path and shape match.",
        group=TARGET,
        flag="--from",
        metavar="RUN|FILE",
        path="any",
        resume_help="With --resume, the new path of the run's weights.",
    )
    teacher: Path | None = option(
        "Distill: the run of the teacher that specs with `distill` learn from.",
        group=TARGET,
        metavar="RUN",
        path="any",
        resume_help="With --resume, the new path of the run's teacher.",
    )
    selection: Path | None = option(
        "Selection of images: the run that chose what specs with `keep chosen` learn from.",
        group=TARGET,
        metavar="RUN",
        path="any",
        resume_help="With --resume, the new path of that run.",
    )
    fast: int | None = option(
        "First try: train on N images only, an equal share of each class. Such runs are marked, and never compared "
        "with full ones.",
        group=TARGET,
        metavar="N",
        minimum=1,
        beside_resume=False,
    )
    validation: int | None = option(
        "Number of training images to hold out; also saves the weights of the epoch that is best on them. "
        "Overrides train.validation.",
        group=TARGET,
        metavar="IMAGES",
        minimum=0,
        beside_resume=False,
        train_only=True,
    )
    seed: int = option(
        "Random seed; with --seeds, the first seed.",
        0,
        group=TARGET,
        minimum=0,
        maximum=_LARGEST_SEED,
        beside_resume=False,
        train_only=True,
    )
    seeds: int = option(
        "Number of seeds to train.", 1, group=TARGET, minimum=1, maximum=_MOST_SEEDS, beside_resume=False
    )
    jobs: int | None = option(
        "Jobs to run in parallel [default: on CPUs, one single-threaded job per core; on GPUs, one job per GPU, which "
        "trains seeds of a spec side by side].",
        group=DEVICES,
        minimum=1,
        maximum=_MOST_JOBS,
        beside_resume=False,
    )
    executor: str = option(
        "Where to train: in local processes, or on a Ray cluster (pip install 'cifar-dsl[ray]').",
        "local",
        group=DEVICES,
        choices=("local", "ray"),
        beside_resume=False,
    )
    address: str | None = option(
        "Address of the Ray cluster: host:port, or auto [default: a cluster on this machine only].",
        group=DEVICES,
        metavar="ADDRESS",
        beside_resume=False,
    )
    log: tuple[str, ...] = option(
        "Log every epoch to a tracker; needs the extra of the same name (pip install 'cifar-dsl[tensorboard]'). Repeat "
        "the option for several trackers.",
        (),
        group=TRACKERS,
        choices=("tensorboard", "mlflow", "wandb"),
    )
    log_dir: Path | None = option(
        "Folder for the trackers' files [default: the folder of the runs; mlflow: MLFLOW_TRACKING_URI, if set].",
        group=TRACKERS,
        path="folder",
    )
    yes: bool = option("Answer yes to every prompt.", False, group=OTHER, short="-y")
    as_json: bool = option(
        "Print each epoch and the result as one line of JSON.", False, group=OTHER, flag="--json", train_only=True
    )
    quiet: bool = option("Print only the result.", False, group=OTHER, short="-q")

    @property
    def all_seeds(self) -> range:
        """The seeds to train."""
        return range(self.seed, self.seed + self.seeds)

    @property
    def conflict(self) -> str | None:
        """The error in a combination where one option has no effect, or None."""
        if self.address is not None and self.executor != "ray":
            return "--address requires --executor ray."
        if self.jobs is not None and self.executor == "ray":
            return "--jobs can't be combined with --executor ray: the cluster schedules the jobs."
        if self.log_dir is not None and not self.log:
            return "--log-dir requires --log."
        return None


@frozen
class CompareOptions(TrainOptions):
    """Options of `compare` and `sweep`."""

    baseline: str | None = option(
        "Spec to compare the others against [default: the spec that the others extend; in a sweep, SPEC itself].",
        group=COMPARISON,
        metavar="NAME",
    )
    until_decided: bool = option(
        "Train seed after seed of each spec until it is decided whether it is better or worse than the baseline.",
        False,
        group=COMPARISON,
    )
    cap: int | None = option(
        "With --until-decided: the most seeds of each spec [default: 30].", group=COMPARISON, minimum=4, maximum=30
    )
    equivalent_within: float | None = option(
        "With --until-decided: also decide that a spec differs by less than this many percentage points.",
        group=COMPARISON,
        metavar="POINTS",
    )
    no_train: bool = option(
        "Compare existing runs without training. With --until-decided: what is decided so far.", False, group=COMPARISON
    )
    pairs: bool = option("Also compare every pair of specs (with Holm's adjustment).", False, group=COMPARISON)
    sort: str | None = option(
        "Order of the specs after the baseline: by the size of the effect, largest first, by name or by parameters "
        "[default: as given].",
        group=COMPARISON,
        choices=("effect", "name", "parameters"),
    )
    no_chart: bool = option("Don't write a chart.", False, group=COMPARISON)
    no_report: bool = option("Don't write report.html.", False, group=COMPARISON)
    open_report: bool = option("Open the report in the browser.", False, group=COMPARISON, flag="--open")
    out: Path = option("Folder for tables, charts and the report.", Path("comparison"), group=COMPARISON, path="folder")

    @property
    def conflict(self) -> str | None:
        """The error in a combination where one option has no effect, or None."""
        if self.open_report and self.no_report:
            return "--open can't be combined with --no-report."
        if not self.until_decided:
            given = {"--cap": self.cap, "--equivalent-within": self.equivalent_within}
            alone = next((name for name, value in given.items() if value is not None), None)
            return f"{alone} requires --until-decided." if alone else super().conflict
        if self.seeds != 1:
            return "--seeds can't be combined with --until-decided, which chooses the seeds; limit them with --cap."
        if self.pairs:
            return (
                "--pairs can't be combined with --until-decided: its intervals hold for differences from the baseline."
            )
        return super().conflict


@frozen
class SweepOptions(CompareOptions):
    """Options of `sweep`, which also searches for the best combination."""

    until_decided: bool = option(
        "Train seed after seed until the best combination is known, by its accuracy on held-out images, and measure it "
        "with fresh seeds. With --baseline: until each is better or worse than that one.",
        False,
        group=COMPARISON,
    )
    equivalent_within: float | None = option(
        "With --until-decided: how many percentage points the chosen combination may be worse than the best [default: "
        "1]. With --baseline: as in `compare`.",
        group=COMPARISON,
        metavar="POINTS",
    )
    halving: bool = option(
        "Without a guarantee: train all combinations for few epochs, the better half for twice as many, and so on; "
        "measure the last one with fresh seeds.",
        False,
        group=COMPARISON,
    )
    fresh: int | None = option(
        "With --until-decided or --halving: the fresh seeds that measure the chosen combination [default: 5].",
        group=COMPARISON,
        metavar="N",
        minimum=1,
        maximum=_MOST_SEEDS,
    )

    @property
    def searches(self) -> bool:
        """Whether to search for the best combination, instead of comparing all with a baseline."""
        return self.halving or (self.until_decided and self.baseline is None)

    @property
    def conflict(self) -> str | None:
        """The error in a combination where one option has no effect, or None."""
        if self.fresh is not None and not self.searches:
            return "--fresh requires --halving, or --until-decided without --baseline."
        if self.halving:
            given = {
                "--until-decided": self.until_decided,
                "--baseline": self.baseline is not None,
                "--no-train": self.no_train,
                "--pairs": self.pairs,
            }
            if name := next((name for name, value in given.items() if value), None):
                return f"{name} can't be combined with --halving, which chooses one combination, without a guarantee."
        elif self.searches and self.no_train:
            return "--no-train can't be combined with --until-decided without --baseline, which has to train."
        return super().conflict


def help_of(field: "Attribute[Any]", kind: type[RunOptions]) -> str:
    """The help text of an option, for commands with this class of options."""
    declared = declaration_of(field)
    return declared.help if issubclass(kind, CompareOptions) else f"{declared.help} {declared.resume_help}".strip()


def target_words(options: TrainOptions) -> "list[str]":
    """The words of a command line for the options that select what is trained, except the seeds."""
    words: list[str] = []
    for field in fields(TrainOptions):
        declared, value = declaration_of(field), getattr(options, field.name)
        if declared.group == TARGET and field.name not in {"seed", "seeds"} and value != field.default:
            words += [declared.flag_of(field.name), str(value)]
    return words


def offered_options(kind: type[RunOptions]) -> "list[Attribute[Any]]":
    """The options that a command offers, given its class of options. Others keep their defaults."""
    is_comparison = issubclass(kind, CompareOptions)
    return [each for each in fields(kind) if not (is_comparison and declaration_of(each).train_only)]
