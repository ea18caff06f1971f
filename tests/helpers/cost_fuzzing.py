"""A fuzzer that hunts cost: it keeps the inputs whose check takes longest for what they charge.

The budget of steps is reduced, so that an input that is charged correctly takes a few milliseconds, however large a
network it describes: what takes longer does work that isn't charged.
"""

import random
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from attrs import frozen
from helpers.bombs import costly
from helpers.charged import charged_work
from helpers.fuzzing import CASES, Fuzzer, Input
from helpers.mutations import GENTLE, MUTATIONS, TOKEN, lines_of

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.foundation import limits
from cifar_dsl.language.syntax.lexer import readable_tokens

STEPS_OF_A_BYTE = 12  # of a text that doesn't parse, and so charges nothing; the tree of another takes about as many
_STEPS = 1_000  # of a check while it is fuzzed, beside those of its text
_DIAGNOSTICS = 3  # shown, of at most 20
_LARGE, _SMALL = 4_000, 200  # bytes
_SHARE_OF_LARGE = 0.01
_COSTLY = [*costly(0.002).values()]
_POOL = 48
_STEPS_OF_A_START = 2_000
_STEPS_OF_A_DIAGNOSTIC = 3_000  # at most 20 are computed; a mistake of syntax is repaired


Measure = Callable[[Callable[[], object]], float]  # the cost of what a function does


def cpu_microseconds(work: Callable[[], object]) -> float:
    """The CPU time of `work` in microseconds."""
    start = time.process_time()
    work()
    return 1e6 * (time.process_time() - start)


