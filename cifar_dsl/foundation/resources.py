"""The grammar, the shipped specs and the page of codes, found in a checkout and in an installed wheel alike."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def _root() -> Path:
    # Decided by where this very file lies: an editable install may leave a stale `_shipped` copy elsewhere
    # on the path, and it must not win over the checkout.
    checkout = _PACKAGE.parent
    return checkout if (checkout / "grammar" / "arch.lark").is_file() else _PACKAGE / "_shipped"


def grammar_path() -> Path:
    """The file `arch.lark`."""
    return _root() / "grammar" / "arch.lark"


def specs_directory() -> Path:
    """The folder of the specs that come with the package."""
    return _root() / "specs"


def shipped_specs() -> dict[str, Path]:
    """The specs that come with the package by their names, which `extends` takes; without the library."""
    folder = specs_directory()
    return {path.stem: path for path in sorted(folder.rglob("*.arch")) if path.parent != folder / "library"}


def diagnostics_path() -> Path:
    """The page `diagnostics.md`, which declares the codes, a section each."""
    return _root() / "docs" / "diagnostics.md"
