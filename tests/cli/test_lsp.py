"""`cifar-dsl lsp` as a process; what it can do is tested in tests/editors/language_server."""

import signal
import subprocess
import sys

COMMAND = [sys.executable, "-m", "cifar_dsl", "lsp"]
WITHOUT_EXTRA = """
import sys
sys.modules["pygls"] = sys.modules["lsprotocol"] = None
from cifar_dsl.cli import main
sys.exit(main(["lsp"]))
"""


def run(command: list[str], stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)


def test_without_the_extra_the_message_has_the_install_command() -> None:
    done = run([sys.executable, "-c", WITHOUT_EXTRA])
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"error: the language server needs pygls, which is not installed" in done.stderr
    assert b"pip install 'cifar-dsl[lsp]'" in done.stderr
    assert b"Traceback" not in done.stderr


def test_messages_that_are_none_are_passed_over() -> None:
    bodies = [
        b"{{{",
        b"[]",
        b'{"jsonrpc": "2.0", "id": 1, "method": "textDocument/hover", "params": {"position": 3}}',
        b'{"jsonrpc": "2.0", "id": 2, "method": "gone", "params": {}}',
        b'{"jsonrpc": "2.0", "method": "gone", "params": {}}',
        b'{"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {"processId": null, "capabilities": {}}}',
        b'{"jsonrpc": "2.0", "id": 4, "method": "shutdown"}',
        b'{"jsonrpc": "2.0", "method": "exit"}',
    ]
    done = run(COMMAND, b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies))
    assert done.returncode == 0
    assert b'"hoverProvider"' in done.stdout
    assert b'"id": 4' in done.stdout


def test_an_editor_that_goes_away_takes_the_server_along() -> None:
    done = run(COMMAND)
    assert (done.returncode, done.stdout) == (0, b"")


def test_ctrl_c_ends_the_server_although_a_thread_waits_for_input() -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"processId": null, "capabilities": {}}}'
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_as_in_a_terminal,  # noqa: PLW1509  no thread is running
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            process.stdin.flush()
            assert process.stdout.readline().startswith(b"Content-")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == -signal.SIGINT  # 130 in a shell
            assert process.stderr.read() == b""
        finally:
            process.kill()


def _as_in_a_terminal() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
