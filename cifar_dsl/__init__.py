"""Check, compile and train image classifiers defined in small text files.

spec = cifar_dsl.load("specs/residual.arch")
spec.graph.cost.parameters      # needs no torch
module = spec.build()           # an ordinary torch.nn.Module
run = spec.train(data="shapes")
run.accuracy

All public names are importable from here; docs/api.md lists them. Each is imported on first use.
"""

# Without importing typing: this file is the first that the program runs, before it handles Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from cifar_dsl.api import (
        Comparison,
        History,
        ImportedSpec,
        Run,
        Spec,
        compare,
        data,
        from_torch,
        load,
        load_trained,
        train,
    )
    from cifar_dsl.compiler import Analysis
    from cifar_dsl.foundation.errors import (
        CifarDslError,
        DataError,
        DeviceError,
        DiskFullError,
        DownloadError,
        EngineError,
        LockedError,
        NewerRunError,
        RunError,
        SpecWarning,
        StoppedError,
        SweepError,
        UserError,
    )
    from cifar_dsl.foundation.version import __version__
    from cifar_dsl.inference.evaluation import Evaluation, Mistake
    from cifar_dsl.inference.prediction import Prediction
    from cifar_dsl.ir import Cost, Graph, Node, Recipe, Shape
    from cifar_dsl.language.diagnostics import Diagnostic, SpecError
    from cifar_dsl.runs import EpochMetrics, ExitMetrics, ExitResult, RunRecord, RunResult, SpecIdentity
    from cifar_dsl.runs.predictions import Confusion
    from cifar_dsl.training.datasets import Dataset
    from cifar_dsl.training.events import (
        CheckpointSaved,
        EpochEnded,
        Event,
        Listener,
        Note,
        StepsDone,
        TrainingEnded,
        TrainingFailed,
        TrainingStarted,
        TrainingStopped,
    )
    from cifar_dsl.training.options import RunOptions

# The module of each public name. The imports above, for type checkers, and `__all__` list the same names.
_MODULES = {
    "Analysis": "compiler",
    "CheckpointSaved": "training.events",
    "CifarDslError": "foundation.errors",
    "Comparison": "api",
    "Confusion": "runs.predictions",
    "Cost": "ir",
    "DataError": "foundation.errors",
    "Dataset": "training.datasets",
    "DeviceError": "foundation.errors",
    "Diagnostic": "language.diagnostics",
    "DiskFullError": "foundation.errors",
    "DownloadError": "foundation.errors",
    "EngineError": "foundation.errors",
    "EpochEnded": "training.events",
    "EpochMetrics": "runs",
    "Evaluation": "inference.evaluation",
    "Event": "training.events",
    "ExitMetrics": "runs",
    "ExitResult": "runs",
    "Graph": "ir",
    "History": "api",
    "ImportedSpec": "api",
    "Listener": "training.events",
    "LockedError": "foundation.errors",
    "Mistake": "inference.evaluation",
    "NewerRunError": "foundation.errors",
    "Node": "ir",
    "Note": "training.events",
    "Prediction": "inference.prediction",
    "Recipe": "ir",
    "Run": "api",
    "RunError": "foundation.errors",
    "RunOptions": "training.options",
    "RunRecord": "runs",
    "RunResult": "runs",
    "Shape": "ir",
    "Spec": "api",
    "SpecError": "language.diagnostics",
    "SpecIdentity": "runs",
    "SpecWarning": "foundation.errors",
    "StepsDone": "training.events",
    "StoppedError": "foundation.errors",
    "SweepError": "foundation.errors",
    "TrainingEnded": "training.events",
    "TrainingFailed": "training.events",
    "TrainingStarted": "training.events",
    "TrainingStopped": "training.events",
    "UserError": "foundation.errors",
    "__version__": "foundation.version",
    "compare": "api",
    "data": "api",
    "from_torch": "api",
    "load": "api",
    "load_trained": "api",
    "train": "api",
}

__all__ = [
    "Analysis",
    "CheckpointSaved",
    "CifarDslError",
    "Comparison",
    "Confusion",
    "Cost",
    "DataError",
    "Dataset",
    "DeviceError",
    "Diagnostic",
    "DiskFullError",
    "DownloadError",
    "EngineError",
    "EpochEnded",
    "EpochMetrics",
    "Evaluation",
    "Event",
    "ExitMetrics",
    "ExitResult",
    "Graph",
    "History",
    "ImportedSpec",
    "Listener",
    "LockedError",
    "Mistake",
    "NewerRunError",
    "Node",
    "Note",
    "Prediction",
    "Recipe",
    "Run",
    "RunError",
    "RunOptions",
    "RunRecord",
    "RunResult",
    "Shape",
    "Spec",
    "SpecError",
    "SpecIdentity",
    "SpecWarning",
    "StepsDone",
    "StoppedError",
    "SweepError",
    "TrainingEnded",
    "TrainingFailed",
    "TrainingStarted",
    "TrainingStopped",
    "UserError",
    "__version__",
    "compare",
    "data",
    "from_torch",
    "load",
    "load_trained",
    "train",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def load_ipython_extension(ipython: object) -> None:
    """Register the cell magic `%%arch`; called by `%load_ext cifar_dsl`."""
    from cifar_dsl.editors.notebook import register

    register(ipython)
