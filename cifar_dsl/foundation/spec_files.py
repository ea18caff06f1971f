"""Finds spec files in a folder and its subfolders, in one order for every command and for editors."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cifar_dsl.foundation.folders import walk
from cifar_dsl.foundation.text import natural_order

SUFFIX = ".arch"
RUN_RECORD = "run.json"  # marks the folder of a run, whose texts have digests: no command may search it for specs
_MARKS = frozenset({RUN_RECORD, "pyvenv.cfg", "conda-meta"})  # of runs and of virtual environments


def spec_folders(
    folder: Path, on_error: Callable[[OSError], None] | None = None
) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """`folder` and each folder below it, with the spec files directly in it.

    Leaves out hidden folders, virtual environments, `node_modules` and runs, and doesn't follow links to folders.
    `folder` itself is always searched. `on_error` receives the error of each folder that can't be read.
    """
    for place, subfolders, names in walk(folder, on_error):
        if place != folder and not _MARKS.isdisjoint((*names, *subfolders)):
            subfolders.clear()
            continue
        subfolders[:] = sorted((name for name in subfolders if not _is_left_out(name)), key=natural_order)
        yield place, tuple(place / name for name in sorted(names, key=natural_order) if name.endswith(SUFFIX))


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "node_modules"
