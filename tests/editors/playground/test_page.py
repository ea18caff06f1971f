"""Text -> what the page shows, without a browser."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cifar_dsl.cli import playground
from cifar_dsl.cli.main import main
from cifar_dsl.compiler.lints import inspection
from cifar_dsl.editors.language_server.semantic_tokens import LEGEND
from cifar_dsl.editors.playground import page as pages
from cifar_dsl.editors.playground.catalogue import catalogue
from cifar_dsl.editors.playground.session import Session
from cifar_dsl.foundation.resources import shipped_specs

RESIDUAL = shipped_specs()["residual"].read_text(encoding="utf-8")


@pytest.fixture
def session(tmp_path) -> Session:
    return Session.start(str(tmp_path / "specs"))


def part(session: Session, name: str, spec: str = "a.arch") -> dict:
    return json.loads(session.part(name, spec))


def test_a_spec_has_every_part(session):
    session.put("a.arch", RESIDUAL)  # it extends "baseline.arch", which lies in the same folder
    picture = part(session, "picture")
    assert (picture["name"], picture["fingerprint"]) == ("residual", "7cce53dd9b4d")
    assert picture["summary"] == "3x32x32 to 10, 212,714 parameters, 30.1 M multiply-accumulates"
    assert "<svg" in picture["svg"]
    assert ">212,714" not in picture["svg"]  # the page says it above the picture
    table = part(session, "table")
    assert table["rows"][1] == ["conv(32, 3, pad=1)", "32x32x32", "896", "884,736", "unit.add.branch1.conv"]
    line = table["lines"][1]
    assert "conv(c, 3" in RESIDUAL.splitlines()[line - 1]
    assert "activations kept for backward" in table["notes"]
    assert "nn.Linear(1024, 64)" in part(session, "source")["text"]


def test_a_spec_with_errors_keeps_what_is_shown(session):
    session.put("a.arch", RESIDUAL + "}")
    for name in pages.PARTS:
        assert part(session, name)["is_stale"] is True


def test_a_comment_leaves_the_picture_and_checks_nothing(session, monkeypatch):
    session.put("a.arch", RESIDUAL)
    session.put("b.arch", 'arch b extends "a.arch"\n')
    first, derived = part(session, "picture"), part(session, "picture", "b.arch")
    checks = []
    inspect = pages.inspect
    monkeypatch.setattr(pages, "inspect", lambda *given, **more: checks.append(given) or inspect(*given, **more))
    session.put("a.arch", "# a # comment\n\n" + RESIDUAL.replace("\n", "   # at the end of a line\n"))
    assert (part(session, "picture"), part(session, "picture", "b.arch"), checks) == (first, derived, [])
    assert part(session, "table")["lines"][1] > part(session, "table")["lines"][0]
    checks.clear()
    session.put("a.arch", RESIDUAL.replace("3, pad=1", "5, pad=2", 1))
    assert part(session, "picture")["svg"] != first["svg"]
    assert part(session, "picture", "b.arch")["svg"] != derived["svg"]
    assert len(checks) == 2


def test_a_number_sign_in_a_string_begins_no_comment(session):
    text = 'arch a extends "#.arch"\n'
    session.put("a.arch", text)
    assert part(session, "picture")["is_stale"]
    assert pages._code(text) == text.strip()


def test_a_library_has_no_network(session):
    session.put("a.arch", "library parts\n\nblock stem(c) { conv(c, 3) }\n")
    assert "A library defines blocks" in part(session, "picture")["problem"]


def test_the_second_spec_may_extend_the_first(session):
    session.put("a.arch", RESIDUAL)
    session.put("b.arch", 'arch variant extends "a.arch"\n\ntrain { batch 32 }\n')
    assert "batch: 64 -> 32" in part(session, "difference", "b.arch")["text"]
    session.put("a.arch", RESIDUAL + "\ntrain { batch 16 }\n")
    assert "batch: 16 -> 32" in part(session, "difference", "b.arch")["text"]
    session.close("a.arch")
    assert "problem" in part(session, "difference", "b.arch")


def test_each_text_is_checked_once(session, monkeypatch):
    checked = []
    monkeypatch.setattr(
        pages, "inspect", lambda *given, **more: checked.append(1) or inspection.inspect(*given, **more)
    )
    session.put("a.arch", RESIDUAL)
    for name in ("picture", "table", "source", "picture"):
        part(session, name)
    assert checked == [1]


def test_a_text_that_the_language_server_has_is_its_to_check(session, monkeypatch):
    messages = []
    handle = session.start_server(messages.append)
    session.put("a.arch", RESIDUAL)
    path = session.page.folder / "a.arch"
    session._documents.put(path.as_uri(), RESIDUAL)
    assert session.page.inspection(path) is session._documents.inspection(path)
    handle(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}))
    assert json.loads(messages[0])["result"]["serverInfo"]["name"] == "cifar-dsl"


def test_the_catalogue_has_what_the_page_needs():
    data = catalogue()
    assert [one["name"] for one in data["examples"]][:1] == ["baseline"]
    assert {one["name"] for one in data["examples"]} == set(shipped_specs())
    assert data["start"] in shipped_specs()
    assert data["codes"]["E0302"]["title"]
    assert set(data["colours"]) == set(LEGEND.token_types)


def test_a_playground_that_isnt_built_says_how(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "cifar_dsl" / "_shipped" / "playground"
    monkeypatch.setattr(playground, "playground_directory", lambda: folder)
    assert main(["playground", "--no-open"]) == 1
    assert "build it in a checkout: python playground/build.py" in capsys.readouterr().err
    (tmp_path / "playground").mkdir()
    (tmp_path / "playground" / "build.py").touch()
    assert main(["playground"]) == 1
    assert f"python {tmp_path}/playground/build.py" in capsys.readouterr().err


def test_the_command_serves_and_opens_the_page(tmp_path, monkeypatch, capsys):
    (tmp_path / "index.html").touch()
    opened = []
    monkeypatch.setattr(playground, "playground_directory", lambda: tmp_path)
    monkeypatch.setattr(playground, "webbrowser", SimpleNamespace(open=opened.append))
    monkeypatch.setattr("socketserver.BaseServer.serve_forever", lambda _server: None)
    assert main(["playground"]) == 0
    (line,) = capsys.readouterr().out.split()
    assert opened == [line]
    assert line.startswith("http://127.0.0.1:")
    assert main(["playground", "--no-open"]) == 0
    assert opened == [line]


def test_a_port_in_use_is_reported(tmp_path, monkeypatch, capsys):
    (tmp_path / "index.html").touch()
    monkeypatch.setattr(playground, "playground_directory", lambda: tmp_path)
    with playground.make_server(tmp_path, 0) as other:
        assert main(["playground", "--no-open", "--port", str(other.server_address[1])]) == 1
    assert "leave out --port" in capsys.readouterr().err


def test_only_files_of_the_page_are_served(tmp_path):
    import http.client
    import threading

    (tmp_path / "index.html").write_text("page", encoding="utf-8")
    (tmp_path / "worker.js").touch()
    (tmp_path / "inner").mkdir()
    with playground.make_server(tmp_path, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            answers = {}
            for path in ("/", "/worker.js", "/inner/", f"/../{Path(__file__).name}", "/none"):
                connection = http.client.HTTPConnection(*server.server_address)
                connection.request("GET", path)
                answers[path] = connection.getresponse()
                connection.close()
        finally:
            server.shutdown()
            thread.join()
    assert [answer.status for answer in answers.values()] == [200, 200, 404, 404, 404]
    assert answers["/worker.js"].headers["Content-Type"] == "text/javascript"
    policy = answers["/"].headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