def calls(work: Callable[[], object]) -> float:
    """The number of calls of functions in `work`, for tests: it doesn't depend on the machine."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def price(cost: float, steps: int, size: int, diagnostics: int) -> float:
    """The cost of a step of a check that charged `steps` for a text of `size` bytes."""
    return cost / (steps + STEPS_OF_A_BYTE * size + _STEPS_OF_A_DIAGNOSTIC * diagnostics + _STEPS_OF_A_START)


@frozen
class Costly:
    """An input, the cost of its check, the steps that it charged, the number of diagnostics, and its kind of text."""

    input: Input
    cost: float
    steps: int
    diagnostics: int
    kind: bytes

    @property
    def price(self) -> float:
        """The cost of a step, where bytes and diagnostics count as steps, too."""
        return price(self.cost, self.steps, len(self.input.content), self.diagnostics)


class CostFuzzer:
    """Mutates inputs, those first that cost most. The same seed gives the same inputs if their costs are the same."""

    def __init__(self, root: Path, seed: int, cost_of: Measure = cpu_microseconds) -> None:
        self._fuzzer = Fuzzer(root)
        self._cost_of = cost_of
        self._draw = random.Random(f"cost:{seed}")
        self._seeds = [path.read_bytes() for path in sorted(CASES.rglob("*.arch"))]  # most have an error
        self._costly = [text.encode() for share in (0.002, 0.02) for text in costly(share).values()]
        self.pool: list[Costly] = []
        self.count = 0
        self._measured_texts = 0

    def run(self, count: int) -> None:
        """Try as many mutants."""
        for _ in range(count):
            self.try_one(self._mutant())

    def try_one(self, content: bytes) -> Costly:
        """Measure an input, and keep it if it is among those that cost most."""
        self.count += 1
        found = self.measured(content)
        if len(self.pool) < _POOL or found.price > self.pool[-1].price:
            found = min((found, self.measured(content), self.measured(content)), key=lambda one: one.price)
            others = [one for one in self.pool if one.kind != found.kind or one.price > found.price]
            self.pool = sorted([*others, found], key=lambda one: -one.price)[:_POOL]
        return found

    def measured(self, content: bytes) -> Costly:
        """The cost of the check of an input, as an editor or `cifar-dsl check` does it."""
        given = Input(content)
        self._measured_texts += 1  # a name of its own: what was read of a text is remembered by its name
        path, texts = self._fuzzer.root / f"fuzzed{self._measured_texts}.arch", dict[Path, str]()
        readable_tokens.cache_clear()
        try:
            texts[path.resolve()] = content.decode()  # much faster than a file
        except UnicodeDecodeError:
            path = self._fuzzer.write(given)
        most = _STEPS + STEPS_OF_A_BYTE * len(content)
        with limits.raising(steps=most, diagnostics=_DIAGNOSTICS), charged_work() as works:
            found = self._measured(path, texts)
        return Costly(given, found[0], sum(work.done for work in works), found[1], _kind(content))

    def _measured(self, path: Path, texts: Mapping[Path, str]) -> tuple[float, int]:
        """The cost of a check and the number of its diagnostics."""
        diagnostics: list[object] = []
        cost = self._cost_of(lambda: diagnostics.extend(inspect(path, self._fuzzer.root, texts=texts).diagnostics))
        return cost, len(diagnostics)

    def _mutant(self) -> bytes:
        draw = self._draw
        if self.pool and draw.random() < 0.7:
            content = self.pool[min(int(draw.expovariate(0.1)), len(self.pool) - 1)].input.content
        else:
            content = draw.choice(self._costly if draw.random() < 0.5 else self._seeds)
        most = _LARGE if draw.random() < _SHARE_OF_LARGE else _SMALL
        content = _shortened(draw, content, most)
        for _ in range(draw.choice((1, 1, 2, 4))):
            kind = draw.random()
            if kind < 0.6:
                content = draw.choice(_GROWING)(draw, content)
            else:
                content = draw.choice(GENTLE if kind < 0.9 else MUTATIONS)(self._fuzzer, draw, content)
        return _shortened(draw, content, most)


def most_expensive(pool: Iterable[Costly], count: int = 10) -> list[Costly]:
    """The inputs of a pool that cost most for what they charge."""
    return sorted(pool, key=lambda one: -one.price)[:count]


def _kind(content: bytes) -> bytes:
    """Equal for inputs that differ only in numbers, names and repetitions."""
    words = re.sub(rb"[0-9.]+", b"1", content)
    return b"\n".join(dict.fromkeys(re.sub(rb"\s+", b" ", line).strip()[:60] for line in words.splitlines()))


def _shortened(draw: random.Random, content: bytes, most: int) -> bytes:
    """A text of at most `most` bytes: lines are dropped, mostly those that repeat others."""
    lines = lines_of(content)
    while sum(map(len, lines)) > most and len(lines) > 1:
        start = draw.randrange(len(lines))
        del lines[start : start + max(1, len(lines) // 8)]
    return b"".join(lines)[:most]


# ---- mutations that make a text cost more


def _repeat_lines(draw: random.Random, content: bytes) -> bytes:
    lines = lines_of(content)
    if not lines:
        return content
    start = draw.randrange(len(lines))
    part = lines[start : start + draw.choice((1, 1, 2, 5))]
    return b"".join([*lines[:start], *_numbered(draw, part, draw.choice((2, 10, 100, 1000))), *lines[start:]])


def _numbered(draw: random.Random, part: list[bytes], count: int) -> list[bytes]:
    """Copies of some lines; half of the time with a name of their own each."""
    count = min(count, _LARGE // max(1, sum(map(len, part))))
    names = [name for name in re.findall(rb"\b[a-z_]\w*\b", b"".join(part)) if len(name) < 20]
    if not names or draw.random() < 0.5:
        return part * count
    name = re.compile(rb"\b" + draw.choice(names) + rb"\b")
    return [name.sub(lambda found, i=i: b"%s%d" % (found[0], i), line) for i in range(count) for line in part]


def _repeat_tokens(draw: random.Random, content: bytes) -> bytes:
    tokens = TOKEN.findall(content)
    if not tokens:
        return content
    start = draw.randrange(len(tokens))
    part = tokens[start : start + draw.choice((1, 2, 2, 3, 4, 8))]
    count = min(draw.choice((2, 10, 100, 1000)), _LARGE // max(1, sum(map(len, part))))
    return b"".join([*tokens[:start], *part * count, *tokens[start:]])


def _enlarge_number(draw: random.Random, content: bytes) -> bytes:
    numbers = list(re.finditer(rb"\b[0-9]+\b", content))
    if not numbers:
        return content
    found = draw.choice(numbers)
    return content[: found.start()] + draw.choice((b"7", b"100", b"3000", b"100000")) + content[found.end() :]


def _in_a_loop(draw: random.Random, content: bytes) -> bytes:
    lines = lines_of(content)
    bodies = [i for i, line in enumerate(lines) if line.startswith(b" ")]
    if not bodies:
        return content
    place = draw.choice(bodies)
    lines[place] = b"repeat %d {\n%s\n}\n" % (draw.choice((3, 100, 10_000)), lines[place].rstrip())
    return b"".join(lines)


def _of_others(draw: random.Random, content: bytes) -> bytes:
    """A line of one of the costly texts."""
    lines, others = lines_of(content), lines_of(draw.choice(_COSTLY).encode())
    place = draw.randint(0, len(lines))
    return b"".join([*lines[:place], draw.choice(others)[:2000], *lines[place:]])


_GROWING = (_repeat_lines, _repeat_lines, _repeat_tokens, _repeat_tokens, _enlarge_number, _in_a_loop, _of_others)


def save(found: Iterable[Costly], folder: Path) -> list[Path]:
    """Save inputs in a folder, the most expensive first."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, one in enumerate(found, start=1):
        paths.append(folder / f"costly_{number:02}.arch")
        one.input.save(paths[-1])
    return paths
