"""Bedrock's names of models: which are taken, what they come back as, and what sets the models apart."""

import re
from functools import cache

from bifrost_cli.sandbox.answers import UNKNOWN_MODEL
from bifrost_cli.sandbox.bedrock import aws

JOB_PATTERN = (
    r"(arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:(([0-9]{12}:custom-model/[a-z0-9-]{1,63}[.]{1}[a-z0-9-:]{1,63}/"
    r"[a-z0-9]{12}$)|(:foundation-model/([a-z0-9-]{1,63}[.]{1}[a-z0-9-]{1,63}([.]?[a-z0-9-]{1,63})([:][a-z0-9-]{1,63})"
    r"{0,2})|(([0-9a-zA-Z][_-]?)+)$)|([0-9]{12}:(inference-profile|application-inference-profile)/[a-zA-Z0-9-:.]+$)))|"
    r"([a-z0-9-]{1,63}[.]{1}[a-z0-9-]{1,63}([.]?[a-z0-9-]{1,63})([:][a-z0-9-]{1,63}){0,2})|(([0-9a-zA-Z][_-]?)+)"
)
"""What a job's model must look like (the SDK's service model)."""

_UNSUPPORTED = (
    "ai21.",
    "amazon.titan-text",
    "anthropic.claude-instant",
    "anthropic.claude-v2",
    "cohere.command",
    "stability.",
)
"""Families that are not among those documented for batch inference."""

_PROFILE = re.compile(r"(us|us-gov|eu|apac|jp|au|ca|global)\.")
_VERSION = re.compile(r"(-v\d+)?(:\d+)?(:\w+)?$")
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(?P<major>\d+)(?:-(?P<minor>\d{1,2}))?(?:-.*)?")


def name(model: str) -> str:
    """The name in an id or ARN, without the regions of a profile: `anthropic.claude-3-haiku-20240307-v1:0`."""
    return _PROFILE.sub("", model.rpartition("/")[2], count=1)


def short(model: str) -> str:
    """The name that a model's own vendor has for it: `claude-3-haiku-20240307`."""
    return _VERSION.sub("", name(model).partition(".")[2] or name(model))


def is_profile(model: str) -> bool:
    """Whether this names an inference profile, a model in several regions."""
    return "inference-profile/" in model or _PROFILE.match(model) is not None


def is_known(model: str) -> bool:
    """Whether there is such a model; names without a vendor are not (recorded)."""
    return UNKNOWN_MODEL not in model and ("." in model or model.startswith("arn:"))


def can_batch(model: str) -> bool:
    """Whether a job may run on this model."""
    return is_known(model) and not name(model).startswith(_UNSUPPORTED)


def speaks_anthropic(model: str) -> bool:
    """Whether its own body is a Messages request; an application's profile does not say, and counts as one."""
    return name(model).startswith("anthropic.") or "application-inference-profile/" in model


def arn(model: str, region: str) -> str:
    """What a job says its model is, whatever it was created with (recorded)."""
    if model.startswith("arn:"):
        return model
    if is_profile(model):
        return f"arn:aws:bedrock:{region}:{aws.ACCOUNT}:inference-profile/{model}"
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


@cache
def generation(model: str) -> tuple[int, int]:
    """Claude's: 4.5 as (4, 5); (0, 0) for a name that does not say."""
    match = _CLAUDE.fullmatch(short(model))
    return (int(match["major"]), int(match["minor"] or 0)) if match else (0, 0)
