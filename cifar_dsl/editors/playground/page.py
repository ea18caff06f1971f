"""Text -> everything that the page shows of it, as data for JSON."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints import Inspection, inspect
from cifar_dsl.editors import parts
from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import define, field
from cifar_dsl.views.difference import as_lines, difference

_COMMENT = re.compile(r'(?P<string>"[^"\n]*")|#[^\n]*')
_NO_NETWORK = {"problem": "The views follow once the spec has no errors."}
_LIBRARY = {"problem": "A library defines blocks and has no network: call its blocks in a spec to see them."}


@define
class Page:
    """The specs of a page by path, in a folder that `extends` can't leave.

    `checked` is a second opinion on a spec: the inspection of a language server that has
    the same text, or None.
    """

    folder: Path
    checked: Callable[[Path, str], Inspection | None] = lambda _path, _text: None
    _texts: dict[Path, str] = field(factory=dict)
    _inspected: dict[Path, tuple[dict[Path, str], Inspection]] = field(factory=dict)
    _pictured: dict[Path, tuple[dict[Path, str], dict[str, Any]]] = field(factory=dict)  # with the code of all specs

    def put(self, path: Path, text: str) -> None:
        """Store the text of a spec."""
        self._texts[path] = text

    def close(self, path: Path) -> None:
        """Forget a spec."""
        self._texts.pop(path, None)
        self._inspected.pop(path, None)
        self._pictured.pop(path, None)

    def part(self, name: str, path: Path) -> dict[str, Any]:
        """One of `PARTS` of a spec; a `problem` instead if it has none.

        `is_stale` says that the spec has errors, so that the page can keep what it shows. A picture stays as it is
        while only comments and the ends of lines change, before the spec is checked again.
        """
        if name != "picture":
            return self._part(name, path)
        code = {other: _code(text) for other, text in self._texts.items()}
        last = self._pictured.get(path)
        if last is None or last[0] != code:
            last = self._pictured[path] = code, self._part(name, path)
        return last[1]

    def _part(self, name: str, path: Path) -> dict[str, Any]:
        analysis = self._analysis(path)
        if not isinstance(analysis, Analysis):
            return analysis
        try:
            return parts.heading(analysis) | PARTS[name](self, path, analysis)
        except UserError as error:
            return parts.heading(analysis) | {"problem": "\n".join([error.message, *error.help])}

    def _analysis(self, path: Path) -> Analysis | dict[str, Any]:
        found = self.inspection(path).found
        if found is None:
            return _NO_NETWORK | {"is_stale": True}
        return found if isinstance(found, Analysis) else _LIBRARY

    def inspection(self, path: Path) -> Inspection:
        """The errors or warnings of a spec, computed once for a text."""
        text = self._texts[path]
        checked = self.checked(path, text)
        if checked is not None:
            return checked
        last = self._inspected.get(path)
        if last is None or last[0] != self._texts:
            last = self._inspected[path] = (dict(self._texts), inspect(path, self.folder, texts=self._texts))
        return last[1]

    # ---- parts

    def _picture(self, _path: Path, analysis: Analysis) -> dict[str, Any]:
        return parts.picture(analysis)

    def _table(self, path: Path, analysis: Analysis) -> dict[str, Any]:
        return parts.layers(analysis, path)

    def _source(self, _path: Path, analysis: Analysis) -> dict[str, Any]:
        return {"text": pytorch_source(analysis)}

    def _difference(self, path: Path, analysis: Analysis) -> dict[str, Any]:
        first = next((other for other in self._texts if other != path), None)
        other = self._analysis(first) if first else None
        if not isinstance(other, Analysis):
            return {"problem": "The difference appears once both specs have no errors.", "is_stale": True}
        return {"text": "\n".join(as_lines(difference(other, analysis)))}


def _code(text: str) -> str:
    """A text without comments, blank lines and spaces at the ends of lines."""
    bare = _COMMENT.sub(lambda match: match["string"] or "", text)
    return "\n".join(line.rstrip() for line in bare.split("\n") if line.strip())


PARTS: dict[str, Callable[[Page, Path, Analysis], dict[str, Any]]] = {
    "picture": Page._picture,  # noqa: SLF001
    "table": Page._table,  # noqa: SLF001
    "source": Page._source,  # noqa: SLF001
    "difference": Page._difference,  # noqa: SLF001
}
