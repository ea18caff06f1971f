"""The law of messages: following the advice of a message gets a person on.

Every `help:` that proposes text is followed, mechanically, for all cases of messages, the spellings of other
frameworks, and mistakes in the zoo; a plausible text takes the place of `...` and NAME. The same place must not be
refused again for the same reason, and following the advice of the messages after it must never lead back to an earlier
text. Following the advice of a warning gives a valid spec without it.
"""

import random
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.advice import followed, is_explained
from helpers.specs import text_of

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.diagnostics import Diagnostic
from cifar_dsl.language.source import Source

CASES = Path(__file__).parents[1] / "cases"
STAGES = Path(__file__).parents[1] / "stages.txt"
MISTAKES = Path(__file__).parents[4] / "bench" / "mistakes.py"
STEPS = 4


def case_paths() -> list[Path]:
    return sorted(path / "spec.arch" if path.is_dir() else path for path in CASES.iterdir() if path.suffix != ".txt")


def stages() -> list[str]:
    return [entry.partition("\n")[0] for entry in STAGES.read_text(encoding="utf-8").strip().split("\n\n")]


def checked(path: Path, *texts: Source) -> tuple[Diagnostic, ...]:
    """The diagnostics of the spec at `path`, if these files have these texts."""
    return inspect(path, texts={Path(one.name).resolve(): one.text for one in texts}).diagnostics


def is_accepted(path: Path, text: Source) -> bool:
    return inspect(path, texts={Path(text.name).resolve(): text.text}).found is not None


def refusals(found: tuple[Diagnostic, ...]) -> set[tuple[str, str, int]]:
    return {(one.code, one.message, one.label.span.line) for one in found if one.label}


def assert_gets_on(path: Path, found: tuple[Diagnostic, ...]) -> None:
    """Each advice of the first text gets past its message; following first advices never returns."""
    for one in found:
        if not (texts := followed(one)):
            continue
        assert one.label
        before = one.label.span.source
        changed = (Source(before.name, text) for text in texts if text != before.text)
        (refusal,) = refusals((one,))
        left = (source for source in changed if refusal not in refusals(checked(path, source)))
        is_warning = one.severity == "warning"
        after = next((source for source in left if not is_warning or is_accepted(path, source)), None)
        assert after, f"{one.message}\n{one.help}\n{texts[0]}"
        assert_no_circle(path, before, after)


def assert_no_circle(path: Path, before: Source, after: Source) -> None:
    seen = [before.text, after.text]
    for _ in range(STEPS):
        found = checked(path, after)[:1]
        proposals = [text for one in found for text in followed(one)[:1] if one.label and _name(one) == after.name]
        if not proposals:
            return
        assert proposals[0] not in seen, f"a circle at {found[0].message}\n{found[0].help}\n{proposals[0]}"
        after = Source(after.name, proposals[0])
        seen.append(after.text)


def _name(found: Diagnostic) -> str:
    assert found.label
    return found.label.span.source.name


def test_nearly_every_help_that_quotes_code_is_understood() -> None:
    quoting = [line for path in case_paths() for one in checked(path) for line in one.help if "`" in line]
    assert len(quoting) > 100
    assert sum(map(is_explained, quoting)) >= 0.9 * len(quoting)


@pytest.mark.parametrize("path", case_paths(), ids=lambda path: path.stem if path.stem != "spec" else path.parent.name)
def test_case(path: Path) -> None:
    assert_gets_on(path, checked(path))


def test_the_advice_of_every_warning_is_followed() -> None:
    left = [
        path.stem for path in case_paths() for one in checked(path) if one.severity == "warning" and not followed(one)
    ]
    assert left == [
        "W0101_misspelt",
        "W0201_shadowing",
        "W0212_forgotten_stride",
        "W0213_shifted",
        "W0215_once",
        "W0403_exit_of_weight_0",
        "W0404_nothing_for_the_labels",
    ]  # their help says where to look


@pytest.mark.parametrize("line", stages())
def test_stages(line: str, tmp_path: Path) -> None:
    path = tmp_path / "test.arch"
    assert_gets_on(path, checked(path, Source(str(path), text_of(line, size="4x6x6"))))


def mistakes(count: int) -> Iterator[tuple[Path, tuple[int, int, str]]]:
    script = runpy.run_path(str(MISTAKES))
    random_ = random.Random(1)
    files = [specs_directory() / "zoo" / f"{name}.arch" for name in ("lenet", "vgg11", "resnet20", "resnext29_2x64d")]
    for i in range(count):
        kinds = list(script["_KINDS"].values())
        path, mistake, _ = script["_broken"](random_, files, kinds[i % len(kinds)])
        yield path, mistake


def test_mistakes_in_the_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(MISTAKES.parent)
    for path, (start, end, text) in mistakes(48):
        source = path.read_text(encoding="utf-8")
        assert_gets_on(path, checked(path, Source(str(path), source[:start] + text + source[end:])))
