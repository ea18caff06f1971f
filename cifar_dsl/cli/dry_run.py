"""`train --dry-run`: show the network, its recipe, what it starts from, and the estimated memory and time."""

from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.analysis import available_bytes, estimate
from cifar_dsl.cli.output import counted, note, print_result, print_text
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import columns, duration, in_short
from cifar_dsl.ir.recipe import KeepAll, tests_of_subset
from cifar_dsl.training.artifacts import check_located, network_of_teacher, selection_of, share_seen
from cifar_dsl.training.starting_weights import match_all
from cifar_dsl.views.table import table

if TYPE_CHECKING:
    from cifar_dsl.api import Spec
    from cifar_dsl.training.options import TrainOptions

_EXPLANATIONS = {
    "activations": "at the peak of a step or an evaluation",
    "first steps": "which run once before they are recorded",
    "workspaces": "of matrix products",
    "dataset": "as bytes",
    "augmentation": "maps of source pixels",
    "whitening": "while it is fitted",
    "fragmentation": "of the heap",
    "process": "Python and torch",
    "teacher": "its weights, and the images that it classifies",
}


def dry_run_of(spec: "Spec", device: str) -> None:
    """Print what a training would do. Needs no torch and no dataset."""
    file = spec.data.file if spec.data else None
    images = len(file.y_train) + len(file.y_test) if file else None
    for line in table(spec.analysis):
        print_result(line)
    for weights, match in match_all(spec.graph, spec.recipe, spec.uses):
        print_text(f"\n{match.summary(weights.record.source)}")
        for line in columns(match.rows(), indent="  "):
            print_result(line)
    if spec.recipe is None:
        return
    is_on_cpu = device == "cpu" or (device == "auto" and not _has_gpu())
    teacher = network_of_teacher(spec.uses)
    share = share_seen(spec.uses)
    parts = estimate(spec.graph, spec.recipe, images, "cpu" if is_on_cpu else "cuda", teacher, share)
    print_text(f"\nestimated memory to train on a {'CPU' if is_on_cpu else 'GPU'}")
    explanations = _EXPLANATIONS | ({"dataset": "as floats, normalized"} if spec.recipe.normalize.is_first else {})
    rows = [[part, in_short(size, "B"), explanations.get(part, "")] for part, size in parts.items()]
    for line in columns(rows, right=frozenset({1}), indent="  "):
        print_result(line)
    if spec.recipe.distill.weight and teacher is None:
        note("note: the teacher isn't counted; name its run with --teacher")
    if spec.recipe.keep.takes_selection and selection_of(spec.uses) is None:
        note("note: all images of a batch are counted; name the run that chose among them with --selection")
    available = available_bytes() if is_on_cpu else None
    if available is not None and parts["total"] > available:
        note(f"warning: this machine has only {in_short(available, 'B')} of memory available")
        note(f"  = help: use a smaller batch: --set train.batch={max(1, spec.recipe.batch // 2)}")


def time_of(spec: "Spec", options: "TrainOptions") -> None:
    """Run a few steps on random images, and print the time that a training takes on this machine."""
    from cifar_dsl.cli.confirmation import confirm_size
    from cifar_dsl.training.device import choose_device, set_threads
    from cifar_dsl.training.timing import measure_speed

    recipe = spec.analysis.require_recipe()
    data, file = recipe.data, spec.data.file if spec.data else None
    train = data.subset or (len(file.y_train) if file else data.train_images)
    whole = (len(file.y_train), len(file.y_test)) if file else (data.train_images, data.images)
    if train is None or whole[0] is None or whole[1] is None:
        raise UserError("the number of images isn't known", "pass the array file: --data npz:PATH")
    tests = whole[1] if file else whole[1] - whole[0]
    tests = tests_of_subset(data.subset, whole[0], tests) if data.subset else tests
    confirm_size([(spec.analysis, network_of_teacher(spec.uses))], yes=options.yes)
    check_located(spec.name, recipe, spec.uses)
    choice = choose_device(options.device)
    set_threads(options.threads)
    speed = measure_speed(
        spec.analysis,
        choice,
        train,
        tests,
        engine=options.engine,
        evaluate_every=options.evaluate_every,
        artifacts=spec.uses,
    )
    print_text(f"\nestimated time to train on {choice.name}, engine `{speed.engine}`, one seed")
    steps = f"median of {speed.measured} after {speed.warm} to warm up; the slowest took {duration(speed.slowest_s)}"
    work = f"{speed.steps:,} steps and {counted(speed.evaluations, 'evaluation')}"
    rows = [
        ["step", f"{1000 * speed.step_s:.3g} ms", steps],
        ["evaluation", duration(speed.evaluation_s), f"from {speed.evaluated:,} images"],
        ["training", duration(speed.training_s), work],
    ]
    for line in columns(rows, right=frozenset({1}), indent="  "):
        print_result(line)
    note("measured on random images, with nothing of what else this machine will do meanwhile")
    if recipe.keep != KeepAll():
        note("steps on all images of a batch: a recipe that chooses images takes another time")
    if len(spec.analysis.training_sizes) > 1:
        note("steps of the first epoch: images of other sizes take other times")
    if recipe.early_stopping.measure:
        note("early stopping may end the training before its last epoch")
    if recipe.normalize.is_whitening:
        note("fitting the whitening takes more time, once")


def _has_gpu() -> bool:
    """Whether NVIDIA's driver is loaded; only torch knows whether it can use the GPU."""
    return Path("/dev/nvidiactl").exists()
