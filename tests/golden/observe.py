"""What the golden tests look at, each as a function that gives data which JSON can hold.

Only the outside is used: the command line, and the public names of `cifar_dsl`. So these tests stay as they are
however the package is organised inside.
"""

import contextlib
import hashlib
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import click
import numpy as np

import cifar_dsl
from cifar_dsl.cli import main
from cifar_dsl.cli.main import group
from cifar_dsl.views.reference import sections

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SPECS = HERE / "specs"
RECORDED = HERE / "recorded"
CASES = ROOT / "tests" / "language" / "diagnostics" / "cases"

# The eight specs of README.md.
BASIC = sorted((ROOT / "specs").glob("*.arch"))
SHIPPED = [
    *BASIC,
    *sorted((ROOT / "specs" / "records").glob("*.arch")),
    *sorted((ROOT / "specs" / "zoo").glob("*.arch")),
]
OWN = sorted(SPECS.glob("*.arch"))

OVERRIDES = {
    "baseline": ["head=[64, 32]", "train.batch=32", "train.optimizer.lr=3e-4", "train.augment=crop(4) -> flip"],
    "residual": ["train.optimizer=sgd(lr=0.1, momentum=0.9)", "train.schedule=cosine", "train.average=ema(0.99)"],
}


class Outcome(NamedTuple):
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What was printed as JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON, and exit code {self.code}:\n{self.out}\n{self.err}") from None


