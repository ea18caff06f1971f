"""Python warnings that name the line of the user's code, however many functions of this package it came through."""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning that names the innermost line of code outside of this package.

    Python shows a warning once for each line, so one that named a line of this package would be shown only once.
    """
    level, frame = 2, sys._getframe(1)  # noqa: SLF001  # inspect's function reads source files
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
