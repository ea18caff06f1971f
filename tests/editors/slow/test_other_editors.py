"""The configurations of docs/editors.md, run by the editors themselves, without a window.

Each editor opens a spec with a mistake, waits for its diagnostic, applies the fix, and writes down what it has: the
mode and the options that the configuration sets, the diagnostic, the text. It is asked through its own client, so what
that declares and sends is the editor's. An editor that isn't here is skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cifar_dsl.language.syntax.words import KEYWORDS

PAGE = Path(__file__).parents[3] / "docs" / "editors.md"
SPEC = "arch mine\ninput 3x32x32\nmodel {\n    conv(8, 3) -> relu\n    flatten -> dens(10)\n}\n"
FIXED = SPEC.replace("dens(", "dense(")
PATIENCE_S = 100  # of an editor on a busy machine


def configuration(name: str) -> str:
    """The code block after `<!-- editor: NAME -->`."""
    return re.search(rf"<!-- editor: {name} -->\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


@pytest.fixture
def run(tmp_path: Path):
    """Runs an editor on the spec, with a home of its own and the program on its PATH; what it wrote to `found.json`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "cifar-dsl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cifar_dsl "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "specs"
    (folder / ".git").mkdir(parents=True)
    (folder / "mine.arch").write_text(SPEC, encoding="utf-8")
    places = {
        name: str(home / name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    }
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | places | {"HOME": str(home), "PATH": path, "FOUND": str(tmp_path / "found.json")}

    def started(*command: str) -> dict:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * PATIENCE_S,
        )
        found = tmp_path / "found.json"
        assert found.exists(), (done.stdout + done.stderr).decode(errors="replace")
        return json.loads(found.read_text(encoding="utf-8"))

    return started


