"""Specs that attempt what no spec may do: run code, read files, use the network, exhaust memory."""

import os
import pickle
from pathlib import Path

_HEAD = "arch hostile\ninput 3x32x32\n"
_MODEL = "model { flatten -> dense(10) }\n"
_TRAIN = "train {\n data cifar10\n epochs 1\n batch 8\n optimizer adam(1e-3)\n"


def _stage(stage: str) -> str:
    return f"{_HEAD}model {{ {stage} -> flatten -> dense(10) }}\n"


def _param(value: str) -> str:
    return f"{_HEAD}param p = {value}\nmodel {{ flatten -> dense(p) }}\n"


def _setting(setting: str) -> str:
    return f"{_HEAD}{_MODEL}{_TRAIN} {setting}\n}}\n"


def _extends(base: str) -> str:
    return f"arch hostile extends {base}\n"


class _Touches:
    """Creates a file `canary` when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch canary",)


TEXTS = {
    # code in values, names, stages and settings
    "import": _param('__import__("os").system("touch canary")'),
    "eval": _param("eval(\"open('canary', 'w')\")"),
    "exec_stage": _stage("exec(\"open('canary', 'w')\")"),
    "open": _param('open("canary", "w")'),
    "dunder": _param("p.__class__.__mro__[1].__subclasses__()"),
    "dunder_names": _param("__builtins__"),
    "dunder_call": _stage("__import__(os)"),
    "lambda": _param("(lambda: 1)()"),
    "attribute": _stage("torch.load"),
    "attribute_call": _stage('torch.hub.load("a/b", "c")'),
    "module_name": _stage("os"),
    "python_hook": _stage("python(\"import os; os.mkdir('canary')\")"),
    "named_forward": _HEAD + "model { flatten as forward -> dense(10) as __init__ }\n",
    "named_state_dict": _HEAD + "model { flatten as state_dict -> dense(10) as load_state_dict }\n",
    "block_as_builtin": _HEAD + "block eval(x) { dense(10) }\nblock exec() { flatten }\nmodel { exec -> eval(1) }\n",
    "format_fields": _stage('"{0.__class__.__init__.__globals__}"'),
    "percent_format": _stage('"%(x)s %n %s"'),
    "shell": _stage('"$(touch canary) `touch canary` ; touch canary | touch canary"'),
    "template": _stage('"{{ 7 * 7 }} ${7 * 7} <%= 7 * 7 %>"'),
    "lark_import": "%import common.WORD\n%declare X\n" + _HEAD + _MODEL,
    "coding_cookie": "# -*- coding: utf-7 -*-\n# +AGkAbQBwAG8AcgB0- os\n" + _HEAD + _MODEL,
    "python_source": "import os\nos.system('touch canary')\n",
    "shebang": "#!/bin/sh\n" + _HEAD + _MODEL,
    "yaml_tag": '!!python/object/apply:os.system ["touch canary"]\n',
    "json": '{"arch": {"$ref": "file:///etc/passwd"}}\n',
    "xml_entity": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>\n',
    # files and addresses
    "absolute": _extends('"/etc/passwd"'),
    "parent": _extends('"../../../../../../etc/passwd"'),
    "home": _extends('"~/.ssh/id_rsa"'),
    "variable": _extends('"$HOME/.bashrc"'),
    "file_url": _extends('"file:///etc/passwd"'),
    "http_url": _extends('"http://127.0.0.1:1/base.arch"'),
    "unc": _extends('"\\\\\\\\server\\\\share\\\\base.arch"'),
    "pipe": _extends('"|touch canary"'),
    "proc": _extends('"/proc/self/environ"'),
    "shipped_path": _extends("os"),
    "library_outside": _extends('"../../cifar_dsl/compiler/../../../../etc/passwd"'),
    "npz_path": _setting('data npz("/etc/passwd")'),
    "npz_url": _setting('data npz("http://127.0.0.1:1/x.npz")'),
    "checkpoint": _setting('init "weights.pt"'),
    "optimizer_path": _setting("optimizer torch.optim.Adam(lr=1)"),
    "pattern": _setting('group g {\n select "(a+)+$"\n }'),
    "regex_bomb": _setting('group g {\n select "' + "*a" * 400 + '"\n }'),
    # names that reach a picture or a terminal
    "dot_injection": _HEAD + 'model { flatten as x -> dense(10) }\n# "]; node [URL="http://127.0.0.1"];\n',
    "escape": _HEAD + _MODEL + "# \x1b]8;;http://127.0.0.1\x07link\n",
    # sizes
    "repeat": _stage("repeat 1000000000 { relu }"),
    "repeats": _stage("repeat 1000 { repeat 1000 { repeat 1000 { repeat 1000 { } } } }"),
    "power": _param("1" + "0" * 400),
    "list_bomb": _HEAD + "".join(f"param p{i + 1} = [p{i}, p{i}, p{i}, p{i}]\n" for i in range(40)) + _MODEL,
    "range": _stage("for i in 0..999999999999 { relu }"),
    "wide": _stage("conv(1000000000, 1)"),
}
CONTENTS = {
    "pickle": pickle.dumps(_Touches()),
    "zip": b"PK\x03\x04" + b"\0" * 40,
    "elf": b"\x7fELF" + bytes(range(256)),
    "utf16": (_HEAD + _MODEL).encode("utf-16"),
    "nul": b"arch a\0b\n",
}


def write_hostile(folder: Path) -> list[Path]:
    """Write all hostile specs to a folder."""
    for name, content in ({name: text.encode() for name, text in TEXTS.items()} | CONTENTS).items():
        (folder / f"{name}.arch").write_bytes(content)
    (folder / "link.arch").symlink_to("/etc/passwd")
    (folder / "zero.arch").symlink_to("/dev/zero")
    (folder / "folder.arch").mkdir()
    (folder / "extends_link.arch").write_text(_extends('"link.arch"'), encoding="utf-8")
    (folder / "extends_zero.arch").write_text(_extends('"zero.arch"'), encoding="utf-8")
    return sorted(folder.glob("*.arch"))
