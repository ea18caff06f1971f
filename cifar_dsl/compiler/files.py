"""Reads specs from disk: only regular files of limited size, never outside the root."""

import codecs
from collections.abc import Mapping
from pathlib import Path

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.reading import IrregularFileError, OversizedFileError, read_regular
from cifar_dsl.foundation.records import define, field
from cifar_dsl.foundation.resources import shipped_specs, specs_directory
from cifar_dsl.foundation.text import natural_order
from cifar_dsl.language.diagnostics import Diagnostic, Label, SpecError, nearest, replacement
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes


def encoded(text: str, path: Path) -> bytes:
    """A new text of the file at `path`, with the line ends and the byte order mark that it has. Raises OSError."""
    before = read_regular(path, limits.current().file_bytes)
    if 2 * before.count(b"\r\n") > before.count(b"\n"):
        text = text.replace("\n", "\r\n")
    return (codecs.BOM_UTF8 if before.startswith(codecs.BOM_UTF8) else b"") + text.encode()


@define
class SpecReader:
    """Reads a spec and the specs that it extends, and limits their total size.

    `texts` overrides the contents of files, by resolved path: the unsaved buffers of an editor.
    """

    root: Path
    texts: Mapping[Path, str] = field(factory=dict)
    _bytes_read: int = field(default=0, init=False)

    def read(self, path: Path, mention: nodes.Base | None = None) -> Source:
        """The text at `path`. `mention` is the `extends` that names it. Raises SpecError."""
        label = Label(mention.span) if mention else None
        if self.texts and (text := self.texts.get(path.resolve())) is not None:
            return self.source_of(path, text.encode(), label)
        try:
            content = read_regular(path, limits.current().file_bytes)
        except IrregularFileError as error:
            raise _unreadable(f"{path} is {error.strerror}", label) from None
        except OversizedFileError:
            raise _too_large(f"{path} is", "file_bytes", label) from None
        except FileNotFoundError:
            raise _missing(path, label) from None
        except OSError as error:
            raise _unreadable(f"{path}: {error.strerror}", label) from None
        return self.source_of(path, content, label)

    def source_of(self, path: Path, content: bytes, label: Label | None = None) -> Source:
        """The source of a file with this content; `label` is where the file is named. Raises SpecError."""
        self._bytes_read += len(content)
        if len(content) > limits.current().file_bytes:
            raise _too_large(f"{path} is", "file_bytes", label)
        if self._bytes_read > limits.current().included_bytes:
            raise _too_large(f"{path} and the specs read before it are together", "included_bytes", label)
        try:
            return Source(str(path), content.decode("utf-8-sig").replace("\r\n", "\n"))
        except UnicodeDecodeError as error:
            raise _unreadable(f"{path} is not UTF-8 text (at byte {error.start})", label) from None

    def base_path(self, base: nodes.Base, beside: Path) -> Path:
        """The path of the base of the spec at `beside`. Raises SpecError if it is outside the root."""
        if not base.is_file:
            return self._shipped(base)
        if Path(base.name).is_absolute() or base.name.startswith("~") or "\\" in base.name or "\0" in base.name:
            raise _outside(base, self.root)
        path = beside.parent / base.name
        try:
            inside = path.resolve().is_relative_to(self.root.resolve()) or _is_shipped(path, beside)
        except (OSError, RuntimeError):  # a loop of symbolic links
            inside = False
        if not inside:
            raise _outside(base, self.root)
        return path

    def _shipped(self, base: nodes.Base) -> Path:
        shipped = shipped_specs()
        if base.name not in shipped:
            near = nearest(base.name, shipped)
            raise SpecError(
                [
                    Diagnostic(
                        "E0203",
                        f"no shipped spec is named `{base.name}`",
                        Label(base.span),
                        help=(
                            f"did you mean `{near}`?" if near else f"shipped specs: {', '.join(shipped)}",
                            f'to extend a file, quote its name: "{base.name}.arch"',
                        ),
                        fixes=replacement(base.span, near),
                    )
                ]
            )
        return shipped[base.name]


def _is_shipped(path: Path, beside: Path) -> bool:
    """Whether one shipped spec extends another; both are outside a user's root."""
    shipped = specs_directory().resolve()
    return beside.resolve().is_relative_to(shipped) and path.resolve().is_relative_to(shipped)


def _too_large(what: str, limit: str, label: Label | None) -> SpecError:
    message = f"{what} larger than {getattr(limits.current(), limit) // 1024} KiB"
    return SpecError([Diagnostic("E0104", message, label, help=(limits.remedy(limit),))])


def _missing(path: Path, label: Label | None) -> SpecError:
    stems = [file.stem for file in path.parent.glob("*.arch")] if path.parent.is_dir() else []
    near = path.stem if path.stem in stems and path.suffix != ".arch" else nearest(path.stem, stems)
    names = [f"{stem}.arch" for stem in stems]
    help_text = [f"did you mean `{near}.arch`?" if near else f"specs in {path.parent}: {_listed(names)}"]
    shipped = shipped_specs()
    meant = path.stem if path.stem in shipped else nearest(path.stem, shipped)
    if label and not near and meant:
        help_text.insert(0, f"did you mean the shipped spec `{meant}`? Omit the quotes: `extends {meant}`")
    elif not label and not near and meant and path.parent == Path():
        help_text.insert(0, f"did you mean the shipped spec `{meant}`?")
    code = "E0203" if label else "E0105"
    return SpecError([Diagnostic(code, f"file not found: {path}", label, help=tuple(help_text))])


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names, key=natural_order)[:8]) + (", ..." if len(names) > 8 else "") if names else "none"


def _unreadable(message: str, label: Label | None) -> SpecError:
    return SpecError([Diagnostic("E0105", message, label)])


def _outside(base: nodes.Base, root: Path) -> SpecError:
    return SpecError(
        [
            Diagnostic(
                "E0204",
                f"`{base.name}` is outside the root folder `{root}`",
                Label(base.span),
                help=(
                    "use a relative path inside that folder, or pass a wider one with `--root` (in an editor, open it)",
                    "to extend a shipped spec, omit the quotes: `extends baseline`",
                ),
            )
        ]
    )
