"""`batch create` of many requests, from the command to the batch's id."""

import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import lines
import translate
from kit import SECONDS, Row, Setup, Target, in_turn, timed
from processes import BIFROST, environment, run, upstream


def measure(setup: Setup) -> Iterator[Row]:
    """The wall time, from the start of the program to its end."""
    size = 100_000  # Also for a quick look: of fewer, the start of the program is the most.
    path = lines.write(setup.folder / "requests.jsonl", lines.texts(size, lines.GPT))
    upload = setup.folder / "encoded.jsonl"
    translate.encoded(str(path), str(upload))
    homes = (setup.folder / f"home-create-{number}" for number in count())
    with upstream(setup.folder) as provider:

        def ours() -> None:
            create = [BIFROST, "batch", "create", str(path), "-p", "openai", "-q"]
            assert run(create, environment(next(homes), provider.url)).startswith("openai:batch-0-")

        def floor() -> None:
            curl_upload(upload, provider.url)
            translate.parse_and_write(path.read_bytes())

        floors, measured = in_turn(setup.repeats(5), timed(floor), timed(ours))
    floor_is = "curl of the same bytes, and orjson over the lines"
    yield Row(f"`batch create`, {size:,} requests", SECONDS, measured, floor_is, floors, (Target("ratio", 4),))


def curl_upload(path: Path, url: str) -> None:
    """A file to OpenAI's wire, as fast as it goes."""
    form = ["-F", "purpose=batch", "-F", f"file=@{path}", f"{url}/v1/files"]
    subprocess.run(["curl", "-sSf", "-H", "Expect:", *form], check=True, capture_output=True)
