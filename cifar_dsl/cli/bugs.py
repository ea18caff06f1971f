"""Bug reports: printed, and saved to a file, when an exception is a bug of cifar-dsl."""

import shlex
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from cifar_dsl.cli.output import note, note_text
from cifar_dsl.foundation.errors import UserError

_MOST_SPECS = 8  # in a report, of those on the command line
_TO_REPORT = "cifar-dsl: this is a bug in cifar-dsl, not in your spec; please report it"


def report_bug(error: Exception, arguments: Sequence[str]) -> None:
    """Print the traceback of an unexpected error, and write a file with everything a bug report needs."""
    report_trace("".join(traceback.format_exception(error)), arguments, _named(arguments))


def report_trace(trace: str, arguments: Sequence[str], specs: Mapping[str, str]) -> None:
    """Print a traceback, possibly of another process, and write a report file that includes these specs.

    The file goes into the user's state folder (on Linux ~/.local/state/cifar_dsl/bugs), else into the temporary
    folder. If neither is writable, as on a full disk, the report is on stderr alone.
    """
    note_text(trace.rstrip())
    try:
        path = _write(_text(trace, arguments, specs))
    except Exception:  # noqa: BLE001  # nothing may hide the bug itself
        path = None
    if path:
        note(f"{_TO_REPORT} with the file {path} (this output, the command line and the spec)")
    else:
        note(f"{_TO_REPORT} with the output above (no file could be written)")


def _text(trace: str, arguments: Sequence[str], specs: Mapping[str, str]) -> str:
    from cifar_dsl.foundation.installation import versions, without_home

    parts = [
        "cifar-dsl bug report. Review it before you send it.",
        f"time: {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\ncommand: {shlex.join(['cifar-dsl', *arguments])}",
        "\n".join(f"{name}: {version}" for name, version in versions().items()),
        trace.rstrip(),
        *(f"---- {name}\n{text.rstrip()}\n----" for name, text in specs.items()),
    ]
    return without_home("\n\n".join(parts)) + "\n"


def _named(arguments: Sequence[str]) -> dict[str, str]:
    """The texts of the specs on a command line, by argument."""
    from cifar_dsl.foundation import limits

    specs: dict[str, str] = {}
    for argument in arguments:
        if not argument.endswith(".arch") or len(specs) == _MOST_SPECS:
            continue
        with suppress(OSError):
            path = Path(argument)
            if path.is_file():
                with path.open("rb") as file:
                    specs[argument] = file.read(limits.current().file_bytes).decode("utf-8", "backslashreplace")
    return specs


def _write(text: str) -> Path | None:
    """Write the report and return its path; None if no folder is writable. Leaves no partial file."""
    from cifar_dsl.foundation.atomic import write_atomically
    from cifar_dsl.foundation.folders import make_folder

    name = f"bug-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.txt"
    for folder in _folders():
        try:
            make_folder(folder)
            write_atomically(folder / name, text.encode("utf-8", "backslashreplace"))
        except OSError:
            continue
        return folder / name
    return None


def _folders() -> Iterator[Path]:
    """The folders for reports, as far as there are any."""
    from cifar_dsl.foundation.user_folders import temporary_folder, user_folder

    if state := user_folder("state"):
        yield state / "bugs"
    with suppress(UserError):
        yield temporary_folder()
