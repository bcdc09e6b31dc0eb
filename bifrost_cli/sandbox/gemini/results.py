"""The results of a batch: in the answer for requests that came inline, in a file for those that came in one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bifrost_cli.sandbox.account import Account, StoredBatch
from bifrost_cli.sandbox.answers import Trigger, triggers_in
from bifrost_cli.sandbox.gemini.access import media_type_of
from bifrost_cli.sandbox.gemini.check import Context
from bifrost_cli.sandbox.gemini.errors import INTERNAL, Refusal
from bifrost_cli.sandbox.gemini.generate import judge
from bifrost_cli.sandbox.gemini.json import line as written
from bifrost_cli.sandbox.gemini.operation import Standing, unserved
from bifrost_cli.sandbox.gemini.reply import FILE_TIER, TIER, reply
from bifrost_cli.sandbox.ids import derived
from bifrost_cli.sandbox.lines import ERRORED, EXPIRED, finishing


def lines(batch: StoredBatch, stands: Standing, account: Account) -> Iterator[bytes]:
    """The lines of a result file, in the order in which the requests finished. The members of each come in an order
    of its own (recorded 2025-07)."""
    served = _Served(batch, stands, account, FILE_TIER)
    for rank, (number, letter, text) in enumerate(finishing(batch.folder)):
        line = orjson.loads(text)
        result = served.result(number, rank, letter, line["request"])
        key = {"key": _swapped(line["key"], text)} if "key" in line else {}
        yield written(_turned({**result, **key}, rank)) * _copies(text)


def inlined(batch: StoredBatch, stands: Standing, account: Account) -> dict[str, Any]:
    """The output of a batch whose requests came inline: in their order (documented), what was sent as metadata with
    each (recorded 2026-08)."""
    served = _Served(batch, stands, account, TIER)
    items: dict[int, list[dict[str, Any]]] = {}
    for rank, (number, letter, text) in enumerate(finishing(batch.folder)):
        item = orjson.loads(text)
        result = served.result(number, rank, letter, _hollowed(item["request"]))
        if "metadata" in item:
            result["metadata"] = {name: _swapped(value, text) for name, value in item["metadata"].items()}
        items[number] = [result] * _copies(text)
    ordered = [item for number in sorted(items) for item in items[number]]
    return {"inlinedResponses": {"inlinedResponses": ordered}}


@dataclass(frozen=True)
class _Served:
    """A batch that has ended, and what became of its requests."""

    batch: StoredBatch
    stands: Standing
    account: Account
    tier: str

    def result(self, number: int, rank: int, letter: bytes, request: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a request: its number in the input, and its rank among those that finish."""
        if rank >= self.stands.served or letter == EXPIRED:
            return {"error": unserved()}
        if letter == ERRORED:
            return {"error": self._refusal(request).line()}
        seed = f"{self.batch.id}/{number}"
        return {"response": reply(request, self.batch.doc["model"], seed, tier=self.tier)}

    def _refusal(self, request: Mapping[str, Any]) -> Refusal:
        media_type = media_type_of(self.account, self.batch.created, self.batch.pace)
        try:
            judge(request, Context(self.batch.doc["model"], media_type))
        except Refusal as refusal:
            return refusal
        return Refusal("Internal error encountered.", INTERNAL)


def _hollowed(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request that came inline: the answer to a `response_json_schema` is then a template full of nulls (reported
    2026-08; `response_schema` works)."""
    config = request.get("generation_config", {})
    if "response_json_schema" not in config:
        return request
    names = dict(config["response_json_schema"]).get("properties", {})
    hollow = {"type": "object", "properties": {name: {"type": "null"} for name in names}}
    return {**request, "generation_config": {**config, "response_json_schema": hollow}}


def _copies(text: bytes) -> int:
    asked = triggers_in(text)
    return 0 if Trigger.LOSE in asked else 2 if Trigger.REPEAT in asked else 1


def _swapped(key: Any, text: bytes) -> Any:
    """The key that a result comes under: another when the request asks for it."""
    return f"unknown-{derived(str(key), 8)}" if Trigger.SWAP in triggers_in(text) else key


def _turned(value: Any, turn: int) -> Any:
    """A JSON value with the members of its objects in another order, which depends on `turn`; lists keep theirs."""
    if isinstance(value, list):
        return [_turned(item, turn) for item in value]
    if not isinstance(value, dict) or not value:
        return value
    names = list(value)
    first = turn % len(names)
    return {name: _turned(value[name], turn + 1) for name in names[first:] + names[:first]}
