"""The edits of a rename, and the reasons to refuse one."""

from pathlib import Path

import pytest
from helpers.editor import editor, put_in
from helpers.specs import text_of

from cifar_dsl.compiler import Analysis
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.editors.language_server.renaming import prepare_rename, rename
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs, specs_directory

SPECS = specs_directory().resolve()
NAMES = ("baseline", "batchnorm_before", "residual", "airbench94", "preact_resnet18", "senet18", "shufflenet_v2")
ITEMS = "param wide = 8\nblock unit(c: int, k: int = 1) { let y = conv(c, k)\ny -> relu }"
TEXT = text_of("unit(wide, k=3) -> flatten -> dense(10)", ITEMS)


def renamed(text: str, new: str, **others: str) -> dict[str, str]:
    """The new texts of the changed files, by name."""
    here = editor(text, **others)
    changes = rename(*here, new).changes or {}
    texts = {here.documents.path(uri).stem: (here.documents.path(uri), edits) for uri, edits in changes.items()}
    return {name: put_in(here.documents.open[path], list(edits)) for name, (path, edits) in texts.items()}


def refusal(text: str, new: str = "other", **others: str) -> str:
    with pytest.raises(UserError) as caught:
        renamed(text, new, **others)
    return caught.value.message


# ---- what changes


@pytest.mark.parametrize(
    ("old", "place", "count"),
    [
        ("wide", "param §wide", 2),
        ("unit", "block §unit", 2),
        ("c", "unit(§c", 2),
        ("k", "conv(c, §k", 3),
        ("y", "let §y", 2),
    ],
)
def test_all_mentions_in_a_file(old: str, place: str, count: int) -> None:
    marked = TEXT.replace(place.replace("§", ""), place)
    (text,) = renamed(marked, "renamed").values()
    assert text.count("renamed") == count
    assert text.replace("renamed", old) == TEXT


def test_mentions_across_files() -> None:
    derived = 'arch derived extends "test.arch"\nparam wide = 4\nblock unit(c: int, k: int) { conv(wide, k) }\n'
    found = renamed(TEXT.replace("param wide", "param §wide"), "breadth", derived=derived)
    assert found == {"test": TEXT.replace("wide", "breadth"), "derived": derived.replace("wide", "breadth")}
    found = renamed(TEXT.replace("k: int", "§k: int"), "kernel", derived=derived)
    assert found["derived"] == derived.replace("k: int", "kernel: int").replace("wide, k)", "wide, kernel)")
    # From the file that extends.
    asked = derived.replace("test.arch", "base.arch").replace("param wide", "param wi§de")
    assert set(renamed(asked, "breadth", base=TEXT)) == {"test", "base"}


def test_files_with_their_own_definition_keep_it() -> None:
    other = text_of("conv(wide, 1)", "param wide = 1")
    assert set(renamed(TEXT.replace("param wide", "param §wide"), "breadth", other=other)) == {"test"}


def test_the_same_name_changes_nothing() -> None:
    assert renamed(TEXT.replace("param wide", "param §wide"), "wide") == {}


def test_the_name_to_rename_is_shown() -> None:
    found = prepare_rename(*editor(TEXT.replace("wide, k", "wi§de, k")))
    assert found.placeholder == "wide"
    assert (found.range.start.line, found.range.start.character) == (6, 5)
    assert found.range.end.character == 9


@pytest.mark.parametrize("name", NAMES)
def test_a_new_name_changes_no_meaning(name: str) -> None:
    """Rename every name of a spec in turn; the meaning stays, except that weights take the names of stages."""
    documents, path = Documents([SPECS]), shipped_specs()[name]
    before = documents.analysis(path)
    assert isinstance(before, Analysis)
    text = path.read_text(encoding="utf-8")
    for mention in [one for one in documents.names(path).mentions if one.is_definition]:
        documents.put(path.as_uri(), text)
        changes = rename(documents, path, mention.span.start, "renamed").changes or {}
        for uri, edits in changes.items():
            source = documents.source(documents.path(uri))
            assert source is not None
            documents.put(uri, put_in(source.text, list(edits)))
        found = documents.inspection(path).found
        assert isinstance(found, Analysis), mention
        names_stages = any("renamed" in node.path for node in found.graph.nodes)
        assert names_stages or found.fingerprint == before.fingerprint
        assert [node.operation for node in found.graph.nodes] == [node.operation for node in before.graph.nodes]
        for uri in changes:
            documents.close(uri)


