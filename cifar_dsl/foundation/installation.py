"""What is installed: versions of this package, of Python and of what both depend on. Imports none of it."""

import platform
import re
from importlib import metadata
from pathlib import Path

from cifar_dsl.foundation.records import frozen

_PACKAGE = "cifar-dsl"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;]*(;.*extra == ['\"](?P<extra>\w+)['\"])?")
_FOR_DEVELOPMENT = {"test", "dev"}


@frozen
class Requirement:
    """A package that this one needs, or that an extra brings; `version` is None where it is not installed."""

    name: str
    extra: str | None
    version: str | None


def requirements() -> list[Requirement]:
    """What this package needs, and what its extras for users do."""
    found = []
    for text in metadata.requires(_PACKAGE) or []:
        match = _REQUIREMENT.match(text)
        if match and match["extra"] not in _FOR_DEVELOPMENT:
            found.append(Requirement(match["name"], match["extra"], installed(match["name"])))
    return found


def installed(name: str) -> str | None:
    """The version of a package that is installed, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """This package, Python, the system, and what is needed."""
    needed = {one.name: one.version or "not installed" for one in requirements() if one.extra is None}
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    return {_PACKAGE: installed(_PACKAGE) or "unknown", "python": python, "system": platform.platform()} | needed


def without_home(text: str) -> str:
    """`text`, in which the user's own folder is called ~: it holds a name that is nobody else's business."""
    home = str(Path.home())
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text) if len(home) > 1 else text
