"""Specs in the hash of an address: `#a=...&b=...`, each the text in UTF-8, deflated, in URL-safe base64."""

import base64
import zlib
from urllib.parse import parse_qs

from cifar_dsl.foundation.limits import current

_RAW = -15  # deflate without a header, as the browser's CompressionStream("deflate-raw") has it


def fragment(text: str, other: str | None = None) -> str:
    """The hash of an address that shows a spec in the playground, or two side by side."""
    parts = [f"a={_packed(text)}"] + ([] if other is None else [f"b={_packed(other)}"])
    return "#" + "&".join(parts)


def texts_of(hash_: str) -> list[str]:
    """The one or two texts in a hash. Raises ValueError if it holds none."""
    found = parse_qs(hash_.removeprefix("#"))
    if "a" not in found:
        raise ValueError(f"no spec in {hash_!r}")
    return [_unpacked(found[name][0]) for name in ("a", "b") if name in found]


def _packed(text: str) -> str:
    packer = zlib.compressobj(9, wbits=_RAW)
    data = packer.compress(text.encode()) + packer.flush()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpacked(packed: str) -> str:
    data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    unpacker = zlib.decompressobj(_RAW)
    try:
        text = unpacker.decompress(data, current().file_bytes).decode()
    except zlib.error as error:
        raise ValueError(f"no compressed text: {packed!r}") from error
    if not unpacker.eof:
        raise ValueError("the text is incomplete, or too long")
    return text
