"""Which models reason, with which efforts, and what follows for `thinking`, `output_config.effort` and sampling.

OpenAI's model pages document it in part; the rest was reported by people who tried each value on each model (2026-01
to 2026-09). Names that are not known here are left to the server.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from bifrost_cli.providers.openai.checks import (
    Drop,
    a_number,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
)

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
ASKABLE = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES = ("enabled", "adaptive", "disabled", "between_tools")
THINKING = frozenset({"type", "budget_tokens", "display"})
BUDGETS = ((2048, "low"), (8192, "medium"), (24576, "high"))
"""`budget_tokens` below the first number is the effort beside it; above all of them it is `xhigh`. A choice of ours."""


class Traits(NamedTuple):
    """`reasons` is None for a name that says nothing; `efforts` go upwards; one that `rests` reasons only if asked."""

    reasons: bool | None
    efforts: tuple[str, ...] = ()
    rests: bool = False


UNKNOWN = Traits(None)
MODELS = (
    (r"gpt-3|gpt-4|chatgpt-|gpt-5-chat", Traits(False)),
    (r"o\d", Traits(True, ("low", "medium", "high"))),
    (r"gpt-5-pro", Traits(True, ("high",))),
    (r"gpt-5-codex", Traits(True, ("low", "medium", "high"))),
    (r"gpt-5(-|$)", Traits(True, ("minimal", "low", "medium", "high"))),
    (r"gpt-5\.\d+-chat", Traits(True, ("medium",))),
    (r"gpt-5\.\d+-pro", Traits(True, ("medium", "high", "xhigh"))),
    (r"gpt-5\.1-codex(?!-max)", Traits(True, ("low", "medium", "high"))),
    (r"gpt-5\.\d+-codex", Traits(True, ("low", "medium", "high", "xhigh"))),
    (r"gpt-5\.1(-|$)", Traits(True, ("none", "low", "medium", "high"), rests=True)),
    (r"gpt-5\.[2-4](-|$)", Traits(True, ("none", "low", "medium", "high", "xhigh"), rests=True)),
    (r"gpt-5\.5(-|$)", Traits(True, ("none", "low", "medium", "high", "xhigh"))),
    (r"gpt-6(\.\d+)?-astra", Traits(True, ("low", "medium", "high", "xhigh", "max"))),
    (r"gpt-([5-9]|\d\d)", Traits(True, ("none", "low", "medium", "high", "xhigh", "max"))),
)
"""First match wins, at the start of the name; the last line stands for everything from gpt-5.6 on."""


@lru_cache(maxsize=1024)
def traits(model: str) -> Traits:
    """What is known of a model; a fine-tuned one (`ft:BASE:…`) is like its base."""
    name = model.split(":")[1] if model.startswith("ft:") else model
    return next((known for pattern, known in MODELS if re.match(pattern, name)), UNKNOWN)


def effort(params: dict[str, Any], drop: Drop) -> str | None:
    """The effort to send, or None where the request leaves it to the model.

    An effort that the model does not have becomes the nearest below it, or else its lowest. `disabled` becomes `none`,
    or `minimal` where that is the least there is; `adaptive` alone wakes a model that rests with `medium`.
    """
    field, wanted = _wanted(params, drop)
    known = traits(params["model"])
    if wanted is None or (known.reasons is False and wanted == "none"):
        return None
    if known.reasons is False:
        refuse(field, f"{params['model']} does not reason", drop)
        return None
    return _off(known, params["model"], drop) if wanted == "none" else _nearest(wanted, known)


def is_on(params: dict[str, Any]) -> bool:
    """Whether the request asks for thinking."""
    thinking = params.get("thinking") or {}
    return thinking.get("type") in ("enabled", "adaptive")


def shows_thinking(params: dict[str, Any]) -> bool:
    """Whether the request asks for the thinking's text: thinking is on, and its `display` is not `omitted`."""
    return is_on(params) and params["thinking"].get("display") != "omitted"


def takes_sampling(params: dict[str, Any], drop: Drop) -> bool:
    """Whether the model takes temperature and top_p: it does not reason, or it rests in this request."""
    known = traits(params["model"])
    if not known.reasons:
        return True
    sent = effort(params, drop)
    return sent == "none" or (sent is None and known.rests)


def _wanted(params: dict[str, Any], drop: Drop) -> tuple[str, str | None]:
    """What the request asks for, and the field that asks."""
    if params.get("thinking") is None and params.get("output_config") is None:
        return "thinking", None
    thinking = _thinking(params.get("thinking"), drop)
    asked = _asked(params)
    if thinking.get("type") == "disabled":
        return "thinking", "none"
    if asked:
        return "output_config.effort", asked
    if thinking.get("type") == "enabled":
        return "thinking", _by_budget(thinking.get("budget_tokens"))
    if thinking.get("type") == "adaptive":
        known = traits(params["model"])
        return "thinking", "medium" if known.rests or not known.reasons else None
    return "thinking", None


def _thinking(value: Any, drop: Drop) -> dict[str, Any]:
    if value is None:
        return {}
    thinking = an_object(value, "thinking")
    check_members(thinking, THINKING, "thinking", drop)
    if thinking.get("type") not in THINKING_TYPES:
        invalid("thinking.type", f"one of {', '.join(THINKING_TYPES)}", thinking.get("type"))
    if thinking["type"] == "between_tools":
        refuse("thinking", "OpenAI's models cannot be told to think between tool calls only", drop)
        return {}
    return thinking


def _asked(params: dict[str, Any]) -> str | None:
    config = params.get("output_config")
    asked = an_object(config, "output_config").get("effort") if config is not None else None
    if asked is not None and asked not in ASKABLE:
        invalid("output_config.effort", f"one of {', '.join(ASKABLE)}", asked)
    return a_string(asked, "output_config.effort") if asked is not None else None


def _by_budget(budget: Any) -> str:
    tokens = a_number(budget, "thinking.budget_tokens")
    return next((name for limit, name in BUDGETS if tokens < limit), "xhigh")


def _off(known: Traits, model: str, drop: Drop) -> str | None:
    least = known.efforts[0] if known.efforts else "none"
    if least in ("none", "minimal"):
        return least
    refuse("thinking", f"{model} always reasons", drop)
    return None


def _nearest(wanted: str, known: Traits) -> str:
    if known.reasons is None:
        return "xhigh" if wanted == "max" else wanted
    rank = EFFORTS.index(wanted)
    below = [name for name in known.efforts if EFFORTS.index(name) <= rank and name != "none"]
    return below[-1] if below else next(name for name in known.efforts if name != "none")
