"""Does the first diagnostic point at the mistake?

    python bench/mistakes.py [--count 40] [--seed 0] [--show]

Claim: in at least 32 of 40 specs with one mistake, the first diagnostic points at the line of the mistake. Mistakes are
drawn with a seed from all tokens of the zoo: a typo in a name, a missing bracket, two swapped arguments, a wrong
number. A mistake that leaves the spec valid, such as another number, is drawn again. Exits with 1 if the claim doesn't
hold. --show prints each mistake and its diagnostic.
"""

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import hardware

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.language.diagnostics import render_concise

_SPECS = Path(__file__).parents[1] / "specs"
_TOKEN = re.compile(
    r'(?P<other>#[^\n]*|"[^"\n]*")|(?P<name>[A-Za-z_]\w*)|(?P<number>\d+(\.\d+)?)|(?P<bracket>[(){}\[\]])'
)
_ARGUMENTS = re.compile(r"\((?P<first>[^(),\n#]+), (?P<second>[^(),\n#]+)[,)]")
_SHARE = 0.8

Mistake = tuple[int, int, str]  # start, end, replacement


def main() -> int:
    """Draw mistakes and count the hits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    random_ = random.Random(options.seed)
    files = sorted((_SPECS / "zoo").glob("*.arch"))
    hits = dict.fromkeys(_KINDS, 0)
    drawn = dict.fromkeys(_KINDS, 0)
    for i in range(options.count):
        kind = list(_KINDS)[i % len(_KINDS)]
        path, (start, end, text), diagnostics = _broken(random_, files, _KINDS[kind])
        source = path.read_text(encoding="utf-8")
        line = source.count("\n", 0, start) + 1
        label = diagnostics[0].label
        hit = label is not None and label.span.source.name == str(path) and label.span.line == line
        drawn[kind] += 1
        hits[kind] += hit
        if options.show:
            was = f"{source[start:end]!r} -> {text!r}"
            print(f"{'hit ' if hit else 'MISS'} {path.stem}:{line} {was}\n       {render_concise(diagnostics[0])}")
    print(f"{hardware()}\n")
    for kind, count in drawn.items():
        print(f"{kind:<18} {hits[kind]:3} of {count}")
    print(f"{'all':<18} {sum(hits.values()):3} of {options.count}")
    return int(sum(hits.values()) < _SHARE * options.count)


def _broken(random_: random.Random, files: list[Path], mistakes: Callable[[random.Random, str], Iterator[Mistake]]):  # type: ignore[no-untyped-def]
    while True:
        path = random_.choice(files)
        text = path.read_text(encoding="utf-8")
        found = list(mistakes(random_, text))
        if not found:
            continue
        start, end, replacement = random_.choice(found)
        broken = text[:start] + replacement + text[end:]
        inspection = inspect(path, _SPECS, texts={path.resolve(): broken})
        if inspection.found is None:
            return path, (start, end, replacement), inspection.diagnostics


def _tokens(text: str, kind: str) -> Iterator[re.Match[str]]:
    return (match for match in _TOKEN.finditer(text) if match[kind])


def _typos(random_: random.Random, text: str) -> Iterator[Mistake]:
    for match in _tokens(text, "name"):
        name = match[0]
        if len(name) < 3:
            continue
        i = random_.randrange(len(name) - 1)
        typo = random_.choice(
            [
                name[:i] + name[i + 1 :],  # a letter dropped
                name[:i] + name[i] + name[i:],  # doubled
                name[:i] + name[i + 1] + name[i] + name[i + 2 :],  # two letters swapped
                name[:i] + random_.choice("abcdefghijklmnopqrstuvwxyz") + name[i + 1 :],  # another key
            ]
        )
        if typo != name:
            yield match.start(), match.end(), typo


def _missing_brackets(_: random.Random, text: str) -> Iterator[Mistake]:
    for match in _tokens(text, "bracket"):
        yield match.start(), match.end(), ""


def _swapped_arguments(_: random.Random, text: str) -> Iterator[Mistake]:
    for match in _ARGUMENTS.finditer(text):
        yield match.start("first"), match.end("second"), f"{match['second']}, {match['first']}"


def _wrong_numbers(random_: random.Random, text: str) -> Iterator[Mistake]:
    for match in _tokens(text, "number"):
        number = match[0]
        wrong = [
            number + random_.choice("0123456789"),
            number[:-1],
            number.replace(number[0], random_.choice("123456789"), 1),
        ]
        if number.isdigit():
            wrong += [str(int(number) + 1), str(max(0, int(number) - 1))]
        choice = random_.choice([one for one in wrong if one and one != number and not one.endswith(".")])
        yield match.start(), match.end(), choice


_KINDS: dict[str, Callable[[random.Random, str], Iterator[Mistake]]] = {
    "typo in a name": _typos,
    "missing bracket": _missing_brackets,
    "swapped arguments": _swapped_arguments,
    "wrong number": _wrong_numbers,
}

if __name__ == "__main__":
    sys.exit(main())
