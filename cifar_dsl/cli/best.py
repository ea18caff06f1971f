"""`sweep --until-decided` and `sweep --halving`: find the best combination, and measure it with fresh seeds."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cattrs

from cifar_dsl.cli import results
from cifar_dsl.cli.compare import Contestant, open_data
from cifar_dsl.cli.given import training_images
from cifar_dsl.cli.jobs import Outcome, train_missing
from cifar_dsl.cli.output import command_line, counted, note, print_result
from cifar_dsl.cli.until_decided import Trained, declared, trained_of
from cifar_dsl.cli.warnings import print_warnings
from cifar_dsl.experiments.comparison.effects import Sample
from cifar_dsl.experiments.comparison.plan import Plan, next_seeds
from cifar_dsl.experiments.comparison.sentences import range_text
from cifar_dsl.experiments.elimination import (
    FRESH,
    MARGIN,
    Standing,
    better_half,
    is_decided,
    next_round,
    rounds_of,
    standing,
)
from cifar_dsl.foundation.atomic import write_atomically
from cifar_dsl.foundation.errors import SweepError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import accuracy_in_percent, columns, points
from cifar_dsl.runs import Run
from cifar_dsl.training.options import SweepOptions

if TYPE_CHECKING:
    from cifar_dsl import api
    from cifar_dsl.training.datasets import Dataset

    Opened = Sequence[tuple[Contestant, Dataset]]

_FRESH_SEEDS = 5  # by default
_LOWER_RATES = "sweep over lower learning rates: --set train.optimizer.lr=1e-4,1e-5"


@frozen
class Candidate:
    """A spec in a search: the mean accuracy on the held-out images of its `n` runs of `epochs` epochs.

    `worse_by` is by how much it may be worse than the best, in accuracy; None if that is unknown, or it is out.
    """

    name: str
    epochs: float
    n: int
    validation: float | None
    worse_by: float | None = None
    remark: str = ""


@frozen
class Found:
    """The name of the spec that was chosen, why, and all that were searched."""

    chosen: str
    reason: str
    candidates: tuple[Candidate, ...]


def find_best(contestants: Sequence[Contestant], target: Sequence[str], options: SweepOptions) -> int:
    """Eliminate combinations until the best is known, and measure it. Returns the exit code.

    `target` are the words of a command line that select what is trained. Killed at any moment, the same command
    continues. Raises SweepError without held-out images, and RunError for damaged runs.
    """
    _check(contestants, options)
    results.prepare(options.out)  # fail now, not after hours of training
    opened = open_data(contestants, options)
    specs, names = [(each.spec, dataset) for each, dataset in opened], _names(opened)
    margin = MARGIN if options.equivalent_within is None else options.equivalent_within / 100
    plan = declared("best", [spec for spec, _ in specs], opened[0][1].digest, margin, options, names)
    outcome: Outcome | None = None
    while True:
        trained = {each.fingerprint: _validated(options.runs, each.fingerprint, plan.data) for each in plan.all_specs}
        samples = {name: plan.sample(name, runs.accuracies, len(runs.diverged)) for name, runs in trained.items()}
        found = standing(plan.design, samples)
        if not options.quiet:
            note(_in_short(found, names))
        more = next_round(plan.design, samples)
        if not more:
            break
        if outcome is not None and outcome.exit_code:
            return outcome.exit_code
        seeds = {name: next_seeds(trained[name].seeds, count) for name, count in more.items()}
        # Another process may train the same plan; prompts are for the first round.
        patient = evolve(options, wait=True, yes=options.yes or outcome is not None)
        outcome = train_missing(specs, patient, display_names=names, seeds=seeds)
    if not found.worse_by:
        raise SweepError(f"all {len(names)} combinations diverge", _LOWER_RATES)
    return _measure(opened, _eliminated(plan, found, samples, opened), target, options)


def halve(load: Callable[[int | None], Sequence[Contestant]], target: Sequence[str], options: SweepOptions) -> int:
    """Keep the better half of the combinations while the epochs double, and measure the last. Returns the exit code.

    `load` returns the combinations trained for a number of epochs, or their own (None).
    """
    contestants = load(None)
    _check(contestants, options)
    epochs = {each.spec.analysis.require_recipe().epochs for each in contestants}
    if len(epochs) > 1:
        raise SweepError(
            "--halving chooses the epochs, but the sweep varies train.epochs", "leave train.epochs out of the sweep"
        )
    results.prepare(options.out)
    full = epochs.pop()
    left = [each.display_name for each in contestants]
    candidates: dict[str, Candidate] = {}
    for count in rounds_of(len(left), math.ceil(full)):
        used = min(count, full)
        opened = [one for one in open_data(load(None if used == full else count), options) if _name(one) in left]
        if not options.quiet:
            note(f"halving: {counted(len(opened), 'spec')}, {used:g} of {full:g} epochs")
        specs = [(each.spec, dataset) for each, dataset in opened]
        outcome = train_missing(specs, options, display_names=_names(opened))
        if outcome.exit_code:
            return outcome.exit_code
        scores: dict[str, float | None] = {}
        for each, dataset in opened:
            runs = _validated(options.runs, each.spec.fingerprint, dataset.digest)
            sample = Sample(tuple(runs.accuracies[seed] for seed in options.all_seeds if seed in runs.accuracies))
            scores[each.display_name] = sample.mean
            candidates[each.display_name] = Candidate(each.display_name, used, sample.n, sample.mean)
        left = better_half(scores)
    best = left[0]
    if scores[best] is None:
        raise SweepError("the last combinations diverge", _LOWER_RATES)
    reason = "the last of the halving, which guarantees nothing"
    found = Found(best, reason, tuple(candidates[each.display_name] for each in contestants))
    return _measure(opened, found, target, options)


def list_rounds(contestants: Sequence[Contestant], options: SweepOptions) -> str:
    """What a search would train, in words."""
    fresh = f"then {counted(options.fresh or _FRESH_SEEDS, 'fresh seed')} of the best"
    if not options.halving:
        return f"the first round; those that may be the best take one seed more in each of the next, {fresh}"
    epochs = contestants[0].spec.analysis.require_recipe().epochs
    parts, left = [], len(contestants)
    for count in rounds_of(left, math.ceil(epochs)):
        parts.append(f"{counted(left, 'spec')} for {counted(count, 'epoch')}")
        left = math.ceil(left / 2)
    return f"halving: {', '.join(parts)}, {fresh}"


def _check(contestants: Sequence[Contestant], options: SweepOptions) -> None:
    """Raise SweepError if there is no choice, or no accuracy to choose by; print warnings about the specs."""
    if len(contestants) < 2:
        raise SweepError("the sweep has a single spec", "vary a value: --set 'head=[64],[512]'")
    if any(not each.spec.analysis.require_recipe().validation for each in contestants):
        raise SweepError(
            "the best combination is chosen by its accuracy on held-out images, but `validation` is 0",
            f"hold out training images: --set train.validation={_tenth(contestants[0].spec)}",
            reason="chosen by its test accuracy, the best one would look better than it is",
        )
    if not options.quiet:
        print_warnings(each.spec.analysis for each in contestants)


def _tenth(spec: "api.Spec") -> int:
    """A tenth of the training images, at least one; of those of CIFAR-10 if their number is unknown."""
    return max(1, (training_images(spec) or 50_000) // 10)


def _name(opened: "tuple[Contestant, Dataset]") -> str:
    return opened[0].display_name


def _names(opened: "Opened") -> dict[str, str]:
    return {each.spec.fingerprint: each.display_name for each, _ in opened}


def _validated(runs: Path, fingerprint: str, digest: str) -> Trained:
    """The runs that choose: their accuracies on the held-out images, without the seeds that are kept for measuring."""
    found = trained_of(runs, fingerprint, digest, _validation_accuracy)
    chosen = {seed: accuracy for seed, accuracy in found.accuracies.items() if seed < FRESH}
    return evolve(found, accuracies=chosen, diverged=tuple(seed for seed in found.diverged if seed < FRESH))


def _validation_accuracy(run: Run) -> float | None:
    """That of the last epoch, whose weights are tested."""
    return run.metrics()[-1].validation_accuracy


def _in_short(found: Standing, names: Mapping[str, str]) -> str:
    if not found.worse_by:
        return "all combinations diverge"
    least = found.worse_by[found.chosen]
    worse = f"; {names[found.chosen]} is at most {points(least)} points worse than the best" if least < 1 else ""
    return f"{len(found.worse_by)} of {len(names)} may be the best{worse}"


def _eliminated(plan: Plan, found: Standing, samples: Mapping[str, Sample], opened: "Opened") -> Found:
    """What elimination has found, the most accurate spec first."""
    names = _names(opened)
    epochs = {each.spec.fingerprint: each.spec.analysis.require_recipe().epochs for each, _ in opened}
    candidates = []
    for name, sample in sorted(samples.items(), key=lambda item: item[1].mean or 0.0, reverse=True):
        least = found.worse_by.get(name, math.inf)
        better = found.eliminated.get(name)
        remark = f"worse than {names[better]}" if better else "diverges"
        if name in found.worse_by:
            remark = "chosen" if name == found.chosen else "may be the best"
        worse_by = least if math.isfinite(least) else None
        candidates.append(Candidate(names[name], epochs[name], sample.n, sample.mean, worse_by, remark))
    reason = f"at most {points(found.worse_by[found.chosen])} points of validation accuracy worse than the best (95 %)"
    if len(found.worse_by) == 1:
        reason = "the best by validation accuracy (95 %)"
    if not is_decided(plan.design, found):
        reason += f"; not decided within {points(plan.design.margin or 0.0)} points by {plan.cap} seeds"
    return Found(names[found.chosen], reason, tuple(candidates))


def _measure(opened: "Opened", found: Found, target: Sequence[str], options: SweepOptions) -> int:
    """Train fresh seeds of the chosen spec, and print and write the result. Returns the exit code."""
    chosen, dataset = next(one for one in opened if _name(one) == found.chosen)
    spec, seeds = chosen.spec, range(FRESH, FRESH + (options.fresh or _FRESH_SEEDS))
    patient = evolve(options, wait=True, yes=True)
    outcome = train_missing(
        [(spec, dataset)],
        patient,
        display_names={spec.fingerprint: found.chosen},
        seeds={spec.fingerprint: seeds},
    )
    if outcome.stop.wanted():
        return outcome.exit_code
    trained = trained_of(options.runs, spec.fingerprint, dataset.digest)
    sample = Sample(tuple(trained.accuracies[seed] for seed in seeds if seed in trained.accuracies))
    for line in columns(_rows(found.candidates), right=frozenset({1, 2, 3})):
        print_result(line)
    print_result("")
    print_result(f"chosen: {found.chosen}, {found.reason}")
    between = f", 95 % interval {range_text(sample.interval)} %" if sample.interval else ""
    diverged = sum(seed in trained.diverged for seed in seeds)
    lost = f"; {counted(diverged, 'run')} diverged" if diverged else ""
    measured = f"{_accuracy(sample.mean)} ({counted(sample.n, 'fresh seed')}{between}{lost})"
    print_result(f"test accuracy: {measured if sample.n else f'none{lost}'}")
    _write(found, spec, seeds, sample, options)
    sets = [word for override in spec.overrides for word in ("--set", override)]
    note(f"train it with: {command_line('train', *target, *sets)}")
    return outcome.exit_code


def _rows(candidates: Sequence[Candidate]) -> list[list[str]]:
    rows = [["spec", "epochs", "n", "validation", "worse than the best", ""]]
    for each in candidates:
        most = "" if each.worse_by is None else f"by at most {points(each.worse_by)}"
        rows.append([each.name, f"{each.epochs:g}", str(each.n), _accuracy(each.validation), most, each.remark])
    is_empty = [not any(column[1:]) for column in zip(*rows, strict=True)]
    return [[cell for cell, empty in zip(row, is_empty, strict=True) if not empty] for row in rows]


def _write(found: Found, spec: "api.Spec", seeds: Sequence[int], sample: Sample, options: SweepOptions) -> None:
    """Write best.json to the folder for results."""
    content = {
        "chosen": found.chosen,
        "fingerprint": spec.fingerprint,
        "overrides": spec.overrides,
        "reason": found.reason,
        "fresh_seeds": list(seeds),
        "accuracies": sample.accuracies,
        "specs": cattrs.unstructure(found.candidates),
    }
    with results.writing_to(options.out):
        write_atomically(options.out / "best.json", (json.dumps(content, indent=2) + "\n").encode(), follow=True)
    note(f"written to {options.out / 'best.json'}")


def _accuracy(share: float | None) -> str:
    return "" if share is None else accuracy_in_percent(share)