def run(*arguments: object, cwd: Path = ROOT) -> Outcome:
    """Give a command in `cwd`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pictures(path: Path) -> Path:
    """Write the images of the recorded runs: a bright square tells the class, the rest is noise.

    Integer arithmetic alone, so the images are the same everywhere.
    """
    number = np.arange(100 * 32 * 32 * 3, dtype=np.uint32)
    noise = number * np.uint32(2654435761)
    noise = (noise ^ (noise >> np.uint32(15))) * np.uint32(2246822519)
    noise = (noise ^ (noise >> np.uint32(13))) % np.uint32(176)
    image, row, column = number // 3072, number // 96 % 32, number // 3 % 32
    labels = np.arange(100, dtype=np.int64) % 10
    is_bright = row // 8 * 4 + column // 8 == image % 10
    images = (noise + 80 * is_bright).astype(np.uint8).reshape(100, 32, 32, 3)
    np.savez(path, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    return path


# Specs


def fingerprints() -> Any:
    def of(spec: cifar_dsl.Spec) -> list[Any]:
        return [spec.fingerprint, spec.graph.cost.parameters, spec.graph.cost.macs]

    plain = {name_of(path): of(cifar_dsl.load(path)) for path in (*SHIPPED, *OWN)}
    changed = {
        f"{name} {' '.join(f'--set {text!r}' for text in overrides)}": of(
            cifar_dsl.load(ROOT / "specs" / f"{name}.arch", overrides=overrides)
        )
        for name, overrides in OVERRIDES.items()
    }
    return plain | changed


def state_dict() -> Any:
    """Keys, types and shapes; of most specs, a digest of them."""
    whole = [*BASIC, SPECS / "joins.arch", SPECS / "values.arch"]
    found = {}
    for path in (*SHIPPED, *OWN):
        state = cifar_dsl.load(path).build().state_dict()
        listed = {key: f"{value.dtype} {tuple(value.shape)}".removeprefix("torch.") for key, value in state.items()}
        if path in whole:
            found[name_of(path)] = listed
        else:  # in order, which optimizers and averages go by
            found[name_of(path)] = {"tensors": len(listed), "digest": digest(json.dumps(list(listed.items())))}
    return found


def weights() -> Any:
    """Sum and sum of magnitudes of every first weight of small specs with seed 0, and of one with seed 1."""
    found = {}
    names = ("specs/baseline.arch", *(f"tests/golden/specs/{name}.arch" for name in ("initial", "joins", "tokens")))
    for name, seed in (*((name, 0) for name in names), ("specs/baseline.arch", 1)):
        state = cifar_dsl.load(ROOT / name).build(seed).state_dict()
        found[f"{name} seed {seed}"] = {
            key: [value.double().sum().item(), value.double().abs().sum().item()] for key, value in state.items()
        }
    return found


def shown() -> Any:
    """`show --json`: whole for some specs, with one line for each layer; digests for the others."""
    whole = [SPECS / f"{name}.arch" for name in ("joins", "recipe", "tokens", "values")]
    found = {}
    for path in (*SHIPPED, *OWN):
        outcome = run("show", "--json", path)
        data = outcome.data
        layers = [" ".join(json.dumps(value) for value in layer.values()) for layer in data.pop("layers")]
        keys = sorted({key for layer in outcome.data["layers"] for key in layer})
        if path in whole:
            found[name_of(path)] = data | {"exit code": outcome.code, "layers": layers, "keys of a layer": keys}
        else:
            found[name_of(path)] = {"layers": len(layers), "digest": digest(outcome.out)}
    return found


def texts() -> Any:
    """Texts that the printer makes of specs, as digests; those of two specs whole."""
    found: dict[str, Any] = {}
    for path in (*SHIPPED, *OWN):
        found[name_of(path)] = {way: digest(run("show", f"--{way}", path).out) for way in ("resolved", "expand")}
    for name in ("based", "recipe"):
        found[f"{name}, resolved"] = run("show", "--resolved", SPECS / f"{name}.arch").out.splitlines()
    found["joins, expanded"] = run("show", "--expand", SPECS / "joins.arch").out.splitlines()
    for way in ("mermaid", "dot"):
        found[f"residual, {way}"] = digest(run("show", f"--{way}", "specs/residual.arch").out)
    return found


def layout(folder: Path) -> Any:
    """What `fmt` makes of a spec that is laid out badly, and how it ends."""
    messy = "arch   messy   # why\ninput 3x32x32\nmodel{\nconv( 8,3 ,pad = 1)->relu\n\n\n  flatten->dense( 10 )}\n"
    path = folder / "messy.arch"
    path.write_text(messy, encoding="utf-8")
    codes = [run("fmt", "--check", path).code, run("fmt", path).code, run("fmt", "--check", path).code]
    return {
        "exit codes": codes,
        "text": path.read_text(encoding="utf-8").splitlines(),
        "shipped": run("fmt", "--check", *SHIPPED, *OWN).code,
    }


def differences() -> Any:
    """`diff --json`, without the phrases."""
    pairs = [("baseline", "specs/residual.arch"), ("baseline", "gradient_clipping"), ("batch_128", "batch_128")]
    own = [("values", "based"), ("recipe", "recipe_of_others")]
    pairs += [tuple(f"tests/golden/specs/{name}.arch" for name in pair) for pair in own]
    found = {}
    for a, b in pairs:
        outcome = run("diff", "--json", a, b)
        data = outcome.data
        for change in data["network"]:
            assert change.pop("text")
        found[f"{a} {b}"] = {"exit code": outcome.code} | data
    return found


# Findings


def _region(finding: dict[str, Any]) -> list[Any]:
    primary = [label for label in finding["labels"] if label["primary"]]
    places = [[label[key] for key in ("file", "line", "column", "end_line", "end_column")] for label in primary]
    return [finding["code"], finding["severity"], *places]


def findings() -> Any:
    """Code, severity and place of what `check` finds in the cases of tests/language/diagnostics; no messages."""
    cases = sorted(path.stem for path in CASES.iterdir() if path.is_dir() or path.suffix == ".arch")
    found = {}
    for case in cases:
        spec = f"{case}/spec.arch" if (CASES / case).is_dir() else f"{case}.arch"
        outcome = run("check", "--format", "json", spec, cwd=CASES)
        found[case] = [outcome.code, *map(_region, outcome.data)]
    return found


def formats() -> Any:
    """The keys of what `check --format` prints, and what of it is no message."""
    cases = ["E0101_misspelt_item.arch", "E0308_add_channels.arch", "W0203_dense.arch"]
    as_json, as_sarif = (run("check", "--format", way, *cases, cwd=CASES) for way in ("json", "sarif"))
    concise, github = (run("check", "--format", way, *cases, cwd=CASES) for way in ("concise", "github"))
    edits = [edit for finding in as_json.data for fix in finding["fixes"] for edit in fix["edits"]]
    results = as_sarif.data["runs"][0]["results"]
    return {
        "json": sorted(keys(as_json.data)),
        "edits": edits,
        "sarif": sorted(keys(as_sarif.data)),
        "sarif version": [as_sarif.data["$schema"], as_sarif.data["version"]],
        "sarif results": [
            [result["ruleId"], result["level"], result["locations"][0]["physicalLocation"]] for result in results
        ],
        "concise": [re.match(r"\S+:\d+:\d+: \w+|\S+: ok", line)[0] for line in concise.out.splitlines()],
        "github": [
            re.sub(r"title=(\w+).*?,file", r"title=\1,file", line).split("::")[1] for line in github.out.splitlines()
        ],
        "exit codes": [outcome.code for outcome in (as_json, as_sarif, concise, github)],
    }


def fixes(folder: Path) -> Any:
    """What `check --fix` and `--unsafe-fixes` make of the cases that they change, as digests."""
    found = {}
    for case in sorted(CASES.glob("*.arch")):
        for option in ("--fix", "--unsafe-fixes"):
            path = folder / case.name
            path.write_bytes(case.read_bytes())
            options = ["--fix"] if option == "--fix" else ["--fix", "--unsafe-fixes"]
            code = run("check", *options, path, cwd=folder).code
            if path.read_bytes() != case.read_bytes():
                found[f"{case.stem} {option}"] = [code, hashlib.sha256(path.read_bytes()).hexdigest()[:16]]
    return found


def keys(data: Any, at: str = "") -> set[str]:
    """The paths of all keys; items of a list have one path, and numbers as keys are one key."""
    match data:
        case dict():
            found = set()
            for key, value in data.items():
                path = f"{at}.{key}"
                found |= {path} | keys(value, path)
            return found
        case list():
            return set().union(*(keys(item, f"{at}[]") for item in data))
        case _:
            return set()


# Help


def manual() -> Any:
    """The names that `reference` and `explain` know, with arguments and defaults; the commands and their options."""
    known = sections()
    found: dict[str, Any] = {"reference": {title: list(section) for title, section in known.items()}}
    arguments: dict[str, list[str]] = {}
    for name in sorted({name for names in found["reference"].values() for name in names}):
        outcome = run("reference", name)
        assert outcome.code == 0, name
        entries = [section[name] for section in known.values() if name in section]
        rows = [row for entry in entries for row in entry.arguments]
        defaults = [f"`{argument}`" + (f" `{default}`" if default else "") for argument, _, default, _ in rows]
        arguments[name] = defaults + [entry.head for entry in entries if entry.noun == "block"]
    codes = re.findall(r"^  ([EW]\d{4})\b", run("explain").out, re.MULTILINE)
    return found | {
        "arguments": arguments,
        "codes": codes,
        "explained": sorted({run("explain", code).code for code in codes}),
        "options": {command: _options(*command.split()) for command in COMMANDS},
    }


COMMANDS = (
    "",
    *group.list_commands(click.Context(group)),
    *("runs list", "runs show", "runs verify", "runs prune", "data list", "data download", "data import"),
)


def _options(*command: str) -> list[str]:
    text = run(*command, "--help").out
    if "--help-all" in text:
        text = run(*command, "--help-all").out
    names = re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
    _, _, commands_text = text.partition("Commands:" if command else "Write and view specs:")
    commands = re.findall(r"^  (\w+)  ", commands_text, re.MULTILINE)
    return names + commands


def doctor(folder: Path) -> Any:
    """Topics and names that don't depend on what is installed."""
    outcome = run("doctor", "--json", "--data-dir", folder, cwd=folder)
    lines = outcome.data
    stable = ("language", "folders", "data")
    return {
        "keys": sorted(keys(lines)),
        "topics": list(dict.fromkeys(line["topic"] for line in lines)),
        "names": [f"{line['topic']}: {line['name']}" for line in lines if line["topic"] in stable],
        "language": [line["text"] for line in lines if line["topic"] == "language"],
    }


