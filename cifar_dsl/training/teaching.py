"""Whether a teacher can teach a network: both classify the same images into the same classes. Needs no torch."""

from collections.abc import Iterable, Sequence

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.ir import Graph
from cifar_dsl.training.artifacts import ArtifactFile, teacher_of


def check_teacher(graph: Graph, classes: Sequence[str], files: Iterable[ArtifactFile]) -> None:
    """Raise RunError if the teacher among the artifacts doesn't fit a network, or the classes of its dataset."""
    teacher = teacher_of(files)
    if teacher is None:
        return
    message = _misfit(graph, classes, teacher.graph, teacher.classes)
    if message:
        raise RunError(
            f"the teacher doesn't fit: {message}",
            "pass a run on the same classes and size of image: --teacher RUN",
            reason=f"the teacher is {teacher.record.source}",
        )


def _misfit(graph: Graph, classes: Sequence[str], taught: Graph, taught_classes: Sequence[str]) -> str:
    """How a teacher's network and classes don't fit, "" if they do."""
    if taught.input != graph.input:
        return f"it takes images of {taught.input}, and the network {graph.input}"
    outputs, its_outputs = graph.shape_of(graph.output), taught.shape_of(taught.output)
    if its_outputs != outputs:
        return f"it gives {its_outputs} scores, and the network {outputs}"
    for place, (its, ours) in enumerate(zip(taught_classes, classes, strict=False)):
        if its != ours:
            return f"its class {place} is {its!r}, and that of the dataset {ours!r}"
    return ""
