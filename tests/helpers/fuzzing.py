"""Fuzzing: generate inputs and check that each ends in a model or in located diagnostics.

Input i of a seed is reproducible as long as the specs, cases and corpus don't change.
"""

import os
import random
import re
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen
from helpers.derivations import Grammar
from helpers.mistakes import of_meaning, of_syntax, planted
from helpers.mutations import GENTLE, KEYWORDS, MUTATIONS, ODD, OVERRIDE_MUTATIONS, OVERRIDES, TOKEN, lines_of

from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.lints import fixed, inspect
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.diagnostics import (
    Diagnostic,
    render_concise,
    render_full,
    render_github,
    render_json,
    render_sarif,
)
from cifar_dsl.language.syntax import parse_spec, print_spec
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.language.syntax.tables import START_OVERRIDE, START_SPEC
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS
from cifar_dsl.operations.recipe import SETTINGS
from cifar_dsl.views.difference import as_data, as_lines, difference
from cifar_dsl.views.flatten import expanded
from cifar_dsl.views.pictures import as_dot, as_mermaid, draw

CASES = Path(__file__).parents[1] / "language" / "diagnostics" / "cases"
CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
SLOWEST_S = 20  # of CPU time; an input that takes longer is a failure

_WITHOUT_TREE = {"E0101", "E0102", "E0103", "E0104", "E0105"}
_TERMINAL_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class TooSlowError(Exception):
    """An input exceeded the time limit."""


@frozen
class Input:
    """An input: the bytes of a spec in a folder of specs, and overrides."""

    content: bytes
    overrides: tuple[str, ...] = ()
    folder: str = "."  # below the root, as bases are named relative to it

    @classmethod
    def load(cls, path: Path) -> "Input":
        """Load an input of a corpus: `NAME.arch`, with one override per line in `NAME.set`."""
        beside = path.with_suffix(".set")
        lines = beside.read_bytes().splitlines() if beside.exists() else []
        return cls(path.read_bytes(), tuple(map(os.fsdecode, lines)))

    def save(self, path: Path) -> None:
        """Save it in the format of `load`."""
        path.write_bytes(self.content)
        if self.overrides:
            path.with_suffix(".set").write_bytes(b"".join(os.fsencode(text) + b"\n" for text in self.overrides))


@frozen
class Failure:
    """An input that raises an exception other than SpecError."""

    input: Input
    error: Exception

    @property
    def place(self) -> str:
        """The type and the function of the error; failures that share it are the same."""
        *_, last = traceback.extract_tb(self.error.__traceback__)
        inside = [f for f in traceback.extract_tb(self.error.__traceback__) if "cifar_dsl" in f.filename]
        frame = inside[-1] if inside else last
        return f"{type(self.error).__name__} in {Path(frame.filename).stem}.{frame.name}"

    def __str__(self) -> str:
        return f"{self.input}\n" + "".join(traceback.format_exception(self.error))


