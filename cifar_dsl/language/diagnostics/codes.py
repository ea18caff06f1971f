"""The diagnostic codes, declared in docs/diagnostics.md. A code never changes its meaning and is never reused."""

import re
from collections.abc import Mapping
from functools import cache

from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.resources import diagnostics_path

_SECTION = re.compile(
    r"^## (?P<id>[EW][0-9]{4}): (?P<title>.+)\n\n(?:> (?P<reason>.+)\n\n)?(?P<explanation>(?:(?!## ).*\n)*)",
    re.MULTILINE,
)


@frozen
class Code:
    """A kind of error or warning. `reason`: why it is one, "" if messages need none; `line`: that of its section."""

    id: str
    title: str
    reason: str
    explanation: str
    line: int

    @property
    def severity(self) -> str:
        """`error`, or `warning` for codes that `# allow: W...` can allow."""
        return "error" if self.id.startswith("E") else "warning"


@cache
def known_codes() -> Mapping[str, Code]:
    """All codes by id, in the order of the page, which is read at the first diagnostic."""
    page = diagnostics_path().read_text(encoding="utf-8")
    found = [
        Code(**match.groupdict(default=""), line=page.count("\n", 0, match.start()) + 1)
        for match in _SECTION.finditer(page)
    ]
    by_id = {code.id: code for code in found}
    if len(by_id) < len(found):
        raise AssertionError("docs/diagnostics.md declares a code twice")
    return by_id
