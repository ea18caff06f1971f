"""A program that processes every spec in a folder and prints the audit events that Python raised.

    python audited.py FOLDER [--betray]

The output is a JSON list of events that no spec may cause: code that is executed, compiled or imported, processes,
sockets, files opened outside the folder and the shipped specs, anything written, removed or listed. Before the hook is
set, specs with every kind of error are processed, so that lazy imports are done. `--betray` causes some of the events
on purpose, to show that the hook records them.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.lints import fixed, inspect
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.diagnostics import (
    Diagnostic,
    SpecError,
    render_concise,
    render_full,
    render_github,
    render_json,
    render_sarif,
)
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.views.difference import as_data, as_lines, difference
from cifar_dsl.views.flatten import expanded
from cifar_dsl.views.pictures import as_dot, as_mermaid, draw

_CASES = Path(__file__).parents[1] / "language" / "diagnostics" / "cases"
_FORBIDDEN = (
    "exec", "compile", "import", "code.__new__", "marshal.", "pickle.", "ctypes.", "subprocess.", "os.system",
    "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.", "socket.", "urllib.", "http.", "ftplib.", "webbrowser.",
    "shutil.", "tempfile.", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
    "os.truncate", "os.chmod", "os.chown", "os.putenv", "os.kill", "os.chdir", "sys.addaudithook", "cpython.run_",
)  # fmt: skip
_READS = {"open", "os.listdir", "os.scandir", "glob.glob"}


def main() -> None:
    """Process the specs and print the events."""
    folder = Path(sys.argv[1]).resolve()
    reference = analyze(specs_directory() / "baseline.arch")
    _use(sorted(_CASES.rglob("*.arch")), _CASES, reference)
    _use(sorted(specs_directory().glob("*.arch")), specs_directory(), reference)
    _complete_classes()
    specs = sorted(path for path in folder.glob("*.arch") if not path.is_symlink())  # `extends` reaches links
    events: list[str] = []
    allowed = [folder, specs_directory().resolve()]
    is_armed = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not is_armed:
            return
        if event.startswith(_FORBIDDEN) or (event in _READS and not _is_allowed(arguments, allowed)):
            events.append(f"{event} {arguments!r:.200}")

    sys.addaudithook(hook)
    _use(specs, folder, reference)
    if "--betray" in sys.argv:
        exec("1 + 1")
        os.listdir("/")  # noqa: PTH208
        os.system("true")
        with Path(os.devnull).open("rb"):
            pass
    is_armed = False
    print(json.dumps(events))


def _complete_classes() -> None:
    """Let attrs compile the methods of all classes, which it does on their first use."""
    for name, module in list(sys.modules.items()):
        if name.startswith("cifar_dsl"):
            for value in vars(module).values():
                if isinstance(value, type):
                    getattr(value, "__attrs_attrs__", None)


def _is_allowed(arguments: tuple[object, ...], allowed: list[Path]) -> bool:
    path, *rest = arguments
    mode = rest[0] if rest else None
    if isinstance(mode, str) and set(mode) & set("wax+"):
        return False
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    return any(Path(os.fsdecode(path)).resolve().is_relative_to(folder) for folder in allowed)


def _use(paths: Iterable[Path], root: Path, reference: Analysis) -> None:
    """Check, format, fix, expand, draw and compare specs, and render their diagnostics in every format."""
    for path in paths:
        inspection = inspect(path, root)
        _show(inspection.diagnostics)
        try:
            source = SpecReader(root).read(path)
            format_text(source)
            fixed(source, inspection.diagnostics, also_unsafe=True)
        except SpecError as error:
            _show(error.diagnostics)
        if isinstance(inspection.found, Analysis):
            analysis = inspection.found
            expanded(analysis.graph, analysis.recipe, analysis.program.name.text)
            print_spec(analysis.program.as_spec())
            picture = draw(analysis.graph, analysis.program.name.text)
            as_dot(picture)
            as_mermaid(picture)
            found = difference(reference, analysis)
            as_lines(found)
            as_data(found)


def _show(diagnostics: tuple[Diagnostic, ...]) -> None:
    for diagnostic in diagnostics:
        render_full(diagnostic)
        render_concise(diagnostic)
        render_github(diagnostic)
    render_json(diagnostics)
    render_sarif(diagnostics)


if __name__ == "__main__":
    main()
