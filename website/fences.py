"""The ```arch blocks of a page: whole specs and parts of one, and the specs in which the parts stand."""

import re
from collections.abc import Callable

# ```arch holds a whole spec, ```arch wrong one with an error; ```arch body, ```arch items, ```arch train a part of one.
ARCH = re.compile(r"^```arch ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_WORDS = re.compile(r"^( *```\w+) [\w ]+$", re.MULTILINE)
_FENCE = re.compile(r"^( *)```[^`\n]*\n.*?^\1```$", re.MULTILINE | re.DOTALL)
WHOLES = {
    "": "{}",
    "wrong": "{}",
    "body": "arch example\ninput 3x32x32\n\nmodel {{\n{}}}\n",
    "items": "arch example extends baseline\n{}",
    "train": "arch example extends baseline\n\ntrain {{\n{}}}\n",
}


def whole(kind: str, text: str) -> str:
    """The spec in which a block of this kind stands."""
    return WHOLES[kind].format(text)


def outside_fences(change: Callable[[str], str], text: str) -> str:
    """A text whose parts outside code blocks are changed."""
    parts, end = [], 0
    for match in _FENCE.finditer(text):
        parts += [change(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(text[end:])])


def for_the_site(text: str) -> str:
    """A page whose code blocks name their language alone: the words after it are for tests."""
    return _WORDS.sub(r"\1", text)
