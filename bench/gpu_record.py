"""The lines that bench/gpu.py records, and their summary. Imports the standard library only."""

import json
import os
import statistics
import time
from pathlib import Path
from typing import Any, NamedTuple

LINES = "gpu.jsonl"


class Ratio(NamedTuple):
    """A claim: the median of one measurement of a part over that of another one, and the least that it should be."""

    part: str
    over: str
    under: str
    goal: float
    factor: float = 1.0


RATIOS = (
    Ratio("airbench", "by hand, warm", "ours, warm", 0.95),
    Ratio("airbench", "by hand, cold", "ours, cold", 0.95),
    Ratio("loops", "usual", "ours", 20),
    Ratio("loops", "usual, tuned", "ours", 4),
    Ratio("loops", "resident", "ours", 4),
    Ratio("loops", "ours, eager: first epoch", "ours: first epoch", 1),
    Ratio("seeds", "one after another", "together", 6),
    Ratio("resnet18", "usual", "ours in bf16", 4),
    Ratio("resnet18", "usual", "ours", 1.5),
    Ratio("choices", "muon one by one", "airbench", 1),
    Ratio("choices", "draws in steps", "airbench", 1),
    Ratio("choices", "airbench", "cudnn timed", 1),
    Ratio("choices", "airbench", "half weights", 1),
    Ratio("choices", "airbench", "fused", 1),
    Ratio("choices", "baseline, activation first", "baseline", 1),
    Ratio("choices", "baseline", "baseline, cudnn timed", 1),
)


class Record:
    """Appends lines to a file. Each is on disk when `line` returns, and several processes may append."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def line(self, kind: str, **fields: Any) -> None:
        """Append one line. Fields that JSON doesn't know become text."""
        text = json.dumps({"kind": kind, "at_s": round(time.time(), 2)} | fields, default=str) + "\n"
        number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(number, text.encode())
            os.fsync(number)
        finally:
            os.close(number)


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a file; a kill may have cut off the last one."""
    rows: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            rows.append(json.loads(text))
        except ValueError:
            continue
    return rows


def summary(path: Path) -> str:
    """Outcomes, medians, checks, and ratios with their goals, as text."""
    rows = read(path)
    lines: list[str] = []
    for row in rows:
        if row["kind"] == "machine":
            lines.append(str(row["machine"]))
        elif row["kind"] == "part":
            lines.append(f"part {row['part']}: {row['outcome']} ({row['time_s']} s)")
        elif row["kind"] == "check":
            lines.append(
                f"{'holds' if row['holds'] else 'DOES NOT HOLD'}: {row['part']}: {row['claim']} ({row['found']})"
            )
        elif row["kind"] == "note":
            lines.append(f"note: {row['part']}: {row['text']}")
    measured: dict[tuple[str, str], list[float]] = {}
    units: dict[tuple[str, str], str] = {}
    for row in rows:
        if row["kind"] == "measured":
            key = row["part"], row["name"]
            measured.setdefault(key, []).append(row["value"])
            units[key] = row["unit"]
    for (part, name), values in measured.items():
        middle = statistics.median(values)
        bounds = f"{min(values):.4g} to {max(values):.4g}, n={len(values)}"
        lines.append(f"{part}: {name}: median {middle:.4g} {units[part, name]} ({bounds})")
    for part, over, under, goal, factor in RATIOS:
        if (part, over) in measured and (part, under) in measured:
            ratio = factor * statistics.median(measured[part, over]) / statistics.median(measured[part, under])
            verdict = "reached" if ratio >= goal else "MISSED"
            lines.append(f"ratio: {part}: {over} / {under} = {ratio:.3f}; goal {goal}: {verdict}")
    return "".join(f"{line}\n" for line in lines) or "nothing was measured\n"
