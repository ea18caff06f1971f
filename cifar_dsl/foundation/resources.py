"""Paths of the grammar, the shipped specs and docs/diagnostics.md, in a checkout or an installed wheel."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cifar_dsl.foundation.text import natural_order

_PACKAGE = Path(__file__).resolve().parents[1]


def source_root() -> Path:
    """The folder that holds the package: of a checkout, its root."""
    return _PACKAGE.parent


def _root() -> Path:
    # Relative to this file: an editable install may leave a stale `_shipped` elsewhere on the path, which must not
    # take precedence over the checkout.
    checkout = source_root()
    return checkout if (checkout / "grammar" / "arch.lark").is_file() else _PACKAGE / "_shipped"


def grammar_path() -> Path:
    """The path of `arch.lark`."""
    return _root() / "grammar" / "arch.lark"


def specs_directory() -> Path:
    """The folder of the shipped specs."""
    return _root() / "specs"


@cache  # it lists folders
def shipped_specs() -> Mapping[str, Path]:
    """The shipped specs by name, as in `extends baseline`; without the library."""
    folder = specs_directory()
    paths = sorted(folder.rglob("*.arch"), key=natural_order)
    return {path.stem: path for path in paths if path.parent != folder / "library"}


def located(name: str | Path) -> Path:
    """The file or folder of this path; if there is none, the shipped spec of this name, or else the path as it is."""
    path = Path(name)
    return path if path.exists() else shipped_specs().get(str(name), path)


def diagnostics_path() -> Path:
    """The path of `diagnostics.md`, which declares each code in a section."""
    return _root() / "docs" / "diagnostics.md"


def playground_directory() -> Path:
    """The folder of the built playground, also in a checkout; it doesn't exist before it is built."""
    return _PACKAGE / "_shipped" / "playground"
