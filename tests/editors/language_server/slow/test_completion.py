"""Completion in all places of the shipped specs."""

from pathlib import Path

import pytest

from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import specs_directory

SHIPPED = sorted(specs_directory().resolve().rglob("*.arch"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_word_of_the_shipped_specs_is_offered_at_its_offset(path: Path) -> None:
    """The first and the last mention of each word; words between them stand in the same places."""
    documents = Documents([specs_directory()])
    text = path.read_text(encoding="utf-8")
    mentions = [one for one in documents.names(path).mentions if not one.is_definition and one.definition.kind != "base"]
    mentions.sort(key=lambda one: one.span.start)
    first_and_last = [{one.definition: one for one in order} for order in (mentions[::-1], mentions)]
    for mention in {one.span: one for chosen in first_and_last for one in chosen.values()}.values():
        documents.put(path.as_uri(), text[: mention.span.start] + text[mention.span.end :])
        found = completions(documents, path, mention.span.start, snippets=False)
        assert mention.definition.name in {item.label.rstrip("=") for item in found}, mention
