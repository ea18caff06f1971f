"""Runs in the browser's Python, from compile.mjs: an archive of modules -> the same, compiled."""

import io
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc
from types import CodeType

_TIME = (2020, 1, 1, 0, 0, 0)
# An entry of a location table that says that up to eight code units have no location: CPython's
# InternalDocs/code_objects.md.
_NO_LINE, _MOST_UNITS = 0b1_1111_000, 8


def compiled(archive, place, dropped, sources, own):
    """The archive with compiled modules in place of Python files, not compressed, since servers and wheels do that.

    `place` is where it will lie, for tracebacks. Of names with these beginnings, those `dropped` are left out,
    `sources` stay as they are, and `own` keep docstrings, asserts and line numbers.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive.to_bytes())) as given, zipfile.ZipFile(buffer, "w") as made:
        for name in sorted(given.namelist()):
            if name.endswith("/") or name.startswith(tuple(dropped)):
                continue
            content = given.read(name)
            if name.endswith(".py") and not name.startswith(tuple(sources)):
                is_own = name.startswith(tuple(own))
                code = compile(content, f"{place}/{name}", "exec", dont_inherit=True, optimize=0 if is_own else 2)
                code = code if is_own else _without_lines(code)
                made.writestr(zipfile.ZipInfo(f"{name}c", _TIME), _code_to_hash_pyc(code, bytes(8), checked=False))
            else:
                made.writestr(zipfile.ZipInfo(name, _TIME), content)
    return buffer.getvalue()


def _without_lines(code):
    """Code whose instructions have no line numbers: a third of its size compressed."""
    constants = tuple(_without_lines(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    full, rest = divmod(len(code.co_code) // 2, _MOST_UNITS)
    lines = bytes([_NO_LINE | (_MOST_UNITS - 1)]) * full + (bytes([_NO_LINE | (rest - 1)]) if rest else b"")
    return code.replace(co_consts=constants, co_linetable=lines)
