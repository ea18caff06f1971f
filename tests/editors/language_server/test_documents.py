"""Open documents, files on disk, and cached results."""

from pathlib import Path

import pytest
from helpers.specs import text_of

import cifar_dsl.editors.language_server.documents as module
from cifar_dsl.compiler import Analysis, Library, examine
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.language.syntax import nodes

RIGHT = text_of("flatten -> dense(10)")
WRONG = text_of("flatten -> dens(10)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture
def documents(folder: Path) -> Documents:
    return Documents([folder])


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def codes(documents: Documents, path: Path) -> list[str]:
    return [diagnostic.code for diagnostic in documents.inspection(path).diagnostics]


# ---- texts


def test_open_documents_take_precedence_over_files(documents: Documents, folder: Path) -> None:
    path = write(folder, "a.arch", RIGHT)
    assert codes(documents, path) == []
    documents.put(path.as_uri(), WRONG)
    assert codes(documents, path) == ["E0201"]
    documents.close(path.as_uri())
    assert codes(documents, path) == []


def test_a_change_of_the_text_invalidates_everything(documents: Documents, folder: Path) -> None:
    uri = (folder / "a.arch").as_uri()
    for name in ("one", "two"):
        path = documents.put(uri, text_of("flatten -> dense(10)", f"param {name} = 1"))
        tree = documents.tree(path)
        assert tree is not None
        assert [str(item.name) for item in tree.items if isinstance(item, nodes.Param)] == [name]
        assert name in [mention.definition.name for mention in documents.names(path).mentions]
        assert list(documents.definitions(path)) == [name]
        assert name not in documents.fixed_text(path)


def test_files_that_change_on_disk_are_read_again(documents: Documents, folder: Path) -> None:
    path = write(folder, "a.arch", RIGHT)
    assert codes(documents, path) == []
    path.write_text(WRONG)
    assert codes(documents, path) == ["E0201"]
    path.unlink()
    assert codes(documents, path) == ["E0105"]
    assert documents.source(path) is None
    assert documents.names(path).mentions == ()


def test_bases_that_change(documents: Documents, folder: Path) -> None:
    derived = write(folder, "derived.arch", 'arch derived extends "base.arch"\n')
    assert codes(documents, derived) == ["E0203"]
    base = write(folder, "base.arch", RIGHT)
    assert codes(documents, derived) == []
    documents.put(base.as_uri(), WRONG)
    assert codes(documents, derived) == ["E0201"]
    documents.close(base.as_uri())
    assert codes(documents, derived) == []


def test_line_endings_and_byte_order_marks(documents: Documents, folder: Path) -> None:
    path = documents.put((folder / "a.arch").as_uri(), "\ufeff" + RIGHT.replace("\n", "\r\n"))
    assert documents.open[path] == RIGHT
    assert documents.line_end(path) == "\r\n"
    assert documents.line_end(folder / "other.arch") == "\n"
    assert codes(documents, path) == []


def test_a_text_that_is_too_large(documents: Documents, folder: Path) -> None:
    path = documents.put((folder / "a.arch").as_uri(), RIGHT + "#" * 70_000)
    assert codes(documents, path) == ["E0104"]
    assert documents.tree(path) is None


# ---- texts with errors


def name_errors(documents: Documents, path: Path) -> list[str]:
    """The codes of errors in names, in a text that also has syntax errors."""
    found = codes(documents, path)
    assert {"E0101", "E0102"} & {*found}
    return [code for code in found if code.startswith("E02")]


@pytest.mark.parametrize(
    ("model", "items", "expected"),
    [
        ("conv(8, 1\ncnov(8, 1)", "", ["E0201"]),
        ("conv(8, widht)\nadd { relu", "param width = 8", ["E0202"]),
        ("conv(8, 1))\nbasic_block(8) -> flatten", "", []),
        ("relu cnov(8, 1)", "", []),  # one error for one line
        ("unit(8)\nconv(width, 1)", "block unit(c: int) { conv(c, }\nparam width 8", []),
        ("unit(8)", "blok ] unit(c: int) { conv(c, 1) }", []),  # the part that doesn't parse may define it
    ],
)
def test_parts_that_parse_are_checked(
    documents: Documents, folder: Path, model: str, items: str, expected: list[str]
) -> None:
    path = documents.put((folder / "a.arch").as_uri(), text_of(model, items))
    assert name_errors(documents, path) == expected


def test_a_base_that_does_not_parse_may_define_names(documents: Documents, folder: Path) -> None:
    text = 'arch a extends "base.arch"\nmodel {\n unit(8)\n conv(\n}\n'
    path = documents.put((folder / "a.arch").as_uri(), text)
    assert name_errors(documents, path) == []
    base = write(folder, "base.arch", "arch base\ninput 3x8x8\nblock ( unit { relu }\n")
    assert name_errors(documents, path) == []
    base.write_text("arch base\ninput 3x8x8\nblock other() { relu }\n")
    assert name_errors(documents, path) == ["E0201"]


# ---- caches


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are compiled, in order."""
    found: list[Path] = []

    def noting(path: Path, *rest: object, **more: object) -> Analysis | Library:
        found.append(path)
        return examine(path, *rest, **more)

    monkeypatch.setattr(module, "examine", noting)
    return found


def test_one_change_is_checked_once(documents: Documents, folder: Path, examined: list[Path]) -> None:
    path = documents.put((folder / "a.arch").as_uri(), RIGHT)
    other = documents.put((folder / "b.arch").as_uri(), RIGHT)
    for _ in range(2):
        documents.inspection(path)
        documents.analysis(path)
        documents.stages(path)
        documents.inspection(other)
    assert examined == [path, other]
    documents.put((folder / "a.arch").as_uri(), RIGHT + "# more\n")
    documents.inspection(path)
    documents.inspection(other)  # does not depend on it
    assert examined == [path, other, path]


def test_a_text_that_does_not_parse_is_checked_as_far_as_it_can_be_read(documents: Documents, folder: Path) -> None:
    path = documents.put((folder / "a.arch").as_uri(), "arch a\nparam width = hight\nmodel {")
    assert sorted(codes(documents, path)) == ["E0102", "E0202"]
    assert documents.analysis(path) is None


def test_the_last_valid_analysis_is_kept(documents: Documents, folder: Path) -> None:
    uri = (folder / "a.arch").as_uri()
    path = documents.put(uri, WRONG)
    assert documents.analysis(path) is None
    assert documents.stages(path) is None
    documents.put(uri, RIGHT)
    right = documents.analysis(path)
    assert right is not None
    documents.put(uri, WRONG)
    assert documents.analysis(path) is right
    assert documents.inspection(path).found is None
    documents.close(uri)
    assert documents.analysis(path) is None


# ---- paths and URIs


@pytest.mark.parametrize(
    "uri",
    [
        "untitled:Untitled-1",
        "git:/a/b.arch?%7B%22ref%22%3A%22HEAD%22%7D",
        "file:///a%00b",
        "http://[",
        "file://[bad/x",
        "file:///\ud800.arch",
        "\ud800",
        "vscode-notebook-cell:/x/y.ipynb#W0sZmlsZQ%3D%3D",
        "",
    ],
)
@pytest.mark.parametrize("has_folder", [True, False])
def test_documents_without_files(uri: str, has_folder: bool, folder: Path) -> None:
    documents = Documents([folder] if has_folder else [])
    path = documents.put(uri, RIGHT)
    assert not path.exists()
    assert path == path.resolve()
    assert documents.uri(path) == uri
    assert codes(documents, path) == []
    documents.folders.clear()
    assert documents.path(uri) == path
    documents.close(uri)
    assert not documents.open


def test_a_version_in_git_is_another_document(documents: Documents, folder: Path) -> None:
    path = documents.put((folder / "a.arch").as_uri(), RIGHT)
    other = documents.put(f"git:{folder}/a.arch?HEAD", WRONG)
    assert path != other
    assert codes(documents, path) == []


def test_uris_keep_the_spelling_of_the_editor(documents: Documents, folder: Path) -> None:
    uri = (folder / "a b.arch").as_uri().replace("%20", " ")
    assert documents.uri(documents.put(uri, RIGHT)) == uri


def test_names_in_messages(documents: Documents, folder: Path) -> None:
    assert documents.name(folder / "zoo" / "a.arch") == "zoo/a.arch"
    assert documents.name(module.shipped_specs()["baseline"]) == "baseline.arch"
    assert documents.name(Path("/elsewhere/a.arch")) == "a.arch"


def test_editable_files(documents: Documents, folder: Path) -> None:
    shipped = module.shipped_specs()["baseline"]
    outside = folder.parent / "outside.arch"
    assert documents.is_editable(folder / "a.arch")
    assert not documents.is_editable(outside)
    documents.put(outside.as_uri(), RIGHT)
    documents.put(shipped.as_uri(), RIGHT)
    assert documents.is_editable(outside)
    assert not documents.is_editable(shipped)
    documents.folders.append(shipped.parent)
    assert documents.is_editable(shipped)


def test_without_a_folder_the_files_beside_an_open_one_are_editable(tmp_path: Path) -> None:
    beside, other = write(tmp_path, "beside.arch", RIGHT), write(tmp_path, "below/other.arch", RIGHT)
    documents = module.Documents()
    assert not documents.is_editable(beside)
    opened = documents.put((tmp_path / "open.arch").as_uri(), RIGHT)
    documents.put("untitled:Untitled-1", RIGHT)
    assert documents.is_editable(beside)
    assert not documents.is_editable(other)
    assert {beside, opened} <= set(documents.workspace_specs())
    assert other not in documents.workspace_specs()
    documents.folders.append(tmp_path / "below")
    assert not documents.is_editable(beside)


# ---- roots


def test_nothing_outside_the_root_is_read(documents: Documents, folder: Path) -> None:
    secret = write(folder.parent, "secret.arch", text_of("flatten -> dense(10)", "param secret = 1"))
    inside = write(folder, "a.arch", 'arch a extends "../secret.arch"\n')
    assert codes(documents, inside) == ["E0204"]
    assert documents.bases(inside) == []
    link = folder / "link.arch"
    link.symlink_to(secret)
    assert secret not in documents.workspace_specs()
    linked = write(folder, "b.arch", 'arch b extends "link.arch"\n')
    assert codes(documents, linked) == ["E0204"]
    assert documents.bases(linked) == []


def test_the_workspace_folder_is_the_root(documents: Documents, folder: Path) -> None:
    write(folder, "base.arch", RIGHT)
    derived = write(folder, "inner/derived.arch", 'arch derived extends "../base.arch"\n')
    assert codes(documents, derived) == []
    assert codes(Documents(), derived) == ["E0204"]  # the root is the file's own folder
    assert codes(Documents([folder / "inner", folder]), derived) == ["E0204"]  # or the nearest one


@pytest.mark.parametrize(
    ("head", "base"),
    [
        ('arch a extends "b.arch"', "b.arch"),
        ('# arch x extends "c.arch"\n\n  # more\narch  a\textends\t"b.arch"  # why', "b.arch"),
        ("arch a extends baseline", None),
        ("arch a", None),
        ('arch a # extends "b.arch"', None),
        ("", None),
        ("library a", None),
        ('arch a extends "', None),
        ('arch a extends "b.arch', None),
        ('arch a extends "a.arch"', None),
        ('arch a extends "~/b.arch"', None),
    ],
)
def test_bases_of_texts_that_do_not_parse(documents: Documents, folder: Path, head: str, base: str | None) -> None:
    path = documents.put((folder / "a.arch").as_uri(), f"{head}\nmodel {{ ((")
    shipped = [module.shipped_specs()["baseline"]] if "baseline" in head else []
    assert documents.bases(path) == ([folder / base] if base else shipped)


def test_a_cycle_of_bases(documents: Documents, folder: Path) -> None:
    names = ("a", "b", "c")
    for name, base in zip(names, "bca", strict=True):
        documents.put((folder / f"{name}.arch").as_uri(), f'arch {name} extends "{base}.arch"\n')
    a, b, c = (folder / f"{name}.arch" for name in names)
    assert documents.bases(a) == [b, c]
    assert codes(documents, a) == ["E0205"]
    assert documents.dependents(a) == [b, c]


def test_dependents_are_open_files(documents: Documents, folder: Path) -> None:
    base = write(folder, "base.arch", RIGHT)
    derived = write(folder, "derived.arch", 'arch derived extends "base.arch"\n')
    assert documents.dependents(base) == []
    documents.put(derived.as_uri(), derived.read_text())
    assert documents.dependents(base) == [derived]


def test_the_specs_of_a_folder(documents: Documents, folder: Path) -> None:
    for name in ("b.arch", "a.arch", "inner/c.arch", ".hidden/d.arch", "node_modules/e.arch", "notes.txt"):
        write(folder, name, RIGHT)
    opened = documents.put((folder / "new.arch").as_uri(), RIGHT)
    assert documents.workspace_specs() == [opened, folder / "a.arch", folder / "b.arch", folder / "inner" / "c.arch"]
