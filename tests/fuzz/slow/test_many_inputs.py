"""Any input ends in a model or in located diagnostics; `bench/fuzz.py` tries far more of them."""

from helpers.fuzzing import Fuzzer

from cifar_dsl.compiler.lints import inspection

_COUNT = 800  # 20,000 with --full; a core takes about 10 ms for each


def test_no_input_fails(fuzzer: Fuzzer, full: bool) -> None:
    for number in range(20_000 if full else _COUNT):
        failure = fuzzer.find(fuzzer.input(0, number))
        assert failure is None, f"input {number} of seed 0: {failure}"


def test_inputs_reach_all_of_the_language(fuzzer: Fuzzer) -> None:
    codes = set()
    right = 0
    for number in range(400):
        given = fuzzer.input(0, number)
        path = fuzzer.write(given)
        found = inspection.inspect(path, fuzzer.root, given.overrides)
        right += found.found is not None
        codes |= {one.code for one in found.diagnostics}
    assert right >= 10
    assert len(codes) >= 25
