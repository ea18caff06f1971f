"""Two errors in branches, scopes, patterns, lists and attention: each is reported, and nothing else."""

from itertools import combinations_with_replacement, product

import pytest
from helpers.specs import errors_of, text_of

# Chains for an image of 8x8x8 with one error each, by the form that is wrong; a block `two` takes two blocks.
WRONG = {
    "unknown layer": "nosuch(8)",
    "argument of attend": "tokens -> attend(3) { tanh | tanh | tanh }",
    "branches of attend": "tokens -> attend(2) { tanh | tanh }",
    "no branches of attend": "tokens -> attend(2)",
    "queries that are an image": "attend(2) { identity | tokens | tokens }",
    "block on scores": "tokens -> attention(2, before=global_avgpool)",
    "block that isn't one": "tokens -> attention(2, after=3)",
    "norm of queries": "tokens -> attention(2, qk_norm=nosuch)",
    "windows that don't tile": "windows(3) { tanh }",
    "shift of windows": "windows(4, shift=4) { tanh }",
    "windows without branch": "windows(4)",
    "output of windows": "windows(4) { token(0) }",
    "each without branch": "each(c, h, w -> w, c)",
    "each without pattern": "each { tanh }",
    "output of each": "each(c, h, w -> w, c) { token(0) }",
    "body of each": "each(c, h, w -> w, c) { conv(8, 3) }",
    "axis of each": "each(c, h, w -> q) { tanh }",
    "rank of a pattern": "mean(t, d -> t)",
    "axis that vanishes": "rearrange(c, h, w -> c, h)",
    "product of a pattern": "rearrange(c * 3, h, w -> c, h * 3, w)",
    "two unknown factors": "max(a * b, h, w -> a, h, w)",
    "extent of a pattern": "sum(a * b, h, w -> a, h, w, a=nosuch)",
    "branches of einsum": "einsum(c, h, w | c, h, w -> c, h) { tanh | tanh | tanh }",
    "axis of einsum": "einsum(a, h, w | c, h, w -> a, h) { tanh | tanh }",
    "body of einsum": "einsum(c, h, w | c, h, w -> c, h) { tanh | conv(0, 3) }",
    "pattern of conv": "conv(c, h, w -> c)",
    "branches of a layer": "relu { tanh }",
    "branches of a block": "two { tanh }",
    "branch of a block": "two { tanh | conv(0, 3) }",
    "branches of a loop": "add for i in 3 { tanh }",
    "joined shapes": "add { tanh | conv(7, 1) }",
    "list as a tensor": "both -> relu",
    "index of a list": "[tanh, relu][5]",
    "slice of the current tensor": "identity[9:]",
    "learned size": "learned(0)",
}
BLOCKS = "block two(f: block, g: block) { f -> g }\nblock both() { let a = tanh\nlet b = relu\n[a, b] }"
SCOPES = [
    "windows(4) {{ {} }}",
    "each(c, h, w -> h, c) {{ {} }}",
    "add {{ identity | {} }}",
    "two {{ {} | relu }}",
    "einsum(c, h, w | c, h, w -> c, h, w) {{ identity | {} }}",
    "add for i in 0..2 {{ {} }}",
    "attend(2) {{ tanh | {} | tanh }}",
]


def found(*stages: str) -> list[tuple[str, str]]:
    """Codes and messages of the errors of a spec with these stages."""
    return sorted((one.code, one.message) for one in errors_of(text_of("\n".join(stages), BLOCKS, size="8x8x8")))


@pytest.fixture(scope="module")
def alone() -> dict[str, tuple[str, str]]:
    errors = {name: found(f"let e = {chain}") for name, chain in WRONG.items()}
    assert {name: one for name, one in errors.items() if len(one) != 1} == {}
    return {name: one for name, (one,) in errors.items()}


def test_both_errors_are_reported(alone: dict[str, tuple[str, str]]) -> None:
    for one, other in combinations_with_replacement(WRONG, 2):
        both = found(f"let e = {WRONG[one]}", f"let f = {WRONG[other]}")
        assert both == sorted([alone[one], alone[other]]), (one, other)


def test_an_error_beside_a_scope_with_an_error_is_reported(alone: dict[str, tuple[str, str]]) -> None:
    """An error in the body of a scope keeps to it: the same errors as without the other one, in any scope."""
    for scope, name in product(SCOPES, WRONG):
        inside = found(f"let e = {scope.format(WRONG[name])}")
        assert inside, (scope, name)
        assert found(f"let e = {scope.format(WRONG[name])}", "let f = nosuch(8)") == sorted(
            [*inside, alone["unknown layer"]]
        )
