"""How the jobs of `train`, `compare` and `sweep` run: in which processes, on which devices, and in how much memory."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cifar_dsl import api
from cifar_dsl.analysis import estimate, usable_cpus
from cifar_dsl.cli.output import note
from cifar_dsl.experiments.jobs import Executor, InlineExecutor, Job, LocalExecutor
from cifar_dsl.foundation.records import evolve, frozen
from cifar_dsl.foundation.text import in_short
from cifar_dsl.training.artifacts import network_of_teacher, share_seen
from cifar_dsl.training.device import Choice, choose_device, memory_bytes, spare_gpus
from cifar_dsl.training.options import TrainOptions
from cifar_dsl.training.precision import why_slow

if TYPE_CHECKING:
    from cifar_dsl.training.datasets import Dataset


@frozen
class JobPlan:
    """How jobs are run: by `workers` processes of `threads` threads each; `description` is the plan in words.

    `threads` is None where torch chooses. Workers that `share_devices` can't measure their energy.
    """

    executor: Executor
    workers: int
    threads: int | None
    device: str
    description: str
    share_devices: bool
    jobs: int | None  # that keep all devices busy; None: one for each training
    choice: Choice | None = None  # of this machine's device
    devices: int = 1  # that the workers share
    needs: "tuple[Need, ...]" = ()  # of a training of each spec, on a CPU


@frozen
class Need:
    """The memory that a training takes, in bytes: in all, and of it the pictures that all processes share."""

    spec: "api.Spec"
    total: int
    shared: int

    def of(self, count: int) -> int:
        """The memory of several such trainings, each in a process."""
        return self.shared + count * (self.total - self.shared)

    def count_in(self, memory: int) -> int:
        """How many fit in this memory, at least one."""
        return max(1, (memory - self.shared) // (self.total - self.shared))


def memory_needs(to_train: "Iterable[tuple[api.Spec, Dataset]]", choice: Choice, together: int = 1) -> list[Need]:
    """The memory of a training of each spec, of that many seeds side by side."""
    needs: list[Need] = []
    for spec, dataset in to_train:
        recipe, teacher = spec.analysis.require_recipe(), network_of_teacher(spec.uses)
        images, share = len(dataset.y_train) + len(dataset.y_test), share_seen(spec.uses)
        parts = estimate(spec.graph, recipe, images, choice.device.type, teacher, share, seeds=together)
        is_copied = recipe.validation > 0 or recipe.normalize.is_first  # without the held-out ones, or normalised
        is_shared = dataset.is_mapped and choice.device.type == "cpu" and not is_copied
        needs.append(Need(spec, parts["total"], parts["dataset"] if is_shared else 0))
    return needs


def warn_of_device(needs: Sequence[Need], choice: Choice, *, at_a_time: int, together: int = 1) -> None:
    """Warn if a training probably needs more memory than the device has, or if its precision is slow there.

    `at_a_time` jobs share the memory, each in a process, and train at most `together` seeds each, side by side.
    """
    memory = choice.ask(memory_bytes, choice.device)
    slow: dict[str, str] = {}
    for need in needs:
        if memory is not None and need.of(at_a_time) > memory:
            seeds = f" with {together} seeds side by side" if together > 1 else ""
            parallel = f" {at_a_time} times in parallel" if at_a_time > 1 else ""
            fewer = "; train fewer in parallel with --jobs" if at_a_time > 1 else ""
            fewer = "; train fewer --seeds at once" if together > 1 else fewer
            note(
                f"warning: training {need.spec.name}{parallel}{seeds} takes about {in_short(need.of(at_a_time), 'B')}, "
                f"but {choice.device} has {in_short(memory, 'B')} of free memory; `--dry-run` shows a breakdown{fewer}"
            )
        precision = need.spec.analysis.require_recipe().precision
        if precision != "fp32" and (reason := choice.ask(why_slow, precision, choice.device)):
            slow[precision] = reason
    for name, reason in slow.items():
        note(f"warning: {name} is slow here, because {reason}; `--set train.precision=fp32` is faster")


def local_plan(options: TrainOptions, trainings: int, to_train: "Iterable[tuple[api.Spec, Dataset]]" = ()) -> JobPlan:
    """The plan for a number of trainings on this machine, of the specs `to_train`, as far as its memory allows."""
    choice = choose_device(options.device)
    gpus = spare_gpus(options.device)
    needs = memory_needs(to_train, choice) if choice.device.type == "cpu" else []
    most = _most_in_memory(needs, choice)
    workers, threads = spread(options, choice, trainings, most)
    is_limited = most is not None and workers < spread(options, choice, trainings)[0]
    if choice.device.type == "cuda" and workers > 1:
        choice = evolve(choice, is_used_elsewhere=True)
    shown = "" if threads is None else f" of {threads} thread{'' if threads == 1 else 's'}"
    shared = f" on {min(workers, len(gpus))} GPUs" if len(gpus) > 1 else ""
    together = f"; {workers} process{'es' if workers > 1 else ''}{shown}{shared}" if workers > 1 or is_limited else ""
    together += ", as many as fit in its memory" if is_limited else ""
    return JobPlan(
        LocalExecutor(workers, gpus) if workers > 1 else InlineExecutor(),
        workers,
        threads,
        str(choice.device),
        f"{choice.device} ({choice.name}); {choice.reason}{together}",
        share_devices=workers > max(1, len(gpus)),
        jobs=None if choice.device.type == "cpu" else workers,
        choice=choice,
        devices=max(1, len(gpus)),
        needs=tuple(needs),
    )


def _most_in_memory(needs: Sequence[Need], choice: Choice) -> int | None:
    """How many trainings of the largest network fit in the memory that is free; None if that is unknown."""
    memory = choice.ask(memory_bytes, choice.device) if needs else None
    return None if memory is None else min(need.count_in(memory) for need in needs)


def ray_plan(options: TrainOptions) -> JobPlan:
    """The plan for a Ray cluster, where a training has one thread by default, as parallel processes here do."""
    from cifar_dsl.experiments.jobs.ray import RayExecutor, cluster_resources, connect

    connect(options.address)
    cpus, gpus, nodes = cluster_resources()
    device = options.device if options.device != "auto" else "cuda" if gpus else "cpu"
    threads = options.threads or 1
    if threads > cpus or (device.startswith("cuda") and not gpus):
        note("warning: no node has the resources that a job needs; waiting for one to join")
    description = f"{device} on a Ray cluster: nodes {nodes}, CPUs {cpus}, GPUs {gpus}"
    workers = cpus // threads or 1
    jobs = None if device == "cpu" else max(1, gpus)
    return JobPlan(RayExecutor(), workers, threads, device, description, share_devices=workers > 1, jobs=jobs)


def spread(options: TrainOptions, choice: Choice, trainings: int, most: int | None = None) -> tuple[int, int | None]:
    """The number of processes for a number of trainings, and the threads of each (None: the default).

    On CPUs, one single-threaded process for each is fastest overall, if the memory is enough for that: without
    `options.jobs`, there are at most `most`. Otherwise there is one process per GPU, which trains seeds of a spec side
    by side: all of them, unless there are more GPUs than specs.
    """
    if choice.device.type != "cpu":
        return options.jobs or max(1, min(len(spare_gpus(options.device)), trainings)), options.threads
    cpus = usable_cpus()
    workers = max(1, min(options.jobs or min(cpus, most or cpus), trainings))
    return workers, options.threads or (1 if workers > 1 else None)


def planned_jobs(
    missing: "Sequence[tuple[api.Spec, Dataset, int]]",
    options: TrainOptions,
    display_names: Mapping[str, str],
    plan: JobPlan,
) -> list[Job]:
    """One job per training; on a GPU, jobs of several seeds of a spec, which are trained side by side.

    Seeds of one spec are spread evenly over as many jobs as it takes to keep all devices busy.
    """
    packed: dict[str, tuple[api.Spec, Dataset, list[int]]] = {}
    for spec, dataset, seed in missing:
        packed.setdefault(spec.fingerprint, (spec, dataset, []))[2].append(seed)
    jobs_each = len(missing) if plan.jobs is None else math.ceil(plan.jobs / max(1, len(packed)))
    return [
        api.job(
            spec,
            dataset,
            part,
            options,
            display_name=display_names.get(spec.fingerprint),
            shares_device=plan.share_devices,
        )
        for spec, dataset, seeds in packed.values()
        for part in _parts(seeds, jobs_each)
    ]


def _parts(seeds: Sequence[int], count: int) -> list[Sequence[int]]:
    """The seeds in at most `count` parts, none of which is empty or has two seeds more than another."""
    count = min(count, len(seeds))
    ends = [number * len(seeds) // count for number in range(count + 1)]
    return [seeds[start:end] for start, end in itertools.pairwise(ends)]
