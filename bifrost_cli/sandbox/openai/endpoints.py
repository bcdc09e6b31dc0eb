"""The endpoints that a batch can be for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bifrost_cli.sandbox.answers import Trigger, triggers
from bifrost_cli.sandbox.lines import EXPIRED, SUCCEEDED
from bifrost_cli.sandbox.openai import chat, chat_check, prompt, responses, responses_check
from bifrost_cli.sandbox.openai.endpoint import refuse_triggers

Body = Mapping[str, Any]
HasFile = Callable[[str], bool]

SUPPORTED = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)
"""Those that the vendor takes."""


@dataclass(frozen=True)
class Endpoint:
    """One that the sandbox can run. `content` is the member that a body cannot do without; `usage` names the
    members that count tokens: input, output, details of input, details of output."""

    label: str
    content: str
    check: Callable[[Any, HasFile], None]
    last_text: Callable[[Body], str]
    reply: Callable[[Body, str, int], dict[str, Any]]
    count: Callable[[Body], int]
    usage: tuple[str, str, str, str]

    def judge(self, body: Body, has_file: HasFile) -> bytes:
        """The letter of how a request ends once it is reached. Raises the Refusal that it gets."""
        self.check(body, has_file)
        text = self.last_text(body)
        refuse_triggers(text)
        return EXPIRED if Trigger.EXPIRE in triggers(text) else SUCCEEDED


ENDPOINTS = {
    "/v1/responses": Endpoint(
        "Responses",
        "input",
        responses_check.check,
        prompt.last_input,
        responses.reply,
        prompt.count_responses,
        ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"),
    ),
    "/v1/chat/completions": Endpoint(
        "Chat Completions",
        "messages",
        chat_check.check,
        prompt.last_message,
        chat.reply,
        prompt.count_chat,
        ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"),
    ),
}
