"""`cifar-dsl lr`: a learning rate range test."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cifar_dsl.cli import arguments
from cifar_dsl.cli.click_options import GroupedCommand, with_option
from cifar_dsl.cli.given import Given
from cifar_dsl.cli.output import note, print_json, print_result, warn, writing
from cifar_dsl.cli.spec_paths import spelled
from cifar_dsl.cli.warnings import print_warnings
from cifar_dsl.foundation.atomic import check_writable, write_atomically
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.training.artifacts import network_of_teacher
from cifar_dsl.training.options import TrainOptions

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.experiments.range_test import Reading
    from cifar_dsl.training.range_test import RangeTest


class _Rate(click.FloatRange):
    """A learning rate."""

    name = "rate"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True, max=1e6)


@click.command(
    name="lr",
    cls=GroupedCommand,
    examples=("cifar-dsl lr resnet18 --plot curve.svg", "cifar-dsl lr mine.arch --data shapes --low 1e-5 --high 1"),
    common=("--set", "--batch", "--data", "--low", "--high", "--steps", "--plot", "--seed", "--device", "--json"),
)
@arguments.spec
@arguments.with_overrides
@arguments.root
@with_option(TrainOptions, "data")
@with_option(TrainOptions, "start")
@with_option(TrainOptions, "teacher")
@with_option(TrainOptions, "selection")
@with_option(TrainOptions, "seed")
@click.option("--low", type=_Rate(), metavar="RATE", help="First rate [default: a thousandth of the spec's].")
@click.option("--high", type=_Rate(), metavar="RATE", help="Last rate [default: a hundred times the spec's].")
@click.option(
    "--steps",
    type=click.IntRange(20, 100_000),
    metavar="N",
    help="Number of training steps [default: those of an epoch, from 100 to 400].",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the plot to FILE: .svg or .png.",
)
@with_option(TrainOptions, "data_dir")
@with_option(TrainOptions, "device")
@with_option(TrainOptions, "threads")
@with_option(TrainOptions, "engine")
@with_option(TrainOptions, "yes")
@click.option("--json", "as_json", is_flag=True, help="Print the curve and the suggestion as JSON.")
def command(
    spec: Path,
    overrides: tuple[str, ...],
    root: Path | None,
    low: float | None,
    high: float | None,
    steps: int | None,
    plot: Path | None,
    as_json: bool,
    **given: object,
) -> int:
    """Find a learning rate for SPEC: train briefly while the rate rises, and plot the loss against it.

    Suggests a tenth of the rate at which the loss is lowest. Ends when the loss explodes; writes no run. Ctrl-C ends
    the test with what it has.
    """
    options = TrainOptions(**given)  # type: ignore[arg-type]
    if low is not None and high is not None and low >= high:
        raise click.UsageError("--low must be below --high.")
    if plot is not None:
        _check_plot(plot)
    files = Given.of(options)
    loaded = files.load(spec, root, overrides)
    files.check_used([loaded])
    loaded.analysis.require_recipe()
    print_warnings([loaded.analysis])
    run = _Run(low, high, steps, as_json=as_json)
    opened, test, code = run.test(loaded, options)
    from cifar_dsl.experiments.range_test import read_curve

    reading = read_curve(test.rates, test.losses, ended=test.ended)
    if as_json:
        print_json(_as_data(opened, test, reading))
    else:
        words = _words(spec, overrides, options)
        for line in (*_plotted(test, reading), "", *_told(opened, test, reading, words)):
            print_result(line)
    if plot is not None and len(test.losses) > 1:
        _write_plot(plot, opened, test, reading)
    return code


@frozen
class _Run:
    """What the command line says of a test."""

    low: float | None
    high: float | None
    steps: int | None
    as_json: bool

    def test(self, loaded: "Spec", options: TrainOptions) -> "tuple[Spec, RangeTest, int]":
        """The spec with its data, the result, and the exit code, which isn't 0 after a signal."""
        from cifar_dsl import api
        from cifar_dsl.cli.confirmation import confirm_size
        from cifar_dsl.cli.interruption import stoppable
        from cifar_dsl.cli.progress import DownloadProgress, StepProgress
        from cifar_dsl.training.artifacts import check_located
        from cifar_dsl.training.device import choose_device, set_threads
        from cifar_dsl.training.range_test import range_test

        confirm_size([(loaded.analysis, network_of_teacher(loaded.uses))], yes=options.yes)
        with DownloadProgress(quiet=self.as_json) as download:
            opened, dataset = api.open_data(loaded, data_dir=options.data_dir, progress=download, warn=warn)
        check_located(opened.name, opened.analysis.require_recipe(), opened.uses)
        set_threads(options.threads)
        with stoppable("ending the test after this step") as stop, StepProgress("range test") as progress:
            test = range_test(
                opened.analysis,
                dataset,
                choose_device(options.device),
                engine=options.engine,
                low=self.low,
                high=self.high,
                steps=self.steps,
                seed=options.seed,
                artifacts=opened.uses,
                on_step=progress,
                wants_stop=stop.wanted,
            )
        return opened, test, stop.exit_code if stop.wanted() else 0


