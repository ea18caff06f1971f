"""Messages about long patterns, scopes and branches stay short enough to be read."""

import pytest
from helpers.specs import errors_of, text_of

from cifar_dsl.language.diagnostics import Diagnostic

LONGEST = 2_100  # characters: a quotation of 2,000, and the words around it
COUNT = 1_500
NAMES = [f"a{i}" for i in range(COUNT)]
LONG = "a" * 64  # the longest name


def times(text: str, separator: str) -> str:
    return separator.join([text] * COUNT)


STAGES = {
    "axes": f"mean({', '.join(NAMES)} -> a0)",
    "factors": f"mean(c, h, {' * '.join(NAMES)} -> c)",
    "factors of the output": f"mean(c, h, w -> {' * '.join(NAMES)})",
    "inputs": f"einsum({' | '.join(NAMES)} -> a0) {{ relu | tanh }}",
    "extents": f"mean(c, h, w -> c, {', '.join(f'{name}=2' for name in NAMES)})",
    "large factors": f"rearrange({' * '.join(['999999999'] * 7)}, h, w -> c, h)",
    "long names": f"einsum({LONG}, {LONG}b, w | b, h, w -> h, w) {{ relu | relu }}",
    "a long name twice": f"mean({LONG}, {LONG}, w -> c)",
    "a pattern in quotes": f'rearrange("{"(b c) " * 170} -> c")',
    "axes without commas": f"mean({' '.join(NAMES)} -> c)",
    "a scope without branches": f"windows({times('4', ' + ')})",
    "each without branches": f"each({', '.join(NAMES)} -> a0)",
    "branches of einsum": f"einsum(c, h, w -> c) {{ {times('relu', ' | ')} }}",
    "branches of attend": f"attend(2) {{ {times('relu', ' | ')} }}",
    "branches of windows": f"windows({times('4', ' + ')}) {{ {times('relu', ' | ')} }}",
    "branches of a layer": f"sum {{ {times('relu', ' | ')} }}",
    "a list": f"let x = relu\n[{times('x', ', ')}] -> relu",
    "names for a list": f"let ({', '.join(NAMES)}) = relu",
    "an index": f"let x = relu\nlet xs = [{times('x', ', ')}]\nxs[{times('9', ' + ')}] -> relu",
    "a block on scores": f"attention(4, before=relu({times('1', ', ')}))",
    "a misspelt else": f"if height > 4 {{ relu }} esle {{ {times('relu', chr(10))} }}",
    "a learned size": f"learned(({times('1', ', ')}))",
    "slices": f"identity[{times(':', ', ')}]",
    "a computed slice": f"identity[{times('1', ' + ')}:]",
}


def texts_of(error: Diagnostic) -> list[str]:
    labels = [one.text for one in (error.label, *error.secondary) if one]
    return [error.message, *error.help, *error.notes, *labels]


@pytest.mark.parametrize("name", STAGES)
def test_a_message_is_short(name: str) -> None:
    errors = errors_of(text_of(STAGES[name]))
    assert max(len(text) for error in errors for text in texts_of(error)) <= LONGEST
