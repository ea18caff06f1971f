"""Completion in all places of the shipped specs."""

from pathlib import Path

import pytest

from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import specs_directory

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_word_of_the_shipped_specs_is_offered_at_its_offset(path: Path) -> None:
    documents = Documents([specs_directory()])
    text = path.read_text(encoding="utf-8")
    for mention in documents.names(path).mentions:
        if mention.is_definition or mention.definition.kind == "base":
            continue
        documents.put(path.as_uri(), text[: mention.span.start] + text[mention.span.end :])
        found = completions(documents, path, mention.span.start, snippets=False)
        assert mention.definition.name in {item.label.rstrip("=") for item in found}, mention