def _check_plot(plot: Path) -> None:
    if plot.suffix.lower() not in {".svg", ".png"}:
        raise click.UsageError(f"--plot takes a file that ends in .svg or .png, not {plot}.")
    with writing(plot, "choose another place with --plot"):
        check_writable(plot.parent.resolve(strict=True))
    if plot.suffix.lower() == ".png":
        from cifar_dsl.views.png import require_png

        require_png()


def _plotted(test: "RangeTest", reading: "Reading") -> list[str]:
    from cifar_dsl.experiments.range_test_charts import as_text

    if len(test.losses) < 2:
        return []
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    width = shutil.get_terminal_size().columns
    return as_text(test.rates, test.losses, reading, width, is_plain=not encoding.startswith("utf"))


def _words(spec: Path, overrides: Sequence[str], options: TrainOptions) -> str:
    """The spec and its data, as another command takes them."""
    words = [spelled(spec)]
    if options.data:
        words += ["--data", options.data]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)


def _told(spec: "Spec", test: "RangeTest", reading: "Reading", words: str) -> list[str]:
    """What was measured, the suggestion, its reason and its assumptions. `words`: see `_words`."""
    from cifar_dsl.experiments.range_test_charts import rate_text

    recipe = spec.analysis.require_recipe()
    ends = {
        "diverged": "then the loss explodes",
        "stopped": f"stopped after {len(test.losses)} of {test.steps} steps",
        "complete": "the loss doesn't explode",
    }
    reached = rate_text(test.rates[-1]) if test.rates else "none"
    first = rate_text(test.rates[0]) if test.rates else "none"
    lines = [
        f"{spec.name}: {len(test.losses)} steps of {test.images_per_step:,} images with {recipe.optimizer.name}, "
        f"rates {first} to {reached}; {ends[test.ended]}"
    ]
    if reading.suggestion is None:
        return [*lines, f"no suggestion: {reading.obstacle}", *_advice(test)]
    assert reading.lowest is not None
    assert reading.interval is not None
    low, high = map(rate_text, reading.interval)
    own, value = recipe.optimizer.lr * test.peak, reading.suggestion / test.peak
    near = (rate_text(value * factor) for factor in (1 / 3, 1, 3))
    lines += [
        f"suggestion: {rate_text(reading.suggestion)}, a tenth of the rate with the lowest loss "
        f"({rate_text(reading.lowest)}); the spec has {rate_text(own)}",
        f"  noise: {in_short(reading.noise)} a step; it can't tell suggestions from {low} to {high} apart",
    ]
    if reading.at_end:
        lines.append("  the loss still falls at the last rate, so higher rates may be better: pass a larger --high")
    lines += [
        "  assumes that the first steps tell of the whole training, with one seed and this batch size",
        f"to use it: cifar-dsl train {words} --lr {rate_text(value)}",
        f"to decide by whole trainings: cifar-dsl sweep {words} --set train.optimizer.lr={','.join(near)}",
    ]
    if test.peak != 1:
        lines.append(f"  (that is the suggestion divided by {test.peak:.3g}, the largest factor of the schedule)")
    factor = reading.suggestion / own
    others = [group for group in recipe.groups if group.optimizer != recipe.optimizer and group.epochs != 0]
    lines += [
        f"  group `{group.name}` rose in step: its lr {rate_text(group.optimizer.lr)} becomes "
        f"{rate_text(group.optimizer.lr * factor)} in the spec"
        for group in others
    ]
    return lines


def _advice(test: "RangeTest") -> list[str]:
    if test.ended == "stopped":
        return []
    return ["  = help: use more steps (--steps), a larger batch (--batch), or other rates (--low, --high)"]


def _as_data(spec: "Spec", test: "RangeTest", reading: "Reading") -> dict[str, object]:
    return {
        "spec": spec.name,
        "fingerprint": spec.fingerprint,
        "optimizer": spec.analysis.require_recipe().optimizer.name,
        "recipe_rate": test.recipe_rate,
        "peak_factor": test.peak,
        "engine": test.engine,
        "ended": test.ended,
        "rates": test.rates,
        "losses": test.losses,
        "smooth": reading.smooth,
        "noise": reading.noise,
        "suggestion": reading.suggestion,
        "interval": reading.interval,
        "lowest": reading.lowest,
        "why_none": reading.obstacle or None,
    }


def _write_plot(plot: Path, spec: "Spec", test: "RangeTest", reading: "Reading") -> None:
    from cifar_dsl.experiments.range_test_charts import as_svg, svg_size
    from cifar_dsl.views.png import png_scale, svg_to_png

    optimizer = spec.analysis.require_recipe().optimizer.name
    svg = as_svg(f"Range test of {spec.name} with {optimizer}", test.rates, test.losses, reading)
    content = svg.encode()
    if plot.suffix.lower() == ".png":
        content = svg_to_png(svg, png_scale(max(svg_size())) or 1.0)
    with writing(plot, "choose another place with --plot"):
        write_atomically(plot, content, follow=True)
    note(f"plot written to {plot}")