# ---- what is refused


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("con§v(8, 1)", "a layer"),
        ("ad§d { relu | bn }", "a join"),
        ("conv(m§ax(1, 2), 1)", "a function"),
        ("conv(8, 1, init=norm§al(std=1))", "an initialiser"),
        ("conv(8, 1, §pad=same)", "an argument"),
        ("conv(8, 1, pad=sa§me)", "not defined in any spec"),
        ("conv(in_chan§nels, 1)", "not defined in any spec"),
        ("basic_bl§ock(8)", "belongs to the library"),
        ("basic_block(8, str§ide=2)", "belongs to the library"),
        ("conv(8, 1)\n §", "no name"),
        ("conv(64§, 1)", "no name"),
    ],
)
def test_names_that_the_text_does_not_define(model: str, reason: str) -> None:
    assert reason in refusal(text_of(model))


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("opt§imizer adam(lr=1)", "a setting"),
        ("optimizer ad§am(lr=1)", "a choice"),
        ("optimizer adam(l§r=1)", "an argument"),
    ],
)
def test_words_of_recipes(recipe: str, reason: str) -> None:
    assert reason in refusal(text_of("flatten -> dense(10)") + f"train {{ {recipe} }}\n")


def test_the_extended_spec() -> None:
    assert "rename its file" in refusal('arch a extends "ba§se.arch"\n', base=TEXT)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("", "starts with no digit"),
        ("2c", "starts with no digit"),
        ("a b", "letters, digits"),
        ("é", "letters, digits"),
        ("a" * 65, "at most 64"),
        ("block", "a keyword"),
        ("true", "a keyword"),
        ("conv", "already used at test.arch:4"),
        ("relu", "already used at test.arch:5"),
        ("params", "built into the language"),
        ("circular", "already used at test.arch:9"),
        ("basic_block", "a block of the library"),
        ("wide", "already used at test.arch:3"),
        ("y", "already used at test.arch:4"),
    ],
)
def test_names_that_a_block_can_not_have(new: str, reason: str) -> None:
    more = "block more(norm: none | before = none) { conv(8, 1, pad_mode=circular) }\n"
    text = TEXT.replace("block unit", "block u§nit") + more
    assert reason in refusal(text, new)


@pytest.mark.parametrize(
    ("place", "new", "is_free"),
    [
        ("unit(§c", "state_dict", True),  # no stage
        ("unit(§c", "wide", True),  # not mentioned in the block
        ("unit(§c", "same", True),
        ("unit(§c", "height", True),
        ("unit(§c", "gelu", True),
        ("block §unit", "gelu", True),
        ("block §unit", "max", True),
        ("block §unit", "in_channels", True),
        ("block §unit", "before", True),
        ("block §unit", "state_dict", True),
        ("block §unit", "_unit", True),
        ("block §unit", "relu", False),
        ("param §wide", "kernel", True),
        ("unit(§c", "k", False),
        ("unit(§c", "y", False),
        ("let §y", "c", False),
        ("let §y", "wide", True),
        ("param §wide", "c", False),  # would be hidden in a block, were it mentioned there
    ],
)
def test_names_are_free_outside_their_scopes(place: str, new: str, is_free: bool) -> None:
    marked = TEXT.replace(place.replace("§", ""), place)
    if is_free:
        assert renamed(marked, new)
    else:
        assert "already" in refusal(marked, new)


