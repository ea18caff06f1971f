"""`compare --until-decided`: train a round of seeds, look, and continue while something is open."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from cifar_dsl.cli.jobs import Outcome, train_missing
from cifar_dsl.cli.output import counted, note, warn
from cifar_dsl.experiments.comparison.effects import Sample
from cifar_dsl.experiments.comparison.plan import Plan, PlannedSpec, declare, earlier, next_seeds, now
from cifar_dsl.experiments.comparison.sentences import range_text
from cifar_dsl.experiments.comparison.sequential import LARGEST_CAP, effect, forecast, next_round
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import columns, duration
from cifar_dsl.runs import check_place, check_root, runs_in_place
from cifar_dsl.training.options import CompareOptions

if TYPE_CHECKING:
    from pathlib import Path

    from cifar_dsl import api
    from cifar_dsl.runs import Run
    from cifar_dsl.training.datasets import Dataset

    Opened = Sequence[tuple[api.Spec, Dataset]]


@frozen
class Trained:
    """The complete runs of a spec: accuracies by seed, the seeds of diverged runs, and the seconds that runs took."""

    accuracies: dict[int, float]
    diverged: tuple[int, ...]
    times_s: tuple[float, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds."""
        return (*self.accuracies, *self.diverged)


def train_until_decided(
    opened: "Opened", baseline: "api.Spec", options: CompareOptions, display_names: Mapping[str, str]
) -> tuple[Plan, Outcome | None]:
    """Train until nothing is open. Returns the plan, and the outcome of the last round, None if nothing was trained.

    A round that was stopped or in which a job failed is the last; the same command continues. With `--no-train`, there
    is none. Raises RunError for damaged runs, because the promise doesn't hold if runs are left out.
    """
    margin = None if options.equivalent_within is None else options.equivalent_within / 100
    specs = [baseline, *(spec for spec, _ in opened)]
    plan = declared("comparison", specs, opened[0][1].digest, margin, options, display_names)
    outcome: Outcome | None = None
    while True:
        trained = {each.fingerprint: trained_of(options.runs, each.fingerprint, plan.data) for each in plan.all_specs}
        samples = {name: plan.sample(name, runs.accuracies, len(runs.diverged)) for name, runs in trained.items()}
        ours = samples.pop(plan.baseline.fingerprint)
        if not options.quiet:
            for line in _state(plan, ours, samples, trained):
                note(line)
        more = next_round(plan.design, ours, samples)
        if not more or options.no_train or (outcome is not None and outcome.exit_code):
            return plan, outcome
        seeds = {
            name or plan.baseline.fingerprint: next_seeds(trained[name or plan.baseline.fingerprint].seeds, count)
            for name, count in more.items()
        }
        # Another process may train the same plan; prompts are for the first round.
        patient = evolve(options, wait=True, yes=options.yes or outcome is not None)
        outcome = train_missing(opened, patient, display_names=display_names, seeds=seeds)


def declared(
    purpose: Literal["comparison", "best"],
    specs: "Sequence[api.Spec]",
    data: str,
    margin: float | None,
    options: CompareOptions,
    names: Mapping[str, str],
) -> Plan:
    """The plan of a command for these specs, the baseline first; it is written beside the runs if it is new.

    `data` is the digest of the images, `margin` in accuracy (0 to 1). `names`, by fingerprint, are those in messages.
    """
    planned = [
        PlannedSpec(names[each], each, tuple(sorted(trained_of(options.runs, each, data).seeds)))
        for each in dict.fromkeys(spec.fingerprint for spec in specs)
    ]
    cap = LARGEST_CAP if options.cap is None else options.cap
    plan = Plan(planned[0], tuple(planned[1:]), data, cap, margin, now(), purpose=purpose)
    plan.design  # noqa: B018  # refuses what isn't calibrated
    if not options.no_train:
        check_root(options.runs)
    elif not plan.path(options.runs).is_file():
        raise UserError(
            f"{options.runs} has no plan to compare these specs until it is decided",
            "leave out --no-train to declare one and train; other specs, data, --cap or --equivalent-within are "
            "another plan",
        )
    plan, is_new = declare(plan, options.runs)
    if not options.quiet:
        note(f"plan    {plan.path(options.runs)}, {'declared now' if is_new else f'declared {plan.declared[:10]}'}")
    if is_new and (others_of := earlier(plan, options.runs)):
        warn(
            f"this is a new plan, beside {counted(len(others_of), 'other')} with this baseline and data; "
            "each makes false claims in up to 5 % of cases, so report all of them"
        )
    return plan


def trained_of(
    runs: "Path", fingerprint: str, digest: str, accuracy: "Callable[[Run], float | None] | None" = None
) -> Trained:
    """The complete runs of a spec on the data with this digest. Raises RunError for a damaged one.

    `accuracy` reads the accuracy of a finished run, by default that on the test images.
    """
    accuracies: dict[int, float] = {}
    diverged: list[int] = []
    times: list[float] = []
    for run in runs_in_place(runs, fingerprint):
        complete = run.complete()
        record, result = complete.record, complete.result
        check_place(run.path, record)
        if record.data.digest != digest or record.seed in accuracies or record.seed in diverged:
            continue
        times.append(result.time_s)
        found = result.accuracy if accuracy is None or result.accuracy is None else accuracy(run)
        if found is None:
            diverged.append(record.seed)
        else:
            accuracies[record.seed] = found
    return Trained(accuracies, tuple(diverged), tuple(times))


def _state(plan: Plan, ours: Sample, others: Mapping[str, Sample], trained: Mapping[str, Trained]) -> list[str]:
    """A table of the verdicts so far, with what it probably takes to decide the open specs."""
    names = {each.fingerprint: each.name for each in plan.all_specs}
    rows = [["spec", "n", "interval", "verdict", "more seeds"]]
    expected: dict[str, float] = {}
    for fingerprint, sample in others.items():
        found = effect(plan.design, ours, sample)
        verdict = found.verdict if found else "open"
        if verdict == "open":
            expected[fingerprint] = forecast(plan.design, ours, sample)[0]
        bounds = found.simultaneous if found else None
        more = f"about {max(1, round(expected[fingerprint]))}" if verdict == "open" else ""
        rows.append([names[fingerprint], str(sample.n), range_text(bounds, sign=True), verdict, more])
    lines = columns(rows, right=frozenset({1, 2}))
    if expected:
        expected[plan.baseline.fingerprint] = max(expected.values())
        times = [_mean_s(trained[name].times_s) for name in expected]
        total = sum(expected.values())
        known = [seeds * time for seeds, time in zip(expected.values(), times, strict=True) if time is not None]
        cost = f", {duration(sum(known))} of training" if len(known) == len(times) else ""
        lines.append(f"to decide the open ones: about {counted(round(total), 'more training')}{cost}")
    return lines


def _mean_s(times: Sequence[float]) -> float | None:
    return statistics.fmean(times) if times else None
