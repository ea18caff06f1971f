"""The package and its docs are plain English: phrases that the glossary of CONTRIBUTING.md replaces don't come back."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
ENDINGS = {".py", ".md", ".arch", ".lark", ".ts", ".js", ".j2", ".toml", ".yml"}
PLACES = [
    *("cifar_dsl", "docs", "website", "specs", "studies", "grammar", "editors", "bench", ".github"),
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "pyproject.toml"),
]
# Each phrase with its forms, and what to write instead.
PHRASES = {
    r"anew": "again, over",
    r"(break|breaks|breaking|broke|broken)[ -]off": "interrupt",
    r"(go|goes|going|gone|went) on(?! (from|\[))": "resume, continue",
    r"(is|are|was|were|be|been|being) told": "report, print, show",
    r"part(ed|s)? by": "separate by",
    r"mend(s|ed|ing)?": "fix",
    r"(lay|lays|laid) out": "format, arrange",
    r"(come|comes|came|coming) by": "get",
    r"would(n't| not) be seen": "is undetectable",
    r"so (many|few)": "a number, N",
    r"data sets?": "dataset",
    r"must be said": "is required",
    r"no number any more": "NaN or infinite",
    r"(is|as it is) the default anyway|as it is anyway": "default",
    r"means? something else": "the fingerprint differs",
    r"see to it": "make sure",
    r"has no place": "can't be combined",
}
FORMS = "|".join(f"(?:{phrase})" for phrase in PHRASES).replace(" ", " +")
PATTERN = re.compile(rf"\b({FORMS})\b", re.IGNORECASE)
LINE_END = re.compile(r"\n[ \t]*(#|//|>)?[ \t]*")


def files() -> list[Path]:
    """Every text that users or contributors read, but for recorded results and what is installed or built."""
    hidden = {"node_modules", "dist", "out", "eight-specs"}
    places = [CHECKOUT / place for place in PLACES]
    inside = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    return sorted(path for path in inside if path.suffix in ENDINGS and not hidden & set(path.parts))


def dropped_phrases(text: str) -> list[str]:
    """A message for each phrase, which may run over a line end: its line, the phrase, and what to write instead."""
    messages = []
    for match in PATTERN.finditer(LINE_END.sub(lambda end: " " * len(end[0]), text)):
        phrase = " ".join(match[0].split())
        better = next(better for form, better in PHRASES.items() if re.fullmatch(form, phrase, re.IGNORECASE))
        messages.append(f"line {text.count(chr(10), 0, match.start()) + 1}: {phrase!r}: write {better!r}")
    return messages


def test_no_dropped_phrase_is_used():
    """In any file, all at once: a test for each file would take most of its time to be reported."""
    found = {path: dropped_phrases(path.read_text(encoding="utf-8")) for path in files()}
    assert len(found) > 500
    assert {path.relative_to(CHECKOUT).as_posix(): said for path, said in found.items() if said} == {}


@pytest.mark.parametrize(
    "text",
    [
        "train it anew",
        "a run that was broken off",
        "it goes on with epoch 3",
        "what is told",
        "so many seeds",
        "what is\n    # told",
    ],
)
def test_a_dropped_phrase_is_found(text):
    assert len(dropped_phrases(f"fine\n{text}\n")) == 1
    assert dropped_phrases(f"fine\n{text}\n")[0].startswith("line 2:")