def test_definitions_that_hide_names_of_the_language() -> None:
    text = text_of("conv(weight, 1, frozen=weight) -> relu\ndropout(dropout)", "param wei§ght = 3\nparam dropout = 0.5")
    found = renamed(text, "wide")["test"]
    assert "param wide = 3" in found
    assert "conv(wide, 1, frozen=weight)" in found
    assert "dropout(p)" in renamed(text.replace("wei§ght", "weight").replace("param d", "param §d"), "p")["test"]
    base = text_of("conv(8, 1) -> relu -> flatten")
    derived = 'arch test extends "base.arch"\nblock re§lu() { tanh }\n'
    assert "base.arch:5 mentions the layer `relu`, which this definition replaces" in refusal(derived, base=base)


def test_names_that_other_files_define() -> None:
    derived = (
        'arch derived extends "test.arch"\nparam breadth = 2\nmodel { conv(breadth, 1) -> flatten -> dense(10) }\n'
    )
    assert "already used at derived.arch:2" in refusal(TEXT.replace("param w", "param §w"), "breadth", derived=derived)
    asked = 'arch test extends "base.arch"\nparam wi§de = 3\n'
    assert "already used at base.arch" in refusal(asked, "unit", base=TEXT)


def test_texts_with_errors() -> None:
    assert "has syntax errors" in refusal(TEXT.replace("param w", "param §w") + "model {")
    derived = 'arch derived extends "test.arch"\nparam wide = {\n'
    assert "derived.arch may mention it" in refusal(TEXT.replace("param w", "param §w"), derived=derived)


def test_blocks_passed_as_arguments() -> None:
    items = ITEMS + "\nblock twice(f: block) { f(c=1) -> f(c=2) }"
    text = text_of("twice(unit) -> flatten -> dense(10)", items)
    assert "passes `c` to a block parameter" in refusal(text.replace("unit(c", "unit(§c"), "channels")
    assert renamed(text.replace("k: int", "§k: int"), "kernel")


def test_files_that_ship_with_the_package() -> None:
    documents = Documents()
    path = shipped_specs()["baseline"]
    text = path.read_text(encoding="utf-8")
    documents.put(path.as_uri(), text)
    for word in ("head", "unit", "width"):
        with pytest.raises(UserError, match="ships with cifar_dsl"):
            rename(documents, path, text.index(f" {word} ") + 1 if word == "head" else text.index(word), "renamed")


def test_names_of_shipped_specs(tmp_path: Path) -> None:
    here = editor("arch test extends baseline\nparam he§ad = [1]\n")
    with pytest.raises(UserError, match=r"baseline.arch mentions it and ships with cifar_dsl"):
        rename(*here, "renamed")


def test_files_outside_the_workspace(tmp_path: Path) -> None:
    base = tmp_path / "base.arch"
    base.write_text(TEXT)
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    documents = Documents(folders=[workspace])
    path = documents.put((tmp_path / "test.arch").as_uri(), 'arch test extends "base.arch"\nparam wide = 1\n')
    offset = documents.open[path].index("wide")
    with pytest.raises(UserError, match="is outside the workspace"):
        rename(documents, path, offset, "renamed")
    documents.put(base.as_uri(), TEXT)
    assert rename(documents, path, offset, "renamed").changes


def test_without_a_folder_the_files_beside_an_open_one_are_renamed(tmp_path: Path) -> None:
    (tmp_path / "base.arch").write_text(TEXT)
    below = tmp_path / "below"
    below.mkdir()
    (below / "far.arch").write_text('arch far extends "../base.arch"\nparam wide = 2\n')
    documents = Documents()
    path = documents.put((tmp_path / "test.arch").as_uri(), 'arch test extends "base.arch"\nparam wide = 1\n')
    found = rename(documents, path, documents.open[path].index("wide"), "renamed").changes
    assert sorted(found) == sorted([path.as_uri(), (tmp_path / "base.arch").as_uri()])
