"""The folders of the user. There may be none: HOME can be unset, and a user may have no entry in the password file."""

from pathlib import Path
from typing import Literal

from cifar_dsl.foundation.errors import UserError


def home_folder() -> Path | None:
    """The user's home folder, if there is one."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expanded(path: str | Path) -> Path:
    """`path` with a leading `~` or `~user` replaced by that home folder. Raises UserError if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(
            f"{path} names a home folder that doesn't exist", "write the whole path, or start a file's name with ./~"
        ) from None


def user_folder(kind: Literal["cache", "state"]) -> Path | None:
    """The folder for cifar_dsl's cached or stored files, if the user has one."""
    import platformdirs

    find = {"cache": platformdirs.user_cache_path, "state": platformdirs.user_state_path}[kind]
    try:
        folder = find("cifar_dsl", appauthor=False)
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # in older versions of platformdirs, it starts with `~`


def temporary_folder() -> Path:
    """The folder for temporary files, which training needs. Raises UserError if none is writable."""
    import tempfile  # takes a few milliseconds, which `check` doesn't spend

    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise UserError(
            "none of the usual folders for temporary files is writable, and training needs one",
            "choose another folder with TMPDIR",
        ) from None
