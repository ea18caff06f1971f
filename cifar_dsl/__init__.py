"""A small text file says an image classifier and its recipe; cifar_dsl checks, compiles and trains it.

spec = cifar_dsl.load("specs/residual.arch")
spec.graph.cost.parameters      # known without torch
module = spec.build()           # an ordinary torch.nn.Module
run = cifar_dsl.train(spec, data="shapes")
run.result().accuracy
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cifar_dsl.api import Spec, load, load_trained, train
    from cifar_dsl.foundation.version import __version__
    from cifar_dsl.language.diagnostics import SpecError

__all__ = ["Spec", "SpecError", "__version__", "load", "load_trained", "train"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    # Looked up on first use, so that `import cifar_dsl.language.source` costs no more than that module.
    match name:
        case "Spec" | "load" | "load_trained" | "train":
            from cifar_dsl import api

            return vars(api)[name]
        case "SpecError":
            from cifar_dsl.language.diagnostics import SpecError

            return SpecError
        case "__version__":
            from cifar_dsl.foundation.version import __version__

            return __version__
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(ipython: Any) -> None:
    """What `%load_ext cifar_dsl` calls: it enters the cell magic `%%arch`."""
    from cifar_dsl.editors.notebook import register

    register(ipython)
