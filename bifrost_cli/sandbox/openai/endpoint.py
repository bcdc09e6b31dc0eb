"""What the endpoints that a model answers at have in common."""

from collections.abc import Callable

from bifrost_cli.sandbox.account import Account
from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.openai.errors import Refusal, overloaded


def has_file(call: Call) -> Callable[[str], bool]:
    """Whether the caller has a file that has not expired."""
    return files_of(call.account, call.now)


def files_of(account: Account, now: float) -> Callable[[str], bool]:
    def found(id: str) -> bool:
        file = account.file(id)
        return file is not None and (file.expires is None or file.expires > now)

    return found


def refuse_triggers(text: str) -> None:
    """Raises the Refusal that a prompt asks for."""
    asked = triggers(text)
    if Trigger.ERROR in asked:
        raise Refusal("[sandbox] this request is refused, as its prompt asks")
    if Trigger.OVERLOADED in asked:
        raise overloaded()


def rate_headers() -> dict[str, str]:
    """These come with answers of models only (recorded); the sandbox never runs out."""
    return {
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-remaining-tokens": "1999999",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-reset-tokens": "1ms",
    }
