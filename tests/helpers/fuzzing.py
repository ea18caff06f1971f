"""Inputs that no person would write, and what the whole language makes of them: an answer, or located mistakes.

Input number i of a seed is the same each time, as long as specs, cases and corpus are, so a find can be made again.
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
SLOWEST_S = 20  # of processor time that an input may take; more is a find

_TREELESS = {"E0101", "E0102", "E0103", "E0104", "E0105"}
_ACTS_ON_TERMINALS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class TooSlowError(Exception):
    """An input took longer than any input may."""


@frozen
class Input:
    """What is checked: the bytes of a spec in a folder of specs, and overrides."""

    content: bytes
    overrides: tuple[str, ...] = ()
    folder: str = "."  # below the root, as bases are named relative to it

    @classmethod
    def load(cls, path: Path) -> "Input":
        """One of a corpus: `NAME.arch`, and overrides in `NAME.set`, one a line."""
        beside = path.with_suffix(".set")
        lines = beside.read_bytes().splitlines() if beside.exists() else []
        return cls(path.read_bytes(), tuple(map(os.fsdecode, lines)))

    def save(self, path: Path) -> None:
        """Write it where `load` finds it."""
        path.write_bytes(self.content)
        if self.overrides:
            path.with_suffix(".set").write_bytes(b"".join(os.fsencode(text) + b"\n" for text in self.overrides))


@frozen
class Find:
    """An exception that is none of the language's."""

    input: Input
    error: Exception

    @property
    def place(self) -> str:
        """Kind and place of the error: finds that share it are one."""
        *_, last = traceback.extract_tb(self.error.__traceback__)
        inside = [f for f in traceback.extract_tb(self.error.__traceback__) if "cifar_dsl" in f.filename]
        frame = inside[-1] if inside else last
        return f"{type(self.error).__name__} in {Path(frame.filename).stem}.{frame.name}"

    def __str__(self) -> str:
        return f"{self.input}\n" + "".join(traceback.format_exception(self.error))


class Fuzzer:
    """Makes inputs in a folder that holds the shipped specs, and puts them through the language."""

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
        self._weights = [1 / (200 + len(text)) for _, text in self._seeds]  # long ones take their time
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
        """The input of this number."""
        draw = random.Random(f"{seed}:{number}")
        kind = draw.random()
        if kind < 0.15:
            return Input(self._derive(draw, START_SPEC))
        if kind < 0.4:
            folder, content = ".", draw.choice(self._small())
            return Input(content, tuple(self._override(draw) for _ in range(draw.randint(1, 3))), folder)
        folder, content = draw.choices(self._seeds, self._weights)[0]
        mutations = GENTLE if draw.random() < 0.6 else MUTATIONS
        for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
            content = draw.choice(mutations)(self, draw, content)
        overrides = (self._override(draw),) if draw.random() < 0.05 else ()
        return Input(content, overrides, folder)

    def _small(self) -> list[bytes]:
        return [text for folder, text in self._seeds if folder == "." and len(text) < 700]

    def other(self, draw: random.Random) -> bytes:
        """Another text, to take something from."""
        return draw.choices(self._seeds, self._weights)[0][1]

    def word(self, draw: random.Random) -> bytes:
        """A word that some spec says, or an odd one."""
        return draw.choice(ODD) if draw.random() < 0.3 else draw.choice(self._words)

    def _override(self, draw: random.Random) -> str:
        if draw.random() < 0.2:
            text = self._derive(draw, START_OVERRIDE)
        else:
            text = draw.choice(OVERRIDES)
            for _ in range(draw.randint(0, 3)):
                text = draw.choice(OVERRIDE_MUTATIONS)(self, draw, text)
        return os.fsdecode(re.sub(rb"[\n\r\0]", b" ", text))  # as the bytes of a command line come to Python

    # ---- what the language makes of them

    def write(self, given: Input) -> Path:
        """Put the text where its bases are, and give back the path."""
        path = self.root / given.folder / "fuzzed.arch"
        path.write_bytes(given.content)
        return path

    def find(self, given: Input) -> Find | None:
        """What is wrong with the language, shown by this input."""
        path = self.write(given)
        try:
            with _time_limit(SLOWEST_S):
                self._exercise(path, given.overrides)
        except Exception as error:  # noqa: BLE001
            return Find(given, error)
        return None

    def _exercise(self, path: Path, overrides: tuple[str, ...]) -> None:
        inspection = inspect(path, self.root, overrides)
        assert inspection.found or inspection.diagnostics, "wrong, and nothing is said of it"
        _check_told(inspection.diagnostics)
        if any(one.code in _TREELESS for one in inspection.diagnostics):
            return
        source = SpecReader(self.root).read(path)
        spec = parse_spec(source)
        text = format_text(source)
        again = evolve(source, text=text)
        if parse_spec(again) != spec or format_text(again) != text:
            raise AssertionError("formatting changes the meaning, or is not done at once")
        fixed(source, inspection.diagnostics, also_unsafe=True)
        if isinstance(inspection.found, Analysis):
            self._use(inspection.found)

    def _use(self, analysis: Analysis) -> None:
        print_spec(analysis.program.as_spec())
        if len(analysis.graph.nodes) > 300:
            return  # takes too long to do each time
        expanded(analysis.graph, analysis.recipe, analysis.program.name.text)
        for pair in ((self._reference, analysis), (analysis, self._reference)):
            found = difference(*pair)
            as_lines(found)
            as_data(found)
        picture = draw(analysis.graph, analysis.program.name.text)
        as_dot(picture)
        as_mermaid(picture)

    # ---- smaller finds

    def smallest(self, find: Find) -> Find:
        """The find with all taken away that it doesn't need; a slow one as it is, since each try takes its time."""
        if isinstance(find.error, TooSlowError):
            return find
        for split in (lines_of, TOKEN.findall, _single_bytes):
            find = self._reduced(find, split)
        for override in find.input.overrides:
            less = evolve(find.input, overrides=tuple(o for o in find.input.overrides if o != override))
            find = self._if_same(find, less)
        return find

    def _reduced(self, find: Find, split: Callable[[bytes], Sequence[bytes]]) -> Find:
        parts = list(split(find.input.content))
        size = max(1, len(parts) // 2)
        while parts and len(parts) < 5000:
            for start in range(len(parts) - size, -1, -size):
                less = parts[:start] + parts[start + size :]
                smaller = self._if_same(find, evolve(find.input, content=b"".join(less)))
                if smaller is not find:
                    find, parts = smaller, less
            if size == 1:
                break
            size //= 2
        return find

    def _if_same(self, find: Find, less: Input) -> Find:
        other = self.find(less)
        return other if other and other.place == find.place else find


def _single_bytes(content: bytes) -> list[bytes]:
    return [content[i : i + 1] for i in range(len(content))]


def _check_told(diagnostics: Sequence[Diagnostic]) -> None:
    """That everything can be shown, and shows no character that acts on a terminal."""
    texts = [render_full(one) for one in diagnostics]
    texts += [show(one) for one in diagnostics for show in (render_concise, render_github)]
    texts += [render_json(diagnostics), render_sarif(diagnostics)]
    assert not any(map(_ACTS_ON_TERMINALS.search, texts)), "a character that acts on a terminal is shown raw"


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
