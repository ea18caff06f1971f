"""Any input ends in a model or in located diagnostics; `bench/fuzz.py` tries far more of them."""

from helpers.fuzzing import Fuzzer

_COUNT = 4_000  # 20,000 with --full; a core takes about 10 ms for each


def test_no_input_fails(fuzzer: Fuzzer, full: bool) -> None:
    for number in range(20_000 if full else _COUNT):
        failure = fuzzer.find(fuzzer.input(0, number))
        assert failure is None, f"input {number} of seed 0: {failure}"
