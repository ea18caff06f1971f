"""SHA256SUMS: the digest of every other file of a complete run, as `sha256sum -c` reads it."""

import hashlib
from pathlib import Path

from cifar_dsl.runs.places import HOLDER, RESULT, SUMS

_HEX_DIGITS = 64


def file_digest(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path, result: bytes) -> bytes:
    """The content of the file for a run whose `result` is still to be written. Raises OSError."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name not in {HOLDER, SUMS}]
    digests = {path.name: file_digest(path) for path in files}
    digests[RESULT] = hashlib.sha256(result).hexdigest()
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def read_sums(path: Path) -> dict[str, str]:
    """Digests by the names of files. Raises OSError; ValueError where the file is damaged."""
    digests = {}
    for line in path.read_text(encoding="ascii").splitlines():
        digest, separator, name = line.partition("  ")
        if not separator or len(digest) != _HEX_DIGITS or Path(name).name != name or name in {"", ".."}:
            raise ValueError(line)
        digests[name] = digest
    if RESULT not in digests:
        raise ValueError("it is cut short")
    return digests
