"""`extends` reads nothing outside the root, and no message contains a byte from there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cifar_dsl.cli import main
from cifar_dsl.foundation.limits import DEFAULTS

SECRET = "s3cr3t"
# Parses up to its last line, so that reading it would cause many messages.
OUTSIDE = f"arch outside\ninput 3x8x8\nparam {SECRET} = 1\nmodel {{ {SECRET}_layer -> flatten }}\n{SECRET} {SECRET}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root, with files outside it: in its parent and in two sibling folders."""
    for folder in (tmp_path, tmp_path / "root2", tmp_path / "beside"):
        folder.mkdir(exist_ok=True)
        (folder / "outside.arch").write_text(OUTSIDE, encoding="utf-8")
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    return root


def output_of(own: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The output of all commands for a spec that they refuse."""
    output = ""
    for command in (
        ["check"],
        ["check", "--format", "json"],
        ["check", "--format", "sarif"],
        ["check", "--format", "github"],
        ["check", "--format", "concise"],
        ["show"],
        ["show", "--resolved"],
        ["diff", str(own)],
    ):
        assert main([*command, str(own), *arguments]) in {1, 2}, command
        captured = capsys.readouterr()
        output += captured.out + captured.err
    return output


def base(name: str) -> Callable[[Path], str]:
    return lambda root: name.replace("ROOT", str(root)).replace("PARENT", str(root.parent))


def link(target: str) -> Callable[[Path], str]:
    def make(root: Path) -> str:
        (root / "link.arch").symlink_to(target.replace("PARENT", str(root.parent)))
        return "link.arch"

    return make


def linked_folder(root: Path) -> str:
    (root / "folder").symlink_to("../beside")
    return "folder/outside.arch"


def link_to_link(root: Path) -> str:
    (root / "second").symlink_to("../outside.arch")
    (root / "link.arch").symlink_to("second")
    return "link.arch"


def link_and_back(root: Path) -> str:
    """Out of the root and into a folder whose name has the same prefix."""
    (root / "folder").symlink_to("../root2")
    return "folder/../root2/outside.arch"


def fifo(root: Path) -> str:
    os.mkfifo(root / "link.arch")
    return "link.arch"


def folder(root: Path) -> str:
    (root / "link.arch").mkdir()
    return "link.arch"


def loop(root: Path) -> str:
    (root / "link.arch").symlink_to("link.arch")
    return "link.arch"


def base_that_leaves(root: Path) -> str:
    """A base inside the root whose own base is outside."""
    (root / "base.arch").write_text('arch base extends "../outside.arch"\n', encoding="utf-8")
    return "base.arch"


def base_in_a_folder_that_leaves(root: Path) -> str:
    (root / "sub" / "base.arch").write_text('arch base extends "../../outside.arch"\n', encoding="utf-8")
    return "sub/base.arch"


def cycle(root: Path) -> str:
    (root / "base.arch").write_text('arch base extends "own.arch"\n', encoding="utf-8")
    return "base.arch"


def long_chain_that_leaves(root: Path) -> str:
    for i in range(DEFAULTS.extends_depth + 2):
        (root / f"b{i}.arch").write_text(f'arch b{i} extends "b{i + 1}.arch"\n', encoding="utf-8")
    (root / f"b{DEFAULTS.extends_depth + 2}.arch").symlink_to("../outside.arch")
    return "b0.arch"


OUT = {
    "parent": base("../outside.arch"),
    "parent of a folder": base("sub/../../outside.arch"),
    "parent of a missing folder": base("none/../../outside.arch"),
    "many parents": base("../" * 40 + "etc/passwd"),
    "parent and back": base("../root2/outside.arch"),
    "dots": base("./.././outside.arch"),
    "slashes": base("..//outside.arch"),
    "absolute": base("PARENT/outside.arch"),
    "absolute by two slashes": base("/PARENT/outside.arch"),
    "absolute into the root": base("ROOT/../outside.arch"),
    "home": base("~/outside.arch"),
    "home of another": base("~root/outside.arch"),
    "variable": base("$HOME/outside.arch"),
    "braces": base("${HOME}/outside.arch"),
    "file URL": base("file://PARENT/outside.arch"),
    "web URL": base("http://127.0.0.1:1/outside.arch"),
    "backslashes": base("..\\outside.arch"),
    "drive": base("C:\\outside.arch"),
    "escaped": base("%2e%2e/outside.arch"),
    "glob": base("../*.arch"),
    "long": base("a" * 300),
    "symbolic link": link("../outside.arch"),
    "absolute symbolic link": link("PARENT/outside.arch"),
    "symbolic link to a folder": linked_folder,
    "symbolic link to a link": link_to_link,
    "symbolic link to a sibling": link_and_back,
    "symbolic link to itself": loop,
    "symbolic link to nothing": link("../none.arch"),
    "device": link("/dev/zero"),
    "terminal": link("/dev/tty"),
    "process": link("/proc/self/environ"),
    "password file": link("/etc/passwd"),
    "FIFO": fifo,
    "folder": folder,
    "base that leaves": base_that_leaves,
    "base in a folder that leaves": base_in_a_folder_that_leaves,
    "cycle": cycle,
    "long chain that leaves": long_chain_that_leaves,
}


@pytest.mark.parametrize("way", OUT)
def test_no_base_leads_outside(
    way: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    name = OUT[way](root)
    own = root / "own.arch"
    own.write_text(f'arch own extends "{name}"\n', encoding="utf-8")
    opened: list[Path] = []
    monkeypatch.setattr(Path, "open", _watched(Path.open, opened))
    output = output_of(own, capsys)
    assert SECRET not in output
    assert "root:" not in output  # of /etc/passwd
    assert {path.resolve() for path in opened if path.suffix == ".arch"} <= set(root.resolve().rglob("*.arch"))


def _watched(open_: Callable[..., object], opened: list[Path]) -> Callable[..., object]:
    def watched(path: Path, *arguments: object, **more: object) -> object:
        opened.append(path)
        return open_(path, *arguments, **more)

    return watched


def test_there_are_thirty_ways() -> None:
    assert len(OUT) >= 30


def test_a_hard_link_is_a_file_of_the_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hard link has no path of its own outside: only someone with access to both places can create it."""
    (root / "link.arch").hardlink_to(root.parent / "outside.arch")
    (root / "own.arch").write_text('arch own extends "link.arch"\n', encoding="utf-8")
    assert main(["check", str(root / "own.arch")]) == 1
    assert "link.arch" in capsys.readouterr().out


def test_a_link_that_stays_inside_is_followed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "sub" / "base.arch").write_text(
        "arch base\ninput 3x8x8\nmodel { flatten -> dense(10) }\n", encoding="utf-8"
    )
    (root / "link.arch").symlink_to("sub/base.arch")
    (root / "own.arch").write_text('arch own extends "link.arch"\n', encoding="utf-8")
    assert main(["check", str(root / "own.arch")]) == 0


def test_names_of_files_outside_are_not_suggested(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root.parent / "payroll.arch").write_text(OUTSIDE, encoding="utf-8")
    (root / "folder").symlink_to("..")
    for name in ("../payrol.arch", "folder/payrol.arch", "sub/../../payrol.arch"):
        (root / "own.arch").write_text(f'arch own extends "{name}"\n', encoding="utf-8")
        assert main(["check", str(root / "own.arch")]) == 1
        assert "payroll" not in capsys.readouterr().out
