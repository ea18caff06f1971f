"""What takes long to compute for the site: networks, their pictures and the messages of diagnostics.

All of it follows from the code, the grammar and the specs, so it is kept in build/ until one of them changes. Writing
prose doesn't compute it again.
"""

import contextlib
import hashlib
import json
import tempfile
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

from attrs import asdict

from cifar_dsl.analysis import kept_bytes
from cifar_dsl.compiler import Analysis, analyze, analyze_text
from cifar_dsl.compiler.lints import inspect
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import shipped_specs
from cifar_dsl.foundation.text import in_short
from cifar_dsl.language.diagnostics import Diagnostic, known_codes, render_full
from cifar_dsl.views.examples import EXAMPLES
from cifar_dsl.views.pictures import as_svg, draw
from cifar_dsl.views.table import table
from website.fences import ARCH, whole
from website.tree import ROOT

_CACHE = ROOT / "build" / "site-computed.json"
_INPUTS = ("cifar_dsl", "grammar", "specs", "docs/diagnostics.md", "website/computed.py")


@frozen
class Network:
    """A shipped spec, as the site shows it."""

    name: str
    path: str  # from the root of the checkout
    text: str
    fingerprint: str
    parameters: int
    macs: int
    memory: str  # activations kept for backward, per image
    table: str
    picture: str  # SVG
    pytorch: str


def networks() -> dict[str, Network]:
    """Every shipped spec by name."""
    return {name: Network(**fields) for name, fields in _computed()["networks"].items()}


def messages() -> dict[str, str]:
    """What `check` prints about the wrong example of each code, in colour."""
    return dict(_computed()["messages"])


def picture(body: str) -> str:
    """The SVG of a body, as an example of a layer shows it."""
    return str(_computed()["pictures"][body])


@cache
def _computed() -> dict[str, Any]:
    digest = _digest()
    return _read(digest) or _write(digest)


def _digest() -> str:
    """The digest of all files that the results follow from."""
    hashed = hashlib.sha256()
    for place in map(ROOT.joinpath, _INPUTS):
        for path in sorted([place] if place.is_file() else place.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                hashed.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return hashed.hexdigest()


def _read(digest: str) -> dict[str, Any] | None:
    try:
        stored = json.loads(_CACHE.read_bytes())
    except (OSError, ValueError):
        return None
    return stored if stored["digest"] == digest else None


def _write(digest: str) -> dict[str, Any]:
    bodies = sorted({body for bodies in EXAMPLES.values() for body in bodies.values()})
    results = {
        "digest": digest,
        "networks": {name: asdict(_network(name, path)) for name, path in shipped_specs().items()},
        "messages": _messages(),
        "pictures": {body: _drawn(analyze_text(whole("body", indent(body, "    ")))) for body in bodies},
    }
    _CACHE.parent.mkdir(exist_ok=True)
    _CACHE.write_text(json.dumps(results), encoding="utf-8")
    return results


def _network(name: str, path: Path) -> Network:
    analysis = analyze(path)
    graph = analysis.graph
    return Network(
        name=name,
        path=path.relative_to(ROOT).as_posix(),
        text=path.read_text(encoding="utf-8"),
        fingerprint=analysis.fingerprint,
        parameters=graph.cost.parameters,
        macs=graph.cost.macs,
        memory=in_short(kept_bytes(graph), "B"),
        table="\n".join(table(analysis)),
        picture=_drawn(analysis),
        pytorch=pytorch_source(analysis),
    )


def _drawn(analysis: Analysis) -> str:
    return as_svg(draw(analysis.graph, analysis.program.name.text)).decode()


def _messages() -> dict[str, str]:
    """The first message about the wrong example of each code, in colour; codes without one are left out."""
    messages = {}
    for code in known_codes().values():
        example = ARCH.search(code.explanation)
        if example is None:
            continue
        found = _inspected(example[2])
        messages[code.id] = next((render_full(each, color=True) for each in found if each.code == code.id), "")
    return messages


def _inspected(text: str) -> tuple[Diagnostic, ...]:
    """What `check` reports about a text, as of a file `example.arch`."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        path = Path("example.arch")
        path.write_text(text, encoding="utf-8")
        return tuple(inspect(path).diagnostics)
