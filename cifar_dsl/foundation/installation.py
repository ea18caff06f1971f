"""The installed versions of this package, its dependencies and Python, without importing them."""

import platform
import re
from importlib import metadata

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import source_root
from cifar_dsl.foundation.user_folders import home_folder

_PACKAGE = "cifar-dsl"
_UNKNOWN = "0+unknown"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)[^;]*(;.*extra == ['\"](?P<extra>\w+)['\"])?")
_FOR_DEVELOPMENT = {"test", "dev"}


@frozen
class Requirement:
    """A dependency of this package or of one of its extras; `version` is None if it is not installed."""

    name: str
    extra: str | None
    version: str | None


def requirements() -> list[Requirement]:
    """The dependencies of this package and of its extras, except the extras for development."""
    found = []
    for text in _required():
        match = _REQUIREMENT.match(text)
        if match and match["extra"] not in _FOR_DEVELOPMENT:
            found.append(Requirement(match["name"], match["extra"], installed(match["name"])))
    return found


def installed(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def package_version() -> str:
    """The version of this package: that of the checkout if it is imported from one and isn't installed."""
    if (version := installed(_PACKAGE)) is not None:
        return version
    project = source_root() / "pyproject.toml"
    if not project.is_file():
        return _UNKNOWN
    import tomllib  # only where it is needed

    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def _required() -> list[str]:
    try:
        return metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []


def versions() -> dict[str, str]:
    """The versions of this package, Python, the system, and the required dependencies."""
    needed = {one.name: one.version or "not installed" for one in requirements() if one.extra is None}
    python = f"{platform.python_version()} ({platform.python_implementation()})"
    own = installed(_PACKAGE) or f"{package_version()} (not installed, imported from {source_root()})"
    return {_PACKAGE: own, "python": python, "system": platform.platform()} | needed


def without_home(text: str) -> str:
    """`text` with the home folder replaced by ~, since its path contains the user's name."""
    home = str(home_folder() or "")
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text) if len(home) > 1 else text
