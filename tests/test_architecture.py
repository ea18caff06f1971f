"""The layers of the package, checked against the imports of its modules."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import cifar_dsl

PACKAGE = Path(cifar_dsl.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

PAGE = PACKAGE.parent / "docs" / "architecture.md"


def rooms() -> list[str]:
    """The rooms in order, from the table on the architecture page."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition("## The rooms")
    table, _, _ = after.partition("\n## ")
    return re.findall(r"^\| `(\w+)(?:/|\.py)` \|", table, re.MULTILINE)


RANK = {room: rank for rank, room in enumerate(rooms())}
WITH_TORCH = {"training", "inference"}
IMPORTS_TORCH_LATE = {"experiments", "export", "importing", "api", "cli"}  # inside the function that needs it


def module_of(path: Path) -> str:
    return ".".join(("cifar_dsl", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def room_of(module: str) -> str:
    """`cifar_dsl.language.source` -> `language`; the package itself, which only re-exports names, is ``."""
    return [*module.split("."), ""][1]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """The imports of a file, and whether each runs when the file is imported."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, *, at_once: bool) -> None:
        match node:
            case ast.Import(names=names):
                found.extend((alias.name, at_once) for alias in names)
            case ast.ImportFrom(module=str(module), names=names):
                assert node.level == 0, f"{path}: relative import"
                inside = PACKAGE.parent.joinpath(*module.split("."))
                for alias in names:
                    is_module = inside.joinpath(alias.name).is_dir() or inside.joinpath(f"{alias.name}.py").is_file()
                    found.append((f"{module}.{alias.name}" if is_module else module, at_once))
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                at_once = False
        for child in ast.iter_child_nodes(node):
            visit(child, at_once=at_once)

    visit(tree_of(path), at_once=True)
    return found


def test_the_page_lists_every_room_once() -> None:
    assert sorted({room_of(module_of(path)) for path in FILES} - {"", "__main__"}) == sorted(rooms())


def test_a_room_imports_only_from_rooms_above_it() -> None:
    upward = [
        f"{module_of(path)} imports {module}"
        for path in FILES
        if (room := room_of(module_of(path))) not in {"", "__main__"}
        for module, _ in imports(path)
        if module.startswith("cifar_dsl.") and (other := room_of(module)) != room and RANK[other] >= RANK[room]
    ]
    assert upward == []


def test_only_syntax_imports_lark() -> None:
    users = {module_of(path) for path in FILES for name, _ in imports(path) if name.split(".")[0] == "lark"}
    assert {user.rpartition(".")[0] for user in users} == {"cifar_dsl.language.syntax"}


def test_classes_are_made_by_records() -> None:
    """Those of attrs take far longer to define, and would have `check` import attrs."""
    makers = {"define", "evolve", "field", "frozen", "mutable"}
    users = {
        module_of(path)
        for path in FILES
        for one in ast.walk(tree_of(path))
        if (isinstance(one, ast.ImportFrom) and one.module == "attrs" and makers & {each.name for each in one.names})
        or (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "attrs")
    }
    # The protocol's classes are of attrs.
    assert users == {"cifar_dsl.foundation.records", "cifar_dsl.editors.language_server.client"}


def test_only_the_language_server_imports_its_protocol() -> None:
    """pygls is an extra, so even the command imports it lazily."""
    protocol = {"pygls", "lsprotocol"}
    server = "cifar_dsl.editors.language_server"
    speakers = {module_of(path) for path in FILES for name, _ in imports(path) if name.split(".")[0] in protocol}
    assert all(speaker.startswith(server) for speaker in speakers)
    users = [
        (module_of(path), at_once)
        for path in FILES
        for name, at_once in imports(path)
        if name.startswith(server) and not module_of(path).startswith(server)
    ]
    assert users == [("cifar_dsl.cli.lsp", False), ("cifar_dsl.editors.playground.session", False)]


def test_torch_stays_below_the_language() -> None:
    for path in FILES:
        for name, at_once in imports(path):
            if name.split(".")[0] in {"torch", "torchvision", "safetensors"}:
                room = room_of(module_of(path))
                assert room in WITH_TORCH or (room in IMPORTS_TORCH_LATE and not at_once), f"{path} imports {name}"


def test_modules_do_not_import_their_builders() -> None:
    """Modules are leaves, except that all may use the functions of `modules`, such as how branches are aligned."""
    for path in (PACKAGE / "training" / "lowering").glob("*.py"):
        others = {name for name, _ in imports(path) if name.startswith("cifar_dsl.training.lowering.")}
        assert others <= {"cifar_dsl.training.lowering.modules"} or path.stem == "torch_module"


# Modules that are imported by name, when they are needed: a command, and a tracker with the package that it needs.
NAMED = {("cli/main.py", "cifar_dsl.cli."), ("experiments/trackers/base.py", "cifar_dsl.experiments.trackers.")}


def test_no_text_names_a_class_or_module_of_ours() -> None:
    found: set[tuple[str, str]] = set()
    for path in FILES:
        tree = tree_of(path)
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        named = (text for text in texts if isinstance(text, str) and re.match(r"cifar_dsl(\.\w+)*\.\w*\Z", text))
        found |= {(path.relative_to(PACKAGE).as_posix(), text) for text in named}
    assert found == NAMED


def test_nothing_is_decided_by_the_module_of_a_class() -> None:
    reading = [path for path in FILES if "__module__" in path.read_text(encoding="utf-8")]
    assert [module_of(path) for path in reading] == ["cifar_dsl.editors.language_server.server"]  # a library's logger


# Modules that read files whole: only those of this package, of this process or of the system. A file that a stranger
# may have written, such as one in a folder of runs, is read by `foundation.reading`, as a regular file of bounded size.
READS_OWN_FILES = {
    "analysis.machine",
    "compiler.library",
    "editors.language_server.cross_file",
    "editors.playground.bundle",
    "editors.playground.catalogue",
    "experiments.comparison.figure",
    "experiments.comparison.report",
    "experiments.jobs.remote",
    "export.hub",
    "export.source.torch_modules",
    "export.torch_signatures",
    "foundation.installation",
    "language.diagnostics.codes",
    "language.syntax.tables",
    "runs.transfer",
    "training.device",
    "training.energy",
    "training.profiling",
    "views.pictures.pdf",
}


def test_files_of_strangers_are_read_with_bounds() -> None:
    methods = {"read_text", "read_bytes"}
    calls = ((path, node.func) for path in FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    readers = {module_of(path) for path, call in calls if isinstance(call, ast.Attribute) and call.attr in methods}
    assert {reader.removeprefix("cifar_dsl.") for reader in readers} == READS_OWN_FILES


RUNS_PRINTED_FILES = "cifar_dsl.export.verification"  # only those that define a network: tests/export has hostile ones


def test_nothing_in_a_spec_can_become_code() -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "joblib"}
    found: list[str] = []
    for path in FILES:
        runs_files = module_of(path) == RUNS_PRINTED_FILES
        refused = {"eval", "__import__"} if runs_files else {"eval", "exec", "compile", "__import__"}
        calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        called = {call.id for call in calls if isinstance(call, ast.Name)} & refused
        imported = {name.split(".")[0] for name, _ in imports(path)} & forbidden
        found += [f"{module_of(path)} uses {name}" for name in sorted(called | imported)]
    assert found == []


def loaded_after(code: str) -> set[str]:
    """The packages loaded after `code` has run in a new interpreter."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    return set(result.stdout.splitlines()[-1].split())


SPEC = str(PACKAGE.parent / "specs" / "residual.arch")
ASK_EVERYTHING = f"""
from pathlib import Path
from lsprotocol.types import Position, Range
from cifar_dsl.editors.language_server import code_actions, completion, diagnostics, hover, inlay_hints, server
documents, path, everywhere = server.make_server().documents, Path({SPEC!r}), Range(Position(0, 0), Position(99, 0))
documents.put(path.as_uri(), path.read_text(encoding="utf-8"))
assert inlay_hints.inlay_hints(documents, path, everywhere)
assert completion.completions(documents, path, len(documents.open[path]), snippets=True)
assert hover.hover(documents, path, documents.open[path].index("maxpool"))
assert diagnostics.diagnostics(documents, path) == code_actions.code_actions(documents, path, everywhere, None) == []
"""
RUN = "from cifar_dsl.cli import main; assert main({!r}) in (0, 1)"


@pytest.mark.parametrize(
    "code",
    [
        "import cifar_dsl.compiler",
        "import cifar_dsl; cifar_dsl.load",
        ASK_EVERYTHING,
        RUN.format(["check", SPEC]),
        RUN.format(["check", "--format", "sarif", SPEC]),
        RUN.format(["show", SPEC]),
        RUN.format(["show", "--resolved", SPEC]),
        RUN.format(["show", "--margin", SPEC]),
        RUN.format(["show", "--mermaid", SPEC]),
        RUN.format(["fmt", "--check", SPEC]),
        RUN.format(["diff", "baseline", SPEC]),
        RUN.format(["explain", "E0302"]),
        RUN.format(["reference", "conv"]),
        RUN.format(["completion", "bash"]),
        RUN.format(["sweep", SPEC, "--set", "train.batch=64", "--dry-run"]),
    ],
)
def test_torch_and_scipy_are_not_imported_by(code: str) -> None:
    assert not {"torch", "torchvision", "scipy", "jinja2"} & loaded_after(code)


def test_completing_imports_no_torch() -> None:
    code = (
        "import os; os.environ |= {'_CIFAR_DSL_COMPLETE': 'bash_complete', 'COMP_WORDS': 'cifar-dsl diff resnet', "
        "'COMP_CWORD': '2'}\n"
        "from cifar_dsl.cli import main; main([])"
    )
    assert not {"torch", "torchvision"} & loaded_after(code)
