"""How much a model thinks: `thinking` and `output_config.effort` as thinking_budget (2.5) or thinking_level (3 on)."""

from typing import Any

from bifrost_cli.providers.gemini.checks import Terms, a_whole, an_object, check_members, invalid, refuse
from bifrost_cli.providers.gemini.models import LEVELS, Traits

EFFORTS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH", "max": "XHIGH"}
TOKENS = {"low": 1024, "medium": 8192, "high": 24_576}
"""What Google's own OpenAI-compatible endpoint makes of an effort for 2.5 models (documented); above, all they take."""
BUDGETS = ((2048, "LOW"), (8192, "MEDIUM"), (24_576, "HIGH"))
"""`budget_tokens` below the first number is the level beside it; above all of them it is XHIGH. A choice of ours."""
DYNAMIC = -1
THINKING_TYPES = ("enabled", "adaptive", "disabled", "between_tools")
THINKING = frozenset({"type", "budget_tokens", "display"})
DISPLAYS = (None, "summarized", "omitted")


def config(params: dict[str, Any], terms: Terms) -> dict[str, Any]:
    """The thinking_config; empty where the request leaves thinking to the model.

    A level that the model does not have becomes the nearest below it, or else its lowest; a budget is brought into
    the model's range. `budget_tokens` goes before an effort where the model takes budgets, and after it elsewhere.
    """
    thinking, effort = _thinking(params.get("thinking"), terms), _effort(params)
    kind = thinking.get("type")
    if kind == "disabled":
        return _off(params["model"], terms)
    if kind is None and effort is None:
        return {}
    if not terms.traits.thinks:
        refuse("thinking" if kind else "output_config.effort", f"{params['model']} does not think", terms.drop)
        return {}
    amount = (_budget if terms.traits.budget else _level)(thinking, effort, terms.traits)
    shown = kind is not None and thinking.get("display") != "omitted"
    return {**amount, "include_thoughts": True} if shown else amount


def _thinking(value: Any, terms: Terms) -> dict[str, Any]:
    if value is None:
        return {}
    thinking = an_object(value, "thinking")
    check_members(thinking, THINKING, "thinking", terms.drop)
    if thinking.get("type") not in THINKING_TYPES:
        invalid("thinking.type", f"one of {', '.join(THINKING_TYPES)}", thinking.get("type"))
    if thinking.get("display") not in DISPLAYS:
        invalid("thinking.display", "summarized or omitted", thinking["display"])
    if thinking["type"] == "enabled":
        a_whole(thinking.get("budget_tokens"), "thinking.budget_tokens")
    if thinking["type"] == "between_tools":
        refuse("thinking", "Gemini's models cannot be told to think between tool calls only", terms.drop)
        return {}
    return thinking


def _effort(params: dict[str, Any]) -> str | None:
    given = params.get("output_config")
    effort = an_object(given, "output_config").get("effort") if given is not None else None
    if effort is None:
        return None
    if not isinstance(effort, str) or effort not in EFFORTS:
        invalid("output_config.effort", f"one of {', '.join(EFFORTS)}", effort)
    return effort


def _off(model: str, terms: Terms) -> dict[str, Any]:
    traits = terms.traits
    if traits.pauses:
        return {"thinking_budget": 0}
    if traits.levels[:1] == ("MINIMAL",):
        return {"thinking_level": "MINIMAL"}
    if traits.thinks:
        refuse("thinking", f"{model} always thinks", terms.drop)
    return {}


def _budget(thinking: dict[str, Any], effort: str | None, traits: Traits) -> dict[str, Any]:
    least, most = traits.budget or (0, 0)
    if thinking.get("type") == "enabled":
        tokens = thinking["budget_tokens"]
    elif effort:
        tokens = TOKENS.get(effort, most)
    else:
        return {"thinking_budget": DYNAMIC}
    return {"thinking_budget": min(max(tokens, least), most)}


def _level(thinking: dict[str, Any], effort: str | None, traits: Traits) -> dict[str, Any]:
    if effort:
        return {"thinking_level": _nearest(EFFORTS[effort], traits)}
    if thinking["type"] == "enabled":
        tokens = thinking["budget_tokens"]
        wanted = next((level for limit, level in BUDGETS if tokens < limit), "XHIGH")
        return {"thinking_level": _nearest(wanted, traits)}
    return {"thinking_level": "MEDIUM"} if traits.rests else {}


def _nearest(wanted: str, traits: Traits) -> str:
    rank = LEVELS.index(wanted)
    below = [level for level in traits.levels if LEVELS.index(level) <= rank]
    return below[-1] if below else traits.levels[0]