def exit_codes(folder: Path) -> Any:
    """How commands end that are told something wrong."""
    commands = (
        *("", "nothing", "--version", "check", "check nothing.arch", "check specs", "check specs/baseline.arch -q"),
        *("check --set head=[64 specs/baseline.arch", "check --set train.batc=1 specs/baseline.arch"),
        *("check --limit LAYERS=3 specs/baseline.arch", "--limit LAYERS=3 check specs/baseline.arch"),
        *("--limit STEP=3 check specs/baseline.arch", "show specs/library/residual.arch", "show nothing.arch"),
        *(f"check {strict}tests/language/diagnostics/cases/W0203_dense.arch" for strict in ("--strict ", "")),
        *("explain E9999", "explain E0302", "reference nothing", "reference conv", "diff baseline nothing"),
        *("diff baseline wider", "diff baseline baseline", "data list", "completion bash", "completion nothing"),
        *("train specs/baseline.arch --dry-run", "train specs/baseline.arch --data nothing", "train"),
        *("train tests/golden/specs/library.arch --data shapes", "train specs/baseline.arch --data npz:nothing.npz"),
        *(
            "runs --runs FOLDER",
            "runs show FOLDER",
            "runs verify FOLDER",
            "evaluate FOLDER",
            "runs prune --runs FOLDER",
        ),
        "compare specs/baseline.arch --no-train --data shapes --runs FOLDER --out FOLDER/out --no-chart",
        "sweep specs/baseline.arch --set train.batch=32,64 --dry-run --data shapes --runs FOLDER",
    )
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    return {text: run(*(part.replace("FOLDER", str(empty)) for part in text.split())).code for text in commands}