class Fuzzer:
    """Generates inputs in a folder with the shipped specs and processes them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seeds: list[tuple[str, bytes]] = []  # the folder below the root, and the text
        for path in sorted(specs_directory().rglob("*.arch")):
            place = path.relative_to(specs_directory())
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_bytes(path.read_bytes())
            self._seeds.append((str(place.parent), path.read_bytes()))
        self._seeds += [(".", path.read_bytes()) for path in sorted(CASES.rglob("*.arch"))]
        self._seeds += [(".", Input.load(path).content) for path in sorted(CORPUS.glob("*.arch"))]
        self._weights = [1 / (200 + len(text)) for _, text in self._seeds]  # long ones take longer
        words = {token for _, text in self._seeds for token in TOKEN.findall(text) if not token.isspace()}
        names = {*LAYERS, *INITIALIZERS, *SETTINGS}
        for registry in (LAYERS, INITIALIZERS, *(s.registry for s in SETTINGS.values() if s.registry)):
            names |= {*registry} | {info.name for name in registry for info in arguments_of(registry[name])}
        self._words = sorted(words | {name.encode() for name in names}) + list(ODD)
        self.names = [word for word in self._words if re.fullmatch(rb"[A-Za-z_]\w*", word) and word not in KEYWORDS]
        self._derive = Grammar([name.decode() for name in self.names])
        self._reference = analyze(root / "baseline.arch")

    # ---- inputs

    def input(self, seed: int, number: int) -> Input:
        """Generate the input with this number."""
        draw = random.Random(f"{seed}:{number}")
        kind = draw.random()
        if kind < 0.15:
            return Input(self._derive(draw, START_SPEC))
        if kind < 0.4:
            folder, content = ".", draw.choice(self._small())
            return Input(content, tuple(self._override(draw) for _ in range(draw.randint(1, 3))), folder)
        if kind < 0.6:
            return self._with_two_mistakes(draw)
        folder, content = draw.choices(self._seeds, self._weights)[0]
        mutations = GENTLE if draw.random() < 0.6 else MUTATIONS
        for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
            content = draw.choice(mutations)(self, draw, content)
        overrides = (self._override(draw),) if draw.random() < 0.05 else ()
        return Input(content, overrides, folder)

    def _with_two_mistakes(self, draw: random.Random) -> Input:
        """A text with two mistakes, of which the second may meet what the first left unknown."""
        folder, content = draw.choices(self._seeds, self._weights)[0]
        for _ in range(2):
            kind = of_meaning if draw.random() < 0.85 else of_syntax
            mistake = kind(draw, content)
            content = planted(content, mistake) if mistake else content
        return Input(content, folder=folder)

    def _small(self) -> list[bytes]:
        return [text for folder, text in self._seeds if folder == "." and len(text) < 700]

    def other(self, draw: random.Random) -> bytes:
        """Another text, to copy parts from."""
        return draw.choices(self._seeds, self._weights)[0][1]

    def word(self, draw: random.Random) -> bytes:
        """A word of some spec, or an unusual one."""
        return draw.choice(ODD) if draw.random() < 0.3 else draw.choice(self._words)

    def _override(self, draw: random.Random) -> str:
        if draw.random() < 0.2:
            text = self._derive(draw, START_OVERRIDE)
        else:
            text = draw.choice(OVERRIDES)
            for _ in range(draw.randint(0, 3)):
                text = draw.choice(OVERRIDE_MUTATIONS)(self, draw, text)
        return os.fsdecode(re.sub(rb"[\n\r\0]", b" ", text))  # as Python decodes a command line

    # ---- processing

    def write(self, given: Input) -> Path:
        """Write the text to the folder of its bases and return the path."""
        path = self.root / given.folder / "fuzzed.arch"
        path.write_bytes(given.content)
        return path

    def find(self, given: Input) -> Failure | None:
        """Process an input; return the failure, or None."""
        path = self.write(given)
        try:
            with _time_limit(SLOWEST_S):
                self._exercise(path, given.overrides)
        except Exception as error:  # noqa: BLE001
            return Failure(given, error)
        return None

    def _exercise(self, path: Path, overrides: tuple[str, ...]) -> None:
        inspection = inspect(path, self.root, overrides)
        assert inspection.found or inspection.diagnostics, "invalid, but without diagnostics"
        _check_rendering(inspection.diagnostics)
        if any(one.code in _WITHOUT_TREE for one in inspection.diagnostics):
            return
        source = SpecReader(self.root).read(path)
        spec = parse_spec(source)
        text = format_text(source)
        again = evolve(source, text=text)
        if parse_spec(again) != spec or format_text(again) != text:
            raise AssertionError("formatting changes the meaning, or a second pass changes the text")
        fixed(source, inspection.diagnostics, also_unsafe=True)
        if isinstance(inspection.found, Analysis):
            self._use(inspection.found)

    def _use(self, analysis: Analysis) -> None:
        print_spec(analysis.program.as_spec())
        if len(analysis.graph.nodes) > 300:
            return  # too slow for every input
        expanded(analysis.graph, analysis.recipe, analysis.program.name.text)
        for pair in ((self._reference, analysis), (analysis, self._reference)):
            found = difference(*pair)
            as_lines(found)
            as_data(found)
        picture = draw(analysis.graph, analysis.program.name.text)
        as_dot(picture)
        as_mermaid(picture)

    # ---- minimization

    def smallest(self, failure: Failure) -> Failure:
        """Minimize a failure; a slow one is left as it is, since each try is slow too."""
        if isinstance(failure.error, TooSlowError):
            return failure
        for split in (lines_of, TOKEN.findall, _single_bytes):
            failure = self._reduced(failure, split)
        for override in failure.input.overrides:
            less = evolve(failure.input, overrides=tuple(o for o in failure.input.overrides if o != override))
            failure = self._if_same(failure, less)
        return failure

    def _reduced(self, failure: Failure, split: Callable[[bytes], Sequence[bytes]]) -> Failure:
        parts = list(split(failure.input.content))
        size = max(1, len(parts) // 2)
        while parts and len(parts) < 5000:
            for start in range(len(parts) - size, -1, -size):
                less = parts[:start] + parts[start + size :]
                smaller = self._if_same(failure, evolve(failure.input, content=b"".join(less)))
                if smaller is not failure:
                    failure, parts = smaller, less
            if size == 1:
                break
            size //= 2
        return failure

    def _if_same(self, failure: Failure, less: Input) -> Failure:
        other = self.find(less)
        return other if other and other.place == failure.place else failure


def _single_bytes(content: bytes) -> list[bytes]:
    return [content[i : i + 1] for i in range(len(content))]


def _check_rendering(diagnostics: Sequence[Diagnostic]) -> None:
    """Check that every format renders, without terminal control characters."""
    texts = [render_full(one) for one in diagnostics]
    texts += [show(one) for one in diagnostics for show in (render_concise, render_github)]
    texts += [render_json(diagnostics), render_sarif(diagnostics)]
    assert not any(map(_TERMINAL_CONTROLS.search, texts)), "a terminal control character is not escaped"


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
