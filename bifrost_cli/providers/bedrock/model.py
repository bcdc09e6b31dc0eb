"""What a model's name says: whose it is, which of the two body forms it takes, and what its vendor calls some fields.

Names are ids (`anthropic.claude-haiku-4-5-20251001-v1:0`), ids of inference profiles (the same with `us.`, `eu.`,
`global.` … before it) and ARNs that end in one of these, or in letters that say nothing (application profiles).
"""

import re
from typing import Any
from urllib.parse import quote

from bifrost_cli.providers.bedrock.checks import (
    Drop,
    a_number,
    a_string,
    an_object,
    check_members,
    invalid,
    refuse,
    unsupported,
)

INVOKE = "InvokeModel"
CONVERSE = "Converse"
MODES = {"auto": None, "invoke": INVOKE, "converse": CONVERSE}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
VENDORS = "(amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen)"
VENDOR = re.compile(rf"(?:^|[./]){VENDORS}\.")
OF_PROFILE = re.compile(rf"(?:.*/)?[a-z-]+\.({VENDORS}\.[^/]+)")
BARE_CLAUDE = re.compile(r"claude-")
NOVA_2 = re.compile(r"amazon\.nova-2")
TOP_K = {"amazon": ("inferenceConfig", "topK"), "cohere": ("k",)}
"""Where `top_k` goes in `additionalModelRequestFields`, where that is not `top_k` (documented by the vendors)."""
THINKING = frozenset({"type", "budget_tokens", "display"})
EFFORTS = ("low", "medium", "high", "xhigh", "max")
NOVA_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
BUDGETS = ((2048, "low"), (8192, "medium"))
"""`budget_tokens` below the first number is the effort beside it; above all of them it is `high`. A choice of ours."""


def check_name(name: str) -> None:
    """Raise UnsupportedError where Bedrock surely has no model of this name."""
    if not NAME.fullmatch(name):
        unsupported("model", f"'{name}' is not a name of Bedrock's", "Use a model id, a profile id or an ARN.")
    if BARE_CLAUDE.match(name):
        hint = f"See the Bedrock console; mostly it is us.anthropic.{name}, perhaps with -v1:0 at the end."
        unsupported("model", "Bedrock's name of it begins with anthropic., or with a region and anthropic.", hint)


def endpoint_of(name: str, mode: str = "auto") -> str:
    """The job's `modelInvocationType`: Anthropic's own body for its models, Converse for the others.

    `mode` is the setting `body`, for profiles whose ARN does not say whose model it is.
    """
    return MODES[mode] or (INVOKE if vendor(name) == "anthropic" else CONVERSE)


def vendor(name: str) -> str | None:
    """Who made the model, where the name says it and it matters here."""
    found = VENDOR.search(name)
    return found[1] if found else None


def short(name: str) -> str:
    """An ARN's last part, which is the id; an id as it is."""
    return name.rpartition("/")[2]


def counted(name: str) -> str:
    """Whose tokens are counted: a profile's model, since CountTokens takes no profile (recorded 2025)."""
    found = OF_PROFILE.fullmatch(name)
    return found[1] if found else name


def in_path(name: str) -> str:
    """Percent-encoded for a path, slashes too."""
    return quote(name, safe="")


def top_k(name: str, value: float) -> dict[str, Any]:
    """`top_k` as the vendor's additional field."""
    *outer, last = TOP_K.get(vendor(name) or "", ("top_k",))
    field: dict[str, Any] = {last: value}
    for part in reversed(outer):
        field = {part: field}
    return field


def thinking(params: dict[str, Any], drop: Drop) -> dict[str, Any]:
    """`thinking` as the vendor's additional field: Anthropic's own, Nova 2's `reasoningConfig`; others have none.

    Nova 2 rests unless asked (documented), so `disabled` asks for nothing there.
    """
    given, name = an_object(params["thinking"], "thinking"), params["model"]
    kind = a_string(given.get("type"), "thinking.type")
    if vendor(name) == "anthropic":
        return {"thinking": given}
    check_members(given, THINKING, "thinking", drop)
    if not NOVA_2.search(name) or kind == "between_tools":
        refuse("thinking", f"Converse has no field for it that {short(name)} is known to take", drop)
        return {}
    if kind == "disabled":
        return {}
    if kind not in ("enabled", "adaptive"):
        invalid("thinking.type", "enabled, adaptive or disabled", kind)
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": _nova_effort(params, given)}}


def effort_goes_with_thinking(params: dict[str, Any]) -> bool:
    """Whether `thinking` takes the effort along, so that it is not said twice."""
    given = params.get("thinking")
    on = isinstance(given, dict) and given.get("type") in ("enabled", "adaptive")
    return on and bool(NOVA_2.search(params["model"]))


def effort(params: dict[str, Any]) -> str | None:
    """`output_config.effort`, checked."""
    config = params.get("output_config")
    asked = an_object(config, "output_config").get("effort") if config is not None else None
    if asked is not None and asked not in EFFORTS:
        invalid("output_config.effort", f"one of {', '.join(EFFORTS)}", asked)
    return asked


def _nova_effort(params: dict[str, Any], given: dict[str, Any]) -> str:
    if asked := effort(params):
        return NOVA_EFFORTS[asked]
    budget = given.get("budget_tokens")
    tokens = a_number(budget, "thinking.budget_tokens") if budget is not None else BUDGETS[0][0]
    return next((name for limit, name in BUDGETS if tokens < limit), "high")
