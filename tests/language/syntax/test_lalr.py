"""The parser against lark's own, made from the same grammar: the same trees, the same errors."""

import pytest
from helpers.derivations import Grammar
from helpers.fuzzing import Fuzzer
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.language.syntax.lalr import END, MisplacedError, Parser, Token, Tree
from cifar_dsl.language.syntax.lexer import UnreadableError, lex
from cifar_dsl.language.syntax.newlines import NEW_LINE, NewLineFilter, OversizeError, UnbalancedError
from cifar_dsl.language.syntax.tables import START_AXIS, START_OVERRIDE, START_SPEC, build, tables

STARTS = [START_SPEC, START_OVERRIDE, START_AXIS]


class LarkFilter(NewLineFilter):
    always_accept = (NEW_LINE,)


LARK = build(postlex=LarkFilter())
GRAMMAR = Grammar(["conv", "relu", "a", "data", "lr"])


def plain(value: object) -> object:
    """A token or tree of either parser."""
    if value is None:
        return None
    if isinstance(value, Token):
        return value.type, str(value), value.start, value.end
    if isinstance(value, Tree):
        return value.rule, value.start, value.end, [plain(child) for child in value.children]
    if isinstance(value, str):
        return value.type, str(value), value.start_pos, value.end_pos
    return str(value.data), value.meta.start_pos, value.meta.end_pos, [plain(child) for child in value.children]


def misplaced(token: object, start: int, accepts: set[str]) -> object:
    return "misplaced", token.type, str(token), None if token.type == END else start, accepts


def by_lark(text: str, start: str) -> object:
    """The tree, or where and why there is none."""
    try:
        return plain(LARK.parse(text, start=start))
    except UnexpectedCharacters as error:
        return "unreadable", error.pos_in_stream
    except UnexpectedToken as error:
        return misplaced(error.token, error.token.start_pos, error.accepts)
    except (UnbalancedError, OversizeError) as error:
        return type(error), *(getattr(one, "start_pos", one) for one in error.args)


def by_us(text: str, start: str) -> object:
    try:
        return plain(Parser(tables(), start).parse(lex(text)))
    except UnreadableError as error:
        return "unreadable", error.offset
    except MisplacedError as error:
        return misplaced(error.token, error.token.start, error.parser.accepts())
    except (UnbalancedError, OversizeError) as error:
        return type(error), *(getattr(one, "start", one) for one in error.args)


@pytest.mark.parametrize("path", sorted(specs_directory().rglob("*.arch")), ids=lambda path: path.stem)
def test_shipped_specs_have_the_tree_of_lark(path):
    text = path.read_text(encoding="utf-8")
    tree = by_us(text, START_SPEC)
    assert tree[0] == "spec"
    assert tree == by_lark(text, START_SPEC)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(STARTS))
def test_derived_texts_have_the_tree_of_lark(draw, start):
    text = GRAMMAR(draw, start).decode()
    assert by_us(text, start) == by_lark(text, start)


def test_mutated_texts_and_cases_have_the_tree_or_error_of_lark(tmp_path):
    """Mutations of shipped specs, of the cases of diagnostics, and of what fuzzing has found."""
    fuzzer = Fuzzer(tmp_path)
    texts = [content for _, content in fuzzer._seeds] + [fuzzer.input(7, i).content for i in range(400)]
    kinds = set()
    for content in texts:
        text = content.decode(errors="replace")
        ours = by_us(text, START_SPEC)
        kinds.add(ours[0])
        assert ours == by_lark(text, START_SPEC), text
    assert kinds == {"spec", "unreadable", "misplaced", UnbalancedError, OversizeError}


def test_a_copy_reads_on_by_itself():
    tokens = list(lex("head = [1, 2]"))
    parser = Parser(tables(), START_OVERRIDE)
    for token in tokens[:-1]:
        parser.feed(token)
    other = parser.copy()
    other.feed(tokens[-1])
    assert other.finish().rule == "override"
    assert "RSQB" in parser.accepts()
    assert END not in parser.accepts()
