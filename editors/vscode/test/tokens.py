"""Prints the tokens and keywords of the language, for the tests of the highlighting.

`tokens.py FILE ...` prints a JSON list with the tokens of each file. The lexer is built from the current
grammar/arch.lark, and comments are kept. A character that can't begin a token is skipped. Offsets count UTF-16 units,
as editors do. `tokens.py --words` prints the words that the highlighting lists.
"""

import json
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedCharacters
from lark.lexer import BasicLexer, LexerThread

from cifar_dsl.language.syntax import KEYWORDS, tables
from cifar_dsl.operations.recipe.settings import GROUP_SETTINGS, SETTINGS

_UNSEEN = {"SPACE", "_NL"}


def _keeping_comments(parser: Lark) -> BasicLexer:
    """Build the parser's lexer once; `Lark.lex` with `dont_ignore` would build one for every text."""
    settings = copy(parser.lexer_conf)
    settings.ignore = ()
    return BasicLexer(settings)


def _tokens(lexer: BasicLexer, text: str) -> Iterator[dict[str, Any]]:
    units = [0]
    for character in text:
        units.append(units[-1] + (2 if ord(character) > 0xFFFF else 1))
    start = 0
    while start < len(text):
        try:
            for token in LexerThread.from_text(lexer, text[start:]).lex(None):
                begin = start + (token.start_pos or 0)
                end = begin + len(token)
                if token.type not in _UNSEEN:
                    yield {"type": token.type, "start": units[begin], "end": units[end], "text": str(token)}
        except UnexpectedCharacters as error:
            start += (error.pos_in_stream or 0) + 1
        else:
            return


def _literals(parser: Lark) -> list[str]:
    """The words that the grammar reserves."""
    values = (terminal.pattern.value for terminal in parser.terminals if terminal.pattern.type == "str")
    return sorted(value for value in values if value.isidentifier())


def main() -> None:
    """Print the words or the tokens as JSON."""
    parser = tables.build()
    if sys.argv[1:] == ["--words"]:
        answer: Any = {
            "literals": _literals(parser),
            "keywords": sorted(KEYWORDS),
            "settings": sorted(SETTINGS),
            "group_settings": sorted(GROUP_SETTINGS),
        }
    else:
        lexer = _keeping_comments(parser)
        texts = [Path(name).read_bytes().decode("utf-8") for name in sys.argv[1:]]
        answer = [list(_tokens(lexer, text)) for text in texts]
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
