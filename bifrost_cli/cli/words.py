"""Values as people and programs read them: words, without anything that draws."""

import re
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from bifrost_cli.models import Batch

if TYPE_CHECKING:
    from bifrost_cli.core.tenants import Key

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text from outside, without characters that steer a terminal. Line ends stay."""
    return CONTROL.sub(lambda found: found[0] if found[0] == "\n" else "�", text.replace("\t", "    "))


def escaped(text: str) -> str:
    """Text for a terminal, what steers one as `\\u001b`, which JSON reads back. Line ends stay."""
    return CONTROL.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def show(value: object) -> str:
    """A value for a person."""
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(time: datetime | None) -> str:
    """Local time, to the second; `-` where there is none."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else "-"


def size(number: int) -> str:
    """`1.2 MB`."""
    amount = float(number)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def elapsed(batch: Batch) -> str:
    """How long a batch has run, or ran: `1:02:03`."""
    seconds = int(((batch.ended_at or datetime.now(UTC)) - batch.created_at).total_seconds())
    return f"{max(0, seconds) // 3600}:{max(0, seconds) // 60 % 60:02}:{max(0, seconds) % 60:02}"


def describe(result: Any) -> str:
    """Why a request has no message."""
    if result["type"] != "errored":
        return str(result["type"])
    inner = result["error"]["error"]
    return " ".join(clean(f"{inner['type']}: {inner['message']}").split())


def answer(result: Any) -> str:
    """What a request came to, in one line."""
    if result["type"] != "succeeded":
        return describe(result)
    said = []
    for block in result["message"].get("content") or []:
        if block.get("type") == "text":
            said.append(block["text"])
        elif block.get("type") == "tool_use":
            said.append(f"{block['name']}({orjson.dumps(block['input']).decode()})")
    return " ".join(clean(" ".join(said)).split()) or f"({result['message'].get('stop_reason') or 'no text'})"


def key_object(key: "Key") -> dict[str, Any]:
    """A virtual key as `keys --json` prints it; times in UTC."""
    times = {name: _iso(value) for name, value in asdict(key).items() if name.endswith("_at")}
    return {**asdict(key), **times, "state": key.state(time.time())}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
