"""Every capability answers for any text."""

import contextlib
from pathlib import Path

from helpers.editor import FOLDER, uri_of
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol.types import Position, Range
from pygls.protocol import default_converter

from cifar_dsl.editors.language_server.code_actions import code_actions
from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.editors.language_server.diagnostics import diagnostics
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.formatting import formatting
from cifar_dsl.editors.language_server.hover import hover
from cifar_dsl.editors.language_server.inlay_hints import inlay_hints
from cifar_dsl.editors.language_server.navigation import definition, document_links, highlights, references
from cifar_dsl.editors.language_server.renaming import prepare_rename, rename
from cifar_dsl.editors.language_server.semantic_tokens import semantic_tokens
from cifar_dsl.editors.language_server.signatures import signature_help
from cifar_dsl.editors.language_server.symbols import document_symbols, folding_ranges
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import specs_directory

EVERYWHERE = Range(Position(0, 0), Position(1000, 0))
NAMES = ("baseline", "batchnorm_before", "library/mobile", "records/airbench94", "zoo/googlenet", "zoo/shufflenet_v2")
TEXTS = [(specs_directory() / f"{name}.arch").read_text(encoding="utf-8") for name in NAMES]
PIECES = [
    *("", "{", "}", "(", ")", "[", "]", "|", "->", "=", ",", ".", ":", '"', "#", "\n", " ", "\r", "\0", "\U0001d538"),
    *("block", "train {", "param x =", "let", "for", "in", "conv(", "optimizer.", "extends", 'arch a extends "b.arch"'),
]


def ask_everything(documents: Documents, path: Path, offset: int) -> list[object]:
    """The answers of all capabilities for an offset."""
    here = (documents, path)
    answers: list[object] = [
        *diagnostics(*here),
        *code_actions(*here, EVERYWHERE, None),
        hover(*here, offset),
        *inlay_hints(*here, EVERYWHERE),
        *completions(*here, offset, snippets=True),
        signature_help(*here, offset),
        definition(*here, offset),
        *references(*here, offset, include_definitions=True),
        *highlights(*here, offset),
        semantic_tokens(*here),
        *document_links(*here),
        *document_symbols(*here),
        *folding_ranges(*here),
    ]
    with contextlib.suppress(UserError):
        answers += formatting(*here)
    with contextlib.suppress(UserError):
        answers += [prepare_rename(*here, offset), rename(*here, offset, "renamed")]
    return answers


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(TEXTS), st.data())
def test_texts_with_typos(text: str, data: st.DataObject) -> None:
    documents = Documents([FOLDER])
    documents.put(uri_of("b"), TEXTS[0])
    path = documents.put(uri_of("test"), text)
    documents.analysis(path)  # what is known from before the slips
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 20)) | st.just(len(text)))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[stop:]
        documents.put(uri_of("test"), text)
        offset = data.draw(st.integers(0, len(documents.open[path])) | st.just(min(start, len(documents.open[path]))))
        answers = ask_everything(documents, path, offset)
        assert default_converter().unstructure(answers) is not None  # they go over the wire


@settings(deadline=None, max_examples=60)
@given(st.text('ab{}()[]=|,.:#"\n -0\r\u00e9\U0001d538', max_size=60), st.integers(0, 60))
def test_texts_that_are_no_spec(text: str, offset: int) -> None:
    documents = Documents([FOLDER])
    path = documents.put(uri_of("test"), text)
    ask_everything(documents, path, min(offset, len(documents.open[path])))
