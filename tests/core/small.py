"""Providers that take little, so that a few requests show what limits do. They are registered by the tests alone."""

from dataclasses import replace
from typing import Any

from bifrost_cli.errors import UnsupportedError
from bifrost_cli.providers.base import Framing, Limits
from bifrost_cli.providers.encoder import Encoder
from tests.exam.reference import Reference, Requests


class Small(Reference):
    """At most three requests or 700 bytes, of one model, in brackets. It has no place for the field `colour`."""

    name = "small"
    limits = Limits(max_requests=3, max_bytes=700, one_model=True)
    framing = Framing(b"[", b",", b"]")

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        if "colour" in params and "colour" not in self.context.drop:
            raise UnsupportedError("it has no colours.", field="colour", hint="Leave it out.", provider=self.name)
        return Loud(params, None) if params.get("system") == "loud" else Quiet(params, None)


class Loud(Requests):
    endpoint = "/loud"


class Quiet(Requests):
    endpoint = "/quiet"


class Mixed(Small):
    """Models may be mixed."""

    name = "mixed"
    limits = replace(Small.limits, one_model=False)


class Choosy(Reference):
    """From three to five requests."""

    name = "choosy"
    limits = Limits(max_requests=5, max_bytes=100_000, min_requests=3, one_model=True)