# Runs that were made before


def _without_times(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the moment in which files were checked out."""
    return {key: value for key, value in fields.items() if key != "changed"}


def recorded_runs() -> Any:
    """What `runs` says of the recorded runs."""
    listed = run("runs", "list", "--json", "--runs", "recorded", cwd=HERE)
    verified = run("runs", "verify", "--json", "--runs", "recorded", cwd=HERE)
    shown = {}
    for entry in listed.data:
        outcome = run("runs", "show", "--json", entry["path"], cwd=HERE)
        shown[entry["path"]] = [outcome.code, _without_times(outcome.data)]
    return {
        "list": [listed.code, *map(_without_times, listed.data)],
        "verify": [verified.code, *([entry["path"], entry["problems"]] for entry in verified.data)],
        "show": shown,
        "table": [line.split()[:3] for line in run("runs", "--runs", "recorded", cwd=HERE).out.splitlines()],
    }


def recorded_files() -> Any:
    """The texts and the keys of the files in the recorded runs."""
    found: dict[str, Any] = {}
    for path in sorted(RECORDED.glob("*/seed-[09]*/**/*")):
        name = path.relative_to(RECORDED).as_posix()
        match path.suffix:
            case ".json":
                found[name] = sorted(keys(json.loads(path.read_text(encoding="utf-8"))))
            case ".jsonl":
                lines = path.read_text(encoding="utf-8").splitlines()
                found[name] = [len(lines), *map(list, dict.fromkeys(tuple(json.loads(line)) for line in lines))]
            case ".arch":
                found[name] = path.read_text(encoding="utf-8").splitlines()
            case ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    found[name] = {key: f"{value.dtype} {value.shape}" for key, value in arrays.items()}
            case ".safetensors":
                found[name] = _tensors(path)
            case "" if path.name == "SHA256SUMS":
                found[name] = [re.sub(r"^[0-9a-f]{64}", "<digest>", line) for line in path.read_text().split("\n")]
    return found


def _tensors(path: Path) -> Any:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    return {key: f"{value['dtype']} {value['shape']}" for key, value in header.items()} | {"metadata": sorted(metadata)}


def complete() -> Iterator[Path]:
    """The recorded runs that have weights."""
    return (path.parent for path in sorted(RECORDED.glob("*/*/weights.safetensors")))


def loaded() -> Any:
    """The networks of the recorded runs: their weights, which are read, to the last bit."""
    found = {}
    for path in complete():
        module = cifar_dsl.load_trained(path, raw=True)
        found[path.relative_to(RECORDED).as_posix()] = {
            "training": module.training,
            "weights": {
                key: f"{tuple(value.shape)} {hashlib.sha256(value.numpy().tobytes()).hexdigest()[:16]}"
                for key, value in module.state_dict().items()
            },
        }
    return found


def scores() -> Any:
    """What the networks of the recorded runs say of one drawn input."""
    import torch

    image = (torch.arange(3 * 32 * 32, dtype=torch.float32) % 7 / 7).reshape(1, 3, 32, 32)
    with torch.no_grad():
        return {
            path.relative_to(RECORDED).as_posix(): cifar_dsl.load_trained(path, raw=True)(image)[0].tolist()
            for path in complete()
        }


def evaluated(folder: Path) -> Any:
    """`evaluate --json` of the recorded runs."""
    data = pictures(folder / "pictures.npz")
    found = {}
    for path in complete():
        name = path.relative_to(HERE).as_posix()
        # Without the mistakes, whose order may differ where probabilities are almost equal.
        options = ("--data", f"npz:{data}", "--threads", 1, "--mistakes", 0, "--json")
        outcome = run("evaluate", name, *options, cwd=HERE)
        found[name] = [outcome.code, outcome.data]
    return found


def compared(folder: Path) -> Any:
    """comparison.json and the heads of comparison.csv of the recorded runs."""
    data, out = pictures(folder / "pictures.npz"), folder / "comparison"
    specs = [RECORDED / f"{name}.arch" for name in ("small", "wide", "steep")]
    outcome = run(
        *("compare", *specs, "--data", f"npz:{data}", "--no-train", "--no-chart", "--pairs", "--threads", 1),
        *("--runs", "recorded", "--out", out),
        cwd=HERE,
    )
    lines = (out / "comparison.csv").read_text(encoding="utf-8").splitlines()
    return {
        "exit code": outcome.code,
        "files": sorted(path.name for path in out.iterdir()),
        "csv": [lines[0].split(","), *(line.split(",")[:8] for line in lines[1:])],
        "json": json.loads((out / "comparison.json").read_text(encoding="utf-8")),
    }


def trained(folder: Path) -> Any:
    """The lines that `train --json` prints, and the files that are there afterwards."""
    data, runs = pictures(folder / "pictures.npz"), folder / "runs"
    found = {}
    for spec, option in (("small", "--dry-run"), ("steep", "--quiet"), ("small", "--verbose"), ("small", "--json")):
        options = [option] if option == "--json" else [option, "--json"]
        outcome = run(
            *("train", RECORDED / f"{spec}.arch", "--data", f"npz:{data}", "--runs", runs, "--threads", 1, *options)
        )
        lines = outcome.out.splitlines() if option != "--dry-run" else []
        files = sorted(path.relative_to(runs).as_posix() for path in runs.rglob("*") if path.is_file())
        found[f"{spec} {option}"] = [outcome.code, [list(json.loads(line)) for line in lines], files]
    return found


def served() -> Any:
    """What the language server offers, and the findings that it publishes."""
    path = CASES / "E0308_add_channels.arch"
    document = {"uri": path.as_uri(), "languageId": "arch", "version": 1, "text": path.read_text(encoding="utf-8")}
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}},
        {"method": "initialized", "params": {}},
        {"method": "textDocument/didOpen", "params": {"textDocument": document}},
        {"id": 2, "method": "textDocument/documentSymbol", "params": {"textDocument": {"uri": document["uri"]}}},
    ]
    last = [{"id": 3, "method": "shutdown"}, {"method": "exit"}]
    command = [sys.executable, "-m", "cifar_dsl", "lsp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        for message in messages:
            _send(server.stdin, message)
        answers: dict[Any, Any] = {}
        while not {1, 2, "textDocument/publishDiagnostics"} <= set(answers):
            answer = _receive(server.stdout)
            answers[answer.get("id", answer.get("method"))] = answer
        for message in last:
            _send(server.stdin, message)
        server.stdout.read()
        code = server.wait(20)
    capabilities = answers[1]["result"]["capabilities"]
    published = answers["textDocument/publishDiagnostics"]["params"]["diagnostics"]
    return {
        "exit code": code,
        "providers": sorted(key for key, value in capabilities.items() if key.endswith("Provider") and value),
        "findings": [[one["code"], one["severity"], one["range"]] for one in published],
        "symbols": [one["name"] for one in answers[2]["result"]],
    }


def _send(stream: IO[bytes], message: dict[str, Any]) -> None:
    content = json.dumps({"jsonrpc": "2.0"} | message).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
    stream.flush()


def _receive(stream: IO[bytes]) -> dict[str, Any]:
    length = 0
    while line := stream.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    return json.loads(stream.read(length))


class Golden(NamedTuple):
    """A function, and by how much floats may differ from what was recorded, relative to their size."""

    observe: Callable[..., Any]
    tolerance: float = 0


GOLDEN = {
    "fingerprints": Golden(fingerprints),
    "state_dict": Golden(state_dict),
    # Draws are the same everywhere, but logarithms, sines and decompositions differ in their last bits.
    # Another draw would move a sum of n weights by about 1 / sqrt(n) of its size, hundreds of times more.
    "weights": Golden(weights, 1e-4),
    "show": Golden(shown),
    "texts": Golden(texts),
    "fmt": Golden(layout),
    "diff": Golden(differences),
    "check": Golden(findings),
    "formats": Golden(formats),
    "fixes": Golden(fixes),
    "manual": Golden(manual),
    "doctor": Golden(doctor),
    "exit_codes": Golden(exit_codes),
    "train": Golden(trained),
    "lsp": Golden(served),
    "runs": Golden(recorded_runs),
    "run_files": Golden(recorded_files),
    "load_trained": Golden(loaded),
    # Computed anew in float32, whose sums come in another order on another processor.
    "scores": Golden(scores, 1e-4),
    "evaluate": Golden(evaluated, 1e-4),
    # Worked out from recorded numbers, but by scipy, some of it by numerical integration.
    "compare": Golden(compared, 1e-4),
}


def observe(name: str, folder: Path) -> Any:
    """What is to be compared, as JSON gives it back; files may be written to `folder`."""
    function = GOLDEN[name].observe
    data = function(folder) if function.__code__.co_argcount else function()
    return json.loads(json.dumps(data))


def unlike(expected: Any, found: Any, tolerance: float, at: str = "") -> Iterator[str]:
    """A line for each place in which two values differ. Floats of a list are held against its largest."""
    match expected, found:
        case dict(), dict():
            for key in dict.fromkeys((*expected, *found)):
                path = f"{at}/{key}"
                if key not in found:
                    yield f"{path}: is missing; it was {_short(expected[key])}"
                elif key not in expected:
                    yield f"{path}: is new: {_short(found[key])}"
                else:
                    yield from unlike(expected[key], found[key], tolerance, path)
            if list(expected) != list(found) and set(expected) == set(found):
                yield f"{at}: the order of the keys has changed"
        case list(), list() if len(expected) == len(found):
            if tolerance and expected and all(isinstance(value, float) for value in (*expected, *found)):
                size = max(map(abs, expected))
                # By the tolerance that `GOLDEN` gives, with its reason.
                near = all(abs(a - b) <= tolerance * size for a, b in zip(expected, found, strict=True))
                if not near:
                    yield f"{at}: expected {_short(expected)}, found {_short(found)}"
                return
            for index, pair in enumerate(zip(expected, found, strict=True)):
                yield from unlike(*pair, tolerance, f"{at}/{index}")
        case list(), list():
            yield f"{at}: expected {len(expected)} items, found {len(found)}"
            yield from (f"{at}: {_short(item)} is missing" for item in expected if item not in found)
            yield from (f"{at}: {_short(item)} is new" for item in found if item not in expected)
        # As above.
        case float(), float() if math.isclose(expected, found, rel_tol=tolerance):
            return
        case _ if type(expected) is not type(found) or expected != found:
            yield f"{at}: expected {_short(expected)}, found {_short(found)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + " ..."
