"""Resumable downloads, verified by size and checksum."""

import hashlib
import os
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from cifar_dsl.foundation.errors import DataError, DownloadError
from cifar_dsl.foundation.reading import open_regular
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import reason_of
from cifar_dsl.training.datasets.progress import Progress

_CHUNK = 1 << 20  # bytes
_TIMEOUT = 30.0  # seconds without a byte

_RANGE_NOT_SATISFIABLE = 416
_PARTIAL_CONTENT = 206


Algorithm = Literal["md5", "sha256"]


@frozen
class Checksum:
    """A checksum of a file's content, in hexadecimal. Publishers choose the algorithm."""

    algorithm: Algorithm
    hexadecimal: str

    def __str__(self) -> str:
        return f"{'SHA-256' if self.algorithm == 'sha256' else 'MD5'} {self.hexadecimal}"


def download(url: str, target: Path, *, size: int, checksum: Checksum, progress: Progress | None = None) -> None:
    """Download `url` to `target`, which appears only once the file is complete and verified.

    An interrupted download stays in `<target>.part`, and the next call resumes it.

    Args:
        url: An http or https address.
        target: The file to write; its folder exists.
        size: The size of the file in bytes; no more are ever read.
        checksum: Its checksum.
        progress: Called with the number of downloaded bytes.

    Raises:
        DownloadError: The download failed, or the file isn't the expected one.
        DataError: The file can't be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        resumed = part.exists()
        _fetch(url, part, size, progress)
        if resumed and file_checksum(part, checksum.algorithm) != checksum:  # the older bytes may be of another file
            part.unlink()
            _fetch(url, part, size, progress)
        found = file_checksum(part, checksum.algorithm)
        if found != checksum:
            part.unlink()
            raise DownloadError(
                f"{url} is not the expected file",
                "try again; if that fails, get the file from another source",
                reason=f"its checksum is {found}, not {checksum}; it was damaged in transit, or changed at the source",
            )
        part.replace(target)
    except OSError as error:
        raise DataError(
            f"cannot write {target}",
            "free some space, or choose another folder with --data-dir or CIFAR_DSL_DATA",
            reason=reason_of(error),
        ) from error


def file_checksum(path: Path, algorithm: Algorithm) -> Checksum:
    """The checksum of a regular file. Raises OSError."""
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return Checksum(algorithm, digest.hexdigest())


def content_checksum(content: bytes, algorithm: Algorithm) -> Checksum:
    """The checksum of a file with this content."""
    return Checksum(algorithm, hashlib.new(algorithm, content, usedforsecurity=False).hexdigest())


def _fetch(url: str, part: Path, size: int, progress: Progress | None) -> None:
    """Append to `part` until it has `size` bytes."""
    have = 0
    if part.exists():
        with open_regular(part) as file:  # appending to a FIFO would block
            have = os.fstat(file.fileno()).st_size
    if have == size:
        return
    with _open(url, have) as response:
        if response.status != _PARTIAL_CONTENT:  # a server may ignore the range and send everything
            have = 0
        _check_headers(url, response, size - have)
        with part.open("ab" if have else "wb") as file:
            for chunk in _chunks(url, response, size - have):
                file.write(chunk)
                have += len(chunk)
                if progress:
                    progress(have, size, url)
            file.flush()
            os.fsync(file.fileno())
    if have < size:
        raise DownloadError(
            f"the download of {url} was interrupted",
            "rerun the command to resume",
            reason=f"downloaded {have:,} of {size:,} bytes (kept in {part})",
        )


def _open(url: str, start: int) -> HTTPResponse:
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310  the URL is ours
    try:
        response: HTTPResponse = urlopen(request, timeout=_TIMEOUT)  # noqa: S310
    except HTTPError as error:
        with error:
            if error.code == _RANGE_NOT_SATISFIABLE and start:
                return _open(url, 0)
        raise _unreachable(url, error) from error
    except (OSError, HTTPException) as error:
        raise _unreachable(url, error) from error
    return response


def _chunks(url: str, response: HTTPResponse, limit: int) -> Iterator[bytes]:
    """At most `limit` bytes of the response; fewer if the server closes the connection."""
    while limit > 0:
        try:
            chunk = response.read1(min(_CHUNK, limit))
        except (OSError, HTTPException) as error:
            raise _unreachable(url, error) from error
        if not chunk:
            return
        limit -= len(chunk)
        yield chunk


def _check_headers(url: str, response: HTTPResponse, expected: int) -> None:
    kind = response.headers.get_content_type()
    announced = response.headers.get("Content-Length", str(expected))
    if kind == "text/html" or announced != str(expected):
        raise DownloadError(
            f"{url} is not the expected file",
            "open the address in a browser: your network may require a login",
            reason=f"the server offers {announced} bytes of {kind} instead of {expected} bytes",
        )


def _unreachable(url: str, error: Exception) -> DownloadError:
    return DownloadError(
        f"cannot download {url}",
        "check the network, then rerun the command to resume",
        reason=reason_of(error),
    )
