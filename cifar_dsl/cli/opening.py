"""`--open`: shows a file in the browser, or says why not."""

import os
import sys
import webbrowser
from pathlib import Path

from cifar_dsl.cli.output import note, warn

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def open_in_browser(path: Path) -> bool:
    """Open a file in the browser. Warns if that failed, and returns whether it succeeded."""
    uri = path.resolve().as_uri()
    is_headless = sys.platform.startswith("linux") and not any(map(os.environ.get, _DISPLAYS))
    try:
        # Without a display, Python would choose a browser that takes over the terminal.
        is_open = not is_headless and webbrowser.open(uri)
    except (webbrowser.Error, OSError):
        is_open = False
    if is_open:
        note(f"opened {path}")
    else:
        reason = "there is no display" if is_headless else "no browser could be started"
        warn(f"{path} isn't open: {reason}; open {uri} in a browser")
    return is_open
