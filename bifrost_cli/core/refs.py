"""What an id says: provider and native ids, so that any machine with the keys can follow it.

`provider:native`; the home provider's own ids stay bare. Parts of a combined batch are joined by `~`.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from bifrost_cli.errors import UsageError
from bifrost_cli.providers import HOME, HOME_IDS, PROVIDERS

NATIVE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]*")


class Ref(NamedTuple):
    """One object of one provider; `native` is the provider's own id, checked before it enters any URL."""

    provider: str
    native: str

    def __str__(self) -> str:
        return join([self])


def join(refs: Iterable[Ref]) -> str:
    """The id of a batch made of these parts, of which one may itself be a combined one of another server's."""
    parts = [Ref(ref.provider, native) for ref in refs for native in ref.native.split("~")]
    return "~".join(ref.native if _is_bare(ref) else f"{ref.provider}:{ref.native}" for ref in parts)


def parse(text: str, *, given: str | None = None, default: str = HOME) -> tuple[Ref, ...]:
    """The parts of an id. `given` is the provider of a flag or header, `default` that of bare ids of no known form.

    Raises UsageError where the id is ill-formed or says another provider than `given`.
    """
    return tuple(_parse_part(part, given, default) for part in text.strip().split("~"))


def parse_one(text: str, *, given: str | None = None, default: str = HOME) -> Ref:
    """An id that cannot be a combined one, such as a file's."""
    return _parse_part(text.strip(), given, default)


def route(model: str, *, given: str | None = None, default: str = HOME) -> tuple[str, str]:
    """The provider of a request, and its model without the prefix that named it.

    Only a registered name before the first slash is a prefix; after any other word the slash is the model's own.
    """
    head, slash, rest = model.partition("/")
    if not slash or head not in PROVIDERS or not rest:
        return given or default, model
    if given and given != head:
        raise UsageError(f"model '{model}' is for {head}, but the provider given is {given}.")
    return head, rest


def check_provider(name: str) -> str:
    """`name`, if it is registered. Raises UsageError that lists the known."""
    if name not in PROVIDERS:
        raise UsageError(f"There is no provider '{name}'.", hint=f"Use one of: {', '.join(PROVIDERS)}.")
    return name


def _parse_part(text: str, given: str | None, default: str) -> Ref:
    head, colon, rest = text.partition(":")
    named = head if colon and head in PROVIDERS else None
    native = rest if named else text
    if not NATIVE.fullmatch(native):
        raise UsageError(f"'{text}' is not an id.", hint="Ids look like msgbatch_01Ab or openai:batch_01ab.")
    if named and given and named != given:
        raise UsageError(
            f"The id {text} is one of {named}, but the provider given is {given}.",
            hint=f"Leave the provider out; or write {given}:{text} if {given}'s own id has this form.",
        )
    return Ref(named or given or _of_bare(native, default), native)


def _of_bare(native: str, default: str) -> str:
    return HOME if native.startswith(HOME_IDS) else default


def _is_bare(ref: Ref) -> bool:
    return ref.provider == HOME and ":" not in ref.native