def file_of(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


NEOVIM = """
local found = { filetype = vim.bo.filetype, width = vim.bo.shiftwidth, comment = vim.bo.commentstring }
vim.wait(PATIENCE, function() return #vim.diagnostic.get(0) > 0 end, 50)
local one = vim.diagnostic.get(0)[1]
found.code, found.line = one.code, one.lnum + 1
local client = vim.lsp.get_client_by_id(next(vim.lsp.buf_get_clients(0)))
found.root = client.config.root_dir
local function ask(method, more)
  local params = vim.tbl_extend('force', { textDocument = vim.lsp.util.make_text_document_params() }, more)
  return client.request_sync(method, params, PATIENCE, 0).result
end
-- As vim.lsp.buf.code_action() asks, with the cursor beside what is wrong.
local range = { start = { line = one.lnum, character = 0 }, ['end'] = { line = one.lnum, character = 0 } }
local start, stop = { line = one.lnum, character = one.col }, { line = one.end_lnum, character = one.end_col }
local problem = {
  range = { start = start, ['end'] = stop },
  message = one.message, code = one.code, source = one.source, severity = one.severity,
}
local action = ask('textDocument/codeAction', { range = range, context = { diagnostics = { problem } } })[1]
vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
found.text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n') .. '\\n'
local lens = ask('textDocument/codeLens', {})[1].command
vim.lsp.commands[lens.command](lens)
found.lens, found.is_terminal = lens.title, vim.bo.buftype == 'terminal'
local file = io.open(vim.env.FOUND, 'w')
file:write(vim.fn.json_encode(found))
file:close()
vim.cmd('qall!')
"""


def test_neovim(run, tmp_path: Path) -> None:
    if shutil.which("nvim") is None:
        pytest.skip("no Neovim on the PATH")
    init = file_of(tmp_path, "init.lua", configuration("neovim"))
    asks = file_of(tmp_path, "asks.lua", NEOVIM.replace("PATIENCE", str(1000 * PATIENCE_S)))
    found = run("nvim", "--headless", "-u", init, "-i", "NONE", "mine.arch", "-c", f"luafile {asks}", "-c", "cquit")
    assert found == {
        "filetype": "arch",
        "width": 4,
        "comment": "# %s",
        "code": "E0201",
        "line": 5,
        "root": str(tmp_path / "specs"),
        "text": FIXED,
        "lens": "Show",
        "is_terminal": True,
    }


EMACS = """
(require 'eglot)
(require 'json)
(setq eglot-sync-connect PATIENCE eglot-confirm-server-edits nil)
(find-file "mine.arch")
(run-hooks 'post-command-hook)
(defun until (condition)
  (let ((end (+ (float-time) PATIENCE)))
    (while (and (not (funcall condition)) (< (float-time) end)) (accept-process-output nil 0.05))))
(until #'eglot-current-server)
(flymake-mode 1)
(flymake-start)
(until #'flymake-diagnostics)
(font-lock-ensure)
(let* ((one (car (flymake-diagnostics)))
       (found (list :mode (symbol-name major-mode) :width tab-width :comment comment-start
                    :line (line-number-at-pos (flymake-diagnostic-beg one)) :message (flymake-diagnostic-text one)
                    :face (symbol-name (get-text-property (point-min) 'face)))))
  (goto-char (flymake-diagnostic-beg one))
  (eglot-code-actions (point) (point) "quickfix" t)
  (let ((text (buffer-substring-no-properties (point-min) (point-max))))
    (with-temp-file (getenv "FOUND") (insert (json-encode (append found (list :text text)))))))
"""


def test_emacs(run, tmp_path: Path) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("no Emacs on the PATH")
    packages = ["emacs", "--batch", "-f", "package-initialize"]
    if subprocess.run([*packages, "--eval", "(require 'eglot)"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no Emacs with eglot on the PATH")
    init = file_of(tmp_path, "init.el", configuration("emacs"))
    asks = file_of(tmp_path, "asks.el", EMACS.replace("PATIENCE", str(PATIENCE_S)))
    found = run(*packages, "-l", init, "-l", asks)
    assert "did you mean" in found.pop("message")
    assert found == {
        "mode": "arch-mode",
        "line": 5,
        "width": 4,
        "comment": "# ",
        "face": "font-lock-keyword-face",
        "text": FIXED,
    }


def test_emacs_knows_the_keywords() -> None:
    words = re.search(r"\(defvar arch-keywords\s+'\(([^)]*)\)", configuration("emacs"))[1]
    assert set(re.findall(r'"(\w+)"', words)) == KEYWORDS


VIM = """
function! s:Until(condition) abort
  let l:end = reltimefloat(reltime()) + PATIENCE
  while !a:condition() && reltimefloat(reltime()) < l:end
    sleep 50m
  endwhile
endfunction

function! s:Ask() abort
  let l:found = {'filetype': &filetype, 'width': &shiftwidth, 'comment': &commentstring, 'complete': &omnifunc}
  if HAS_PLUGIN
    call s:Until({-> lsp#get_buffer_diagnostics_counts()['error'] > 0})
    let l:uri = lsp#utils#get_buffer_uri()
    let l:given = values(lsp#internal#diagnostics#state#_get_all_diagnostics_grouped_by_server_for_uri(l:uri))
    let l:one = l:given[0]['params']['diagnostics'][0]
    let l:found.code = l:one['code']
    call cursor(l:one['range']['start']['line'] + 1, 1)
    call lsp#ui#vim#code_action#do({'sync': v:true, 'selection': v:false, 'query': 'quickfix', 'ui': 'none'})
    let l:found.text = join(getline(1, '$'), "\\n") . "\\n"
  endif
  call writefile([json_encode(l:found)], $FOUND)
  qall!
endfunction
autocmd VimEnter * nested call s:Ask()
"""


def plugin() -> Path | None:
    """The folder of vim-lsp, where CIFAR_DSL_TEST_VIM_LSP says or Vim looks for packages."""
    places = [os.environ.get("CIFAR_DSL_TEST_VIM_LSP", ""), *Path.home().glob(".vim/pack/*/*/vim-lsp")]
    return next((Path(place).resolve() for place in places if place and Path(place).is_dir()), None)


@pytest.mark.parametrize("is_whole", [False, True], ids=["without vim-lsp", "with vim-lsp"])
def test_vim(run, tmp_path: Path, is_whole: bool) -> None:
    if shutil.which("vim") is None:
        pytest.skip("no Vim on the PATH")
    packed = plugin()
    if is_whole and packed is None:
        pytest.skip("no vim-lsp in ~/.vim/pack")
    extended = f"set runtimepath^={packed}\n" if is_whole else ""
    vimrc = file_of(tmp_path, "vimrc", extended + configuration("vim"))
    asks = VIM.replace("PATIENCE", f"{PATIENCE_S}.0").replace("HAS_PLUGIN", str(int(is_whole)))
    found = run(
        "vim", "-N", "-es", "-u", vimrc, "-i", "NONE", "-n", "mine.arch", "-S", file_of(tmp_path, "asks.vim", asks)
    )
    expected = {"filetype": "arch", "width": 4, "comment": "# %s", "complete": "lsp#complete"}
    assert found == expected | ({"code": "E0201", "text": FIXED} if is_whole else {})


def test_kate_finds_the_server_by_the_mode() -> None:
    mode = ElementTree.fromstring(configuration("kate-mode"))
    assert mode.get("extensions") == "*.arch"
    (server,) = json.loads(configuration("kate"))["servers"].values()
    assert re.search(server["highlightingModeRegex"], mode.get("name"))
    assert server["command"] == ["cifar-dsl", "lsp"]
    attributes = {one.get("attribute") for one in mode.iter() if one.get("attribute")}
    assert attributes == {one.get("name") for one in mode.iter("itemData")}
