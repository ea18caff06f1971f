"""The law of machine fixes: `--fix` and `--unsafe-fixes` get every text further, keep what they don't fix, and end.

It is tried with the spellings of other frameworks and all cases of messages, in several layouts of the text.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import pytest

from cifar_dsl.compiler import Analysis
from cifar_dsl.compiler.lints import Inspection, fixed, inspect
from cifar_dsl.language.diagnostics import Diagnostic

FOLDER = Path(__file__).parents[1]
HERE = Path("example.arch")
ROUNDS = 10  # of `check --fix`
SETTINGS = "data cifar10\nepochs 100\nbatch 8\noptimizer adam(1e-3)\n"


def spellings() -> Iterator[str]:
    """The corpus of spellings as whole specs."""
    kind = ""
    for block in (FOLDER / "spellings.txt").read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("## "):
            kind = block.removeprefix("## ")
            continue
        spelling = block.partition("\n")[0].replace("\\n", "\n")
        if kind == "stages":
            yield f"arch test\ninput 3x32x32\nmodel {{\n{spelling}\n}}\n"
        elif kind == "settings":
            own = set(re.findall(r"^\w+", spelling, re.MULTILINE))
            rest = "".join(f"{line}\n" for line in SETTINGS.splitlines() if line.split()[0] not in own)
            yield f"arch test\ninput 3x32x32\nmodel {{ flatten -> dense(10) }}\ntrain {{\n{rest}{spelling}\n}}\n"
        else:
            yield f"{spelling}\n"


def cases() -> Iterator[str]:
    """The cases of messages that need no other file."""
    for path in sorted((FOLDER / "cases").glob("*.arch")):
        yield path.read_text(encoding="utf-8")


TEXTS = [*islice(spellings(), 0, None, 2), *cases()]


def checked(text: str) -> Inspection:
    return inspect(HERE, texts={HERE.resolve(): text})


def once_fixed(text: str, found: tuple[Diagnostic, ...], *, also_unsafe: bool) -> str:
    sources = (one.label.span.source for one in found if one.label and one.label.span.source.name == str(HERE))
    source = next(sources, None)
    return text if source is None else fixed(source, found, also_unsafe=also_unsafe)


@cache
def rounds(text: str, *, also_unsafe: bool) -> list[tuple[str, Inspection]]:
    """The text, and what becomes of it in each round of fixing, with its inspections."""
    made = [(text, checked(text))]
    while len(made) <= ROUNDS:
        after = once_fixed(made[-1][0], made[-1][1].diagnostics, also_unsafe=also_unsafe)
        if after == made[-1][0]:
            return made
        made.append((after, checked(after)))
    pytest.fail(f"fixing doesn't end:\n{made[-1][0]}")


def is_read(found: Inspection) -> bool:
    """Whether the parser reads the text."""
    return not any(one.code.startswith("E01") for one in found.diagnostics)


def said(found: tuple[Diagnostic, ...]) -> set[tuple[str, str]]:
    return {(one.code, one.message) for one in found}


@pytest.mark.parametrize("also_unsafe", [False, True])
def test_fixes_leave_fewer_diagnostics_and_end(also_unsafe: bool) -> None:
    for text in TEXTS:
        made = rounds(text, also_unsafe=also_unsafe)
        for (before, found), (after, left) in pairwise(made):
            assert not is_read(found) or is_read(left), f"{before}\n{after}"
            assert not found.found or left.found, f"{before}\n{after}"
            if found.found:
                assert len(left.diagnostics) < len(found.diagnostics), f"{before}\n{after}"
        first, last = made[0][1].diagnostics, made[-1][1].diagnostics
        if len(made) > 1 and is_read(made[0][1]):
            assert len(last) < len(first) or not said(first) & said(last), text


def test_safe_fixes_keep_the_meaning_of_valid_specs() -> None:
    count = 0
    for text in TEXTS:
        made = rounds(text, also_unsafe=False)
        before, after = made[0][1].found, made[-1][1].found
        if len(made) > 1 and isinstance(before, Analysis):
            assert isinstance(after, Analysis)
            assert before.fingerprint == after.fingerprint, text
            count += 1
    assert count >= 5


def with_tabs(text: str) -> str:
    return re.sub(r"^ +|(?<=\w) (?=->)", lambda match: "\t" * len(match[0]), text, flags=re.MULTILINE)


def without_last_line_end(text: str) -> str:
    return text.rstrip("\n")


def with_comments(text: str) -> str:
    return re.sub(r"(?<=[\w)])$", "  # kept", text, flags=re.MULTILINE)


@pytest.mark.parametrize("layout", [with_tabs, without_last_line_end, with_comments])
def test_the_layout_of_a_text_does_not_matter(layout: Callable[[str], str]) -> None:
    for text in TEXTS[::4]:
        if '"' in text or "'" in text or "#" in text or "//" in text:
            continue  # texts and comments of its own
        plain, laid_out = rounds(text, also_unsafe=True)[-1], rounds(layout(text), also_unsafe=True)[-1]
        assert bool(laid_out[1].found) == bool(plain[1].found), f"{plain[0]}\n{laid_out[0]}"
        is_whole = checked(text).found is None  # else an unused block is deleted, with its comments
        assert not is_whole or laid_out[0].count("# kept") >= layout(text).count("# kept"), laid_out[0]


def test_many_fixes_of_one_text_do_not_corrupt_it() -> None:
    stages = [text.split("\n")[3] for text in spellings() if text.startswith("arch test\ninput 3x32x32\nmodel {\n")]
    texts = [one for one in stages if is_read(checked(f"arch test\ninput 3x32x32\nmodel {{\n{one}\n}}\n"))]
    assert len(texts) > 100
    for i in range(0, len(texts), 12):
        lines = "\n".join(texts[i : i + 12])
        for _, found in rounds(f"arch test\ninput 3x32x32\nmodel {{\n{lines}\n}}\n", also_unsafe=True):
            assert is_read(found), found.diagnostics


def test_messages_with_a_fix_say_so() -> None:
    for text in TEXTS:
        for one in rounds(text, also_unsafe=False)[0][1].diagnostics:
            own = one.label is not None and one.label.span.source.name == str(HERE)
            options = "" if not one.fixes else "--fix" if one.fixes[0].is_safe else "--fix --unsafe-fixes"
            assert not own or one.fix_options == options
