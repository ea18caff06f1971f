"""Results that are kept for recent texts."""

from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax.recent import MOST_CHARACTERS, recent


def test_the_oldest_large_texts_are_forgotten_and_small_ones_kept() -> None:
    made: list[str] = []

    @recent
    def first(source: Source, times: int) -> str:
        made.append(source.name)
        return source.text[:1] * times

    small = [Source(f"s{i}", f"{i}") for i in range(100)]
    assert [first(one, 2) for one in small] == [one.text[0] * 2 for one in small]
    assert first(small[0], 2) == "00"
    assert len(made) == 100
    assert first(small[0], 3) == "000"
    made.clear()
    large = [Source(f"l{i}", "x" * (MOST_CHARACTERS // 3)) for i in range(4)]
    for one in (*large, *reversed(large), small[0]):
        first(one, 1)
    assert made == ["l0", "l1", "l2", "l3", "l0", "s0"]  # three are kept; then l0 comes again
    first.cache_clear()
    first(large[0], 1)
    assert made[-1] == "l0"


def test_texts_that_are_larger_than_all_are_kept_while_they_are_checked() -> None:
    made: list[str] = []

    @recent
    def size(source: Source) -> int:
        made.append(source.name)
        return len(source.text)

    spec, base = Source("spec", "x" * MOST_CHARACTERS), Source("base", "y" * MOST_CHARACTERS)
    assert {size(one) for one in (spec, base, spec, base)} == {MOST_CHARACTERS}
    assert made == ["spec", "base"]
