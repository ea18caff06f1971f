"""Completion in places of all shipped specs."""

from collections import Counter

from cifar_dsl.editors.language_server.completion import completions
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.resources import specs_directory

OFTEN = 3  # in so many specs each word of the language is tried with --full, else in one
SHARE = 3  # one spec of so many has its own words tried; with --full, each


def test_every_word_of_the_shipped_specs_is_offered_at_its_offset(full: bool) -> None:
    """Specs' own words where the spec first mentions them, and those of the language in the first specs."""
    tried = Counter[tuple[object, ...]]()
    for number, path in enumerate(sorted(specs_directory().resolve().rglob("*.arch"))):
        documents = Documents([specs_directory()])
        text = path.read_text(encoding="utf-8")
        firsts = {}
        for mention in documents.names(path).mentions:
            word = mention.definition
            if not mention.is_definition and word.kind != "base":
                own = path if word.span else ""
                if own and not full and number % SHARE:
                    continue
                firsts.setdefault((word.kind, word.name, word.owner, word.span, own), mention)
        chosen = {word: mention for word, mention in firsts.items() if tried[word] < (OFTEN if full else 1)}
        tried.update(chosen.keys())
        for mention in chosen.values():
            documents.put(path.as_uri(), text[: mention.span.start] + text[mention.span.end :])
            found = completions(documents, path, mention.span.start, snippets=False)
            assert mention.definition.name in {item.label.rstrip("=") for item in found}, (path.name, mention)
    assert tried.total() > (1_000 if full else 450)
