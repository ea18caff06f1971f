"""TikZ as LaTeX sets it, where there is a LaTeX with TikZ."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.pictures_of import HOSTILE, picture_of

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.views.pictures import as_tikz, draw

LETTERS = [*HOSTILE, "a_b^c~d$e", "%}{\\input{x}", "\u65e5\u672c", "\xe4\xdf\u2014\u2026", "a\u0301"]
PREAMBLE = r"""\documentclass{article}
\usepackage{tikz}\usepackage{textcomp}\usepackage[T1]{fontenc}
\begin{document}
"""
PAGE = r"""\setbox0=\hbox{\input{NAME}\unskip}\typeout{size \the\wd0 x \the\dimexpr\ht0+\dp0}
\pdfpagewidth=\wd0 \pdfpageheight=\dimexpr\ht0+\dp0 \hoffset=-1in \voffset=-1in \shipout\box0
"""


@pytest.fixture(scope="module")
def pdflatex() -> str:
    found = shutil.which("pdflatex")
    if found is None or subprocess.run(["kpsewhich", "tikz.sty"], capture_output=True, check=False).returncode:
        pytest.skip("no LaTeX with TikZ on the PATH")
    return found


def test_latex_sets_every_picture_at_its_size(pdflatex: str, tmp_path: Path) -> None:
    """A plain network, one with skips, one of folded blocks, and texts with letters that LaTeX treats specially."""
    paths = [specs_directory() / name for name in ("baseline.arch", "residual.arch", "zoo/densenet121.arch")]
    pictures = [*(draw(analyze(path).graph, path.stem) for path in paths), *map(picture_of, LETTERS)]
    texts = list(map(as_tikz, pictures))
    for i, text in enumerate(texts):
        (tmp_path / f"p{i}.tex").write_text(text, encoding="utf-8")
    pages = "".join(PAGE.replace("NAME", f"p{i}") for i in range(len(texts)))
    (tmp_path / "all.tex").write_text(PREAMBLE + pages + r"\end{document}", encoding="utf-8")
    command = [pdflatex, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
    set_at = [[float(one) for one in size] for size in re.findall(r"size ([\d.]+)pt *x *([\d.]+)pt", log)]
    drawn = [re.findall(r"^\\fill.* rectangle \(([\d.]+),([\d.]+)\);$", text, re.MULTILINE)[0] for text in texts]
    assert len(set_at) == len(drawn)
    for size, (width, height) in zip(set_at, drawn, strict=True):
        # Half a unit in the last of the two digits that the file has; TeX computes in 65,536ths of a point.
        assert size == [pytest.approx(float(width), abs=0.01), pytest.approx(float(height), abs=0.01)]
