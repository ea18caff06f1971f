"""Check, compile and train image classifiers defined in small text files.

spec = cifar_dsl.load("specs/residual.arch")
spec.graph.cost.parameters      # needs no torch
module = spec.build()           # an ordinary torch.nn.Module
run = cifar_dsl.train(spec, data="shapes")
run.result().accuracy

All public names are importable from here; docs/api.md lists them. Each is imported on first use.
"""

# Without importing typing: this file is the first that the program runs, before it handles Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from cifar_dsl.api import ImportedSpec, Spec, from_torch, load, load_trained, train
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
    from cifar_dsl.ir import Cost, Graph, Node, Recipe, Shape
    from cifar_dsl.language.diagnostics import Diagnostic, SpecError
    from cifar_dsl.runs import EpochMetrics, ExitMetrics, ExitResult, Run, RunRecord, RunResult, SpecIdentity
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
    "Cost": "ir",
    "DataError": "foundation.errors",
    "DeviceError": "foundation.errors",
    "DiskFullError": "foundation.errors",
    "Diagnostic": "language.diagnostics",
    "DownloadError": "foundation.errors",
    "EngineError": "foundation.errors",
    "EpochEnded": "training.events",
    "EpochMetrics": "runs",
    "Event": "training.events",
    "ExitMetrics": "runs",
    "ExitResult": "runs",
    "Graph": "ir",
    "ImportedSpec": "api",
    "Listener": "training.events",
    "LockedError": "foundation.errors",
    "NewerRunError": "foundation.errors",
    "Node": "ir",
    "Note": "training.events",
    "Recipe": "ir",
    "Run": "runs",
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
    "from_torch": "api",
    "load": "api",
    "load_trained": "api",
    "train": "api",
}

__all__ = [
    "Analysis",
    "CheckpointSaved",
    "CifarDslError",
    "Cost",
    "DataError",
    "DeviceError",
    "Diagnostic",
    "DiskFullError",
    "DownloadError",
    "EngineError",
    "EpochEnded",
    "EpochMetrics",
    "Event",
    "ExitMetrics",
    "ExitResult",
    "Graph",
    "ImportedSpec",
    "Listener",
    "LockedError",
    "NewerRunError",
    "Node",
    "Note",
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
