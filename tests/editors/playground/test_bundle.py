"""The archive for the browser holds all that the page runs."""

import io
import os
import subprocess
import sys
import zipfile

from cifar_dsl.editors.playground.bundle import archive

_USE = """
import sys
sys.path.insert(0, sys.argv[1])
import cifar_dsl
from cifar_dsl.editors.playground.page import Page
from cifar_dsl.editors.playground.session import Session
assert cifar_dsl.__file__.startswith(sys.argv[1]), cifar_dsl.__file__
"""


def test_the_page_runs_from_the_archive_alone(tmp_path):
    with zipfile.ZipFile(io.BytesIO(archive([]))) as packed:
        packed.extractall(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", _USE, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
