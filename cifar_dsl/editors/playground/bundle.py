"""This package and its dependencies as one archive for the browser, always the same for the same files."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from cifar_dsl.foundation.resources import diagnostics_path, grammar_path, specs_directory
from cifar_dsl.foundation.version import __version__

_PACKAGE = Path(__file__).resolve().parents[2]
_SHIPPED = "cifar_dsl/_shipped"  # where `foundation.resources` finds what ships with an installed package
_ROOMS = ("foundation", "language", "ir", "operations", "compiler", "analysis", "views")
# Of rooms that need more than a browser has:
_PARTS = ("editors/language_server", "editors/playground", "export/source")
READ_AS_TEXT = "training/lowering"  # by the printer of PyTorch source
_METADATA = f"Metadata-Version: 2.4\nName: cifar-dsl\nVersion: {__version__}\n"
_TIME = (2020, 1, 1, 0, 0, 0)
_UNUSED = (".ttf", ".pyi", "py.typed", "RECORD", "WHEEL", "top_level.txt")  # fonts are for PNG


def archive(wheels: Iterable[Path]) -> bytes:
    """A zip of what the page runs, with the contents of some wheels."""
    files = dict(_of_package())
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as packed:
            files |= {name: packed.read(name) for name in packed.namelist() if not name.endswith(("/", *_UNUSED))}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name, _TIME), content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def _of_package() -> Iterator[tuple[str, bytes]]:
    files = ["__init__.py", "editors/__init__.py", "editors/parts.py", "export/__init__.py"]
    folders = [_PACKAGE / name for name in (*_ROOMS, *_PARTS, READ_AS_TEXT)]
    found = [path for folder in folders for path in folder.rglob("*") if _is_wanted(path)]
    for path in [*(_PACKAGE / name for name in files), *found]:
        yield f"cifar_dsl/{path.relative_to(_PACKAGE).as_posix()}", path.read_bytes()
    for path in specs_directory().rglob("*.arch"):
        yield f"{_SHIPPED}/specs/{path.relative_to(specs_directory()).as_posix()}", path.read_bytes()
    yield f"{_SHIPPED}/grammar/arch.lark", grammar_path().read_bytes()
    yield f"{_SHIPPED}/docs/diagnostics.md", diagnostics_path().read_bytes()
    yield f"cifar_dsl-{__version__}.dist-info/METADATA", _METADATA.encode()


def _is_wanted(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts and "fonts" not in path.parts
