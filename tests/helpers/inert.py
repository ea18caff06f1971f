"""Characters that act on a terminal, and what commands show of them."""

import pytest

from cifar_dsl.cli import main

# All C0 and C1 controls, and all characters that change the direction of text or break lines invisibly.
CONTROLS = [
    *map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
]
HOSTILE = "a\x1b[2J\x07\x08\r\x9b31m\u202eb\u2066"


def raw(capsys: pytest.CaptureFixture[str], *arguments: object) -> set[str]:
    """The control characters in the output of a command, except newlines."""
    code = main([str(argument) for argument in arguments])
    assert code in {0, 1, 2}
    captured = capsys.readouterr()
    assert captured.out + captured.err or "github" in arguments  # which prints nothing for a valid spec
    return set((captured.out + captured.err).replace("\n", "")) & set(CONTROLS)
