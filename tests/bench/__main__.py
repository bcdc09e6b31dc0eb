"""`make bench`: each figure beside its floor, from the same run.

A floor is what the task takes without bifrost: the interpreter and typer, orjson over the same lines, curl with the
same bytes, a bare forwarder. Floors and ours are measured in turn, the best of each counts, and the spread says how
quiet the machine was. Figures are no tests: nothing fails for being slow.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import create
import memory
import report
import serve
import startup
import translate
from kit import Growth, Row, Setup

BENCHES: dict[str, Callable[[Setup], Iterator[Row | Growth]]] = {
    "startup": startup.measure,
    "encode": translate.encode,
    "decode": translate.decode,
    "create": create.measure,
    "messages": serve.messages,
    "batches": serve.batches,
    "results": serve.results,
    "stream": serve.stream,
    "idle": serve.idle,
    "workers": serve.workers,
    "keys": serve.keys,
    "memory": memory.measure,
}


def main() -> None:
    """Measure, print and save."""
    given = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # As Ctrl-C: servers and folders go.
    load = os.getloadavg()[0]
    rows: list[Row] = []
    growths: list[Growth] = []
    for name in given.only or BENCHES:
        with tempfile.TemporaryDirectory(prefix="bifrost-bench-") as folder:
            for found in BENCHES[name](Setup(Path(folder), given.quick)):
                if isinstance(found, Row):
                    rows.append(found)
                    cells = found.cells()
                    print(f"{name}: {cells['what']}: {cells['bifrost']} {cells['ratio']}", file=sys.stderr, flush=True)
                else:
                    growths.append(found)
    figures = report.saved(rows, growths, load, quick=given.quick)
    given.out.write_text(report.written(figures))
    print(report.tables(json.loads(json.dumps(figures))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench", description="Measure, beside floors of the same run.")
    parser.add_argument("--only", nargs="+", choices=BENCHES, metavar="NAME", help=f"some of: {', '.join(BENCHES)}")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repeats")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="where to save the figures (bench.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
