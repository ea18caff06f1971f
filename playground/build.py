"""Builds the playground into the package: `python playground/build.py`. Needs npm, and the network the first time.

Packages of npm come from package-lock.json, those of PyPI from requirements.txt, both with hashes. The page is static:
`cifar-dsl playground` serves it, and so can any server of files.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # of this checkout, installed or not

from cifar_dsl.editors.playground.bundle import READ_AS_TEXT, archive  # noqa: E402
from cifar_dsl.editors.playground.catalogue import catalogue  # noqa: E402
from cifar_dsl.editors.playground.server import POLICY  # noqa: E402
from cifar_dsl.foundation.resources import playground_directory  # noqa: E402

MODULES = HERE / "node_modules"
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
STATIC = ("style.css", "icon.svg")
# Beginnings of names in the standard library that the page never imports; without them it is a fifth smaller.
UNUSED = [
    *("__phello__", "_aix", "_android", "_apple", "_ios", "_osx", "_pyrepl/", "antigravity", "bdb", "cProfile", "cmd."),
    *("code.", "colorsys", "ctypes/", "curses/", "dbm/", "doctest", "ensurepip/", "ftplib", "idlelib/", "imaplib"),
    *("lib2to3/", "mailbox", "multiprocessing/", "nturl2path", "pdb", "pickletools", "plistlib", "poplib", "profile"),
    *("pstats", "pty", "pyclbr", "pydoc", "rlcompleter", "sched", "shelve", "smtplib", "socketserver", "sqlite3/"),
    *("symtable", "tabnanny", "this", "timeit", "tkinter/", "trace.", "tty", "turtle", "unittest/", "venv/", "wave"),
    *("webbrowser", "wsgiref/", "xml/dom", "xml/sax", "xmlrpc/", "zipapp"),
    *(f"encodings/{name}" for name in ("big5", "cp1", "cp7", "cp8", "cp9", "euc", "gb", "hp", "hz", "iso2022")),
    *(f"encodings/{name}" for name in ("iso8859_", "johab", "koi", "ks", "kz", "mac", "ptcp", "shift", "tis")),
]
MOST_BYTES = 8_000_000  # of all files, each compressed with gzip


def main() -> None:
    """Build the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=playground_directory(), help="folder to write")
    output = parser.parse_args().output
    fetch()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    bundle_scripts(output)
    (output / "pyodide").mkdir()
    for name in PYODIDE:
        shutil.copyfile(MODULES / "pyodide" / name, output / "pyodide" / name)
    for name in STATIC:
        shutil.copyfile(HERE / "src" / name, output / name)
    page = (HERE / "src" / "index.html").read_text(encoding="utf-8")
    (output / "index.html").write_text(page.replace("{{policy}}", POLICY), encoding="utf-8")
    (output / "data.json").write_text(json.dumps(catalogue(), separators=(",", ":")), encoding="utf-8")
    (output / "python.zip").write_bytes(archive(sorted((HERE / "wheels").glob("*.whl"))))
    compile_python(output)
    print_sizes(output)


def fetch() -> None:
    """Get the packages, with their hashes checked."""
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    shutil.rmtree(HERE / "wheels", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    run(*pip, *options, "--dest", "wheels", "--requirement", "requirements.txt")


def bundle_scripts(output: Path) -> None:
    """Bundle the page's scripts, with the licences of what they contain."""
    esbuild = MODULES / ".bin" / "esbuild"
    options = [
        "--bundle",
        "--minify",
        "--format=esm",
        "--target=es2022",
        "--legal-comments=none",
        "--log-level=warning",
    ]
    metafile = output / "meta.json"
    run(
        esbuild,
        *("src/main.js", "src/worker.js", *options),
        *("--external:./pyodide/pyodide.mjs", f"--outdir={output}", f"--metafile={metafile}"),
    )
    inputs = json.loads(metafile.read_text(encoding="utf-8"))["inputs"]
    metafile.unlink()
    (output / "licences.txt").write_text(licences([*inputs, "node_modules/pyodide/pyodide.mjs"]), encoding="utf-8")


def compile_python(output: Path) -> None:
    """Compile the archives' modules, by the Python that will run them."""
    jobs = [
        {
            "archive": str(output / "pyodide" / "python_stdlib.zip"),
            "place": "/lib/python314.zip",
            "dropped": UNUSED,
            "sources": ["-"],
            "own": ["-"],
        },
        {
            "archive": str(output / "python.zip"),
            "place": "/home/pyodide/site",
            "dropped": ["-"],
            "sources": [f"cifar_dsl/{READ_AS_TEXT}/"],
            "own": ["cifar_dsl/"],
        },
    ]
    run("node", "compile.mjs", given=json.dumps(jobs))


def licences(files: list[str]) -> str:
    """The licences of the packages of npm that files belong to; wheels contain theirs."""
    parts = [Path(file).parts for file in files if file.startswith("node_modules/")]
    folders = {Path(*names[: 3 if names[1].startswith("@") else 2]) for names in parts}
    texts = []
    for folder in sorted(HERE / one for one in folders):
        described = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        files_of_licence = sorted(path for path in folder.iterdir() if path.name.lower().startswith("licen"))
        texts.append(f"{described['name']} {described['version']}: {described['license']}\n\n")
        texts += [path.read_text(encoding="utf-8") + "\n" for path in files_of_licence]
    return f"{'-' * 80}\n".join(texts)


def print_sizes(output: Path) -> None:
    """Print what each file takes, and fail if all together take too much."""
    total = 0
    for path in sorted(path for path in output.rglob("*") if path.is_file()):
        content = path.read_bytes()
        packed = len(gzip.compress(content, 9))
        total += packed
        print(f"{len(content):>12,} {packed:>12,}  {path.relative_to(output)}")
    print(f"{'':12} {total:>12,}  compressed, of at most {MOST_BYTES:,}")
    if total > MOST_BYTES:
        sys.exit("the playground has become too large")


def run(*command: str | Path, given: str = "") -> None:
    """Run a program here, with a text as its input; end with its error if it fails."""
    try:
        subprocess.run(command, cwd=HERE, check=True, input=given, text=True)  # noqa: S603 - only our own
    except FileNotFoundError:
        sys.exit(f"the playground needs {command[0]}, which is not installed")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{command[0]} failed with {error.returncode}")


if __name__ == "__main__":
    main()
