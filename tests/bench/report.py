"""What was measured, on which machine, as a table and as JSON."""

import json
import os
import platform
import re
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kit import Growth, Row

COLUMNS = ("what", "bifrost", "floor", "ratio", "target", "met")


def machine() -> dict[str, Any]:
    """The machine and the day."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def noise(rows: Sequence[Row]) -> float:
    """How far the median of a measurement was above its best, as a share; the median over all."""
    spreads = [series.spread for row in rows for series in (row.ours, row.floor) if series and len(series.values) > 1]
    return statistics.median(spreads) if spreads else 0.0


def saved(rows: Sequence[Row], growths: Sequence[Growth], load: float, *, quick: bool) -> dict[str, Any]:
    """All of it, for the JSON; `load` is how many processes were waiting for a core before the run."""
    return {
        "machine": machine(),
        "quick": quick,
        "noise": round(noise(rows), 3),
        "load_before": round(load, 2),
        "rows": [row.saved() for row in rows],
        "growth": [{"what": each.what, "figures": each.figures} for each in growths],
    }


NUMBERS = re.compile(r"\[[^\[\]{}]*\]")


def written(figures: dict[str, Any]) -> str:
    """The JSON, each list of numbers on one line."""
    text = json.dumps(figures, indent=1, ensure_ascii=False)
    return NUMBERS.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def tables(figures: dict[str, Any]) -> str:
    """The JSON as it is read: the machine, the figures beside their floors, and those at growing sizes."""
    made = figures["machine"]
    parts = [
        f"{made['cores']} cores of {made['cpu']}, {made['system']}, Python {made['python']}, {made['date']}. "
        f"The median of a measurement was {figures['noise']:.0%} above its best, which is what counts; load before the "
        f"run {figures['load_before']:.2f}."
    ]
    if figures["rows"]:
        parts.append(_aligned(COLUMNS, [[_cell(row[name]) for name in COLUMNS] for row in figures["rows"]]))
    if figures["growth"]:
        sizes = list(figures["growth"][0]["figures"])
        rows = [[each["what"], *each["figures"].values()] for each in figures["growth"]]
        parts.append(_aligned(["requests", *(f"{int(size):,}" for size in sizes)], rows))
    return "\n\n".join(parts)


def _cell(value: str | bool | None) -> str:
    return value if isinstance(value, str) else {True: "yes", False: "NO", None: ""}[value]


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    dashes = ["-" * width for width in widths]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in (head, dashes, *rows)]
    return "\n".join("  ".join(line).rstrip() for line in padded)
