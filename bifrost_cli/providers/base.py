"""What an adapter is: one class per provider, all laid out alike.

An adapter is a light object over a shared HTTP client. Ids go in and come out as the provider's own (*native*);
`core` makes them ids that route themselves. Capabilities default to no, and what is not offered raises
UnsupportedError before any request.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from bifrost_cli.bodies import Source
from bifrost_cli.config import Setting, Settings
from bifrost_cli.errors import ConfigError, UnsupportedError
from bifrost_cli.models import Batch, BatchResult, File, Page, Request, errored
from bifrost_cli.providers.encoder import Encoder, Line
from bifrost_cli.transport import Client, Transport


@dataclass(frozen=True)
class Capabilities:
    """What a provider offers; each defaults to no."""

    list_files: bool = False
    upload_files: bool = False
    download_uploads: bool = False
    """Files that were uploaded can be downloaded again (everywhere, what the provider generated can)."""
    expiring_files: bool = False
    """`expires_in` is accepted at upload."""
    purposes: tuple[str, ...] = ()
    batches: bool = False
    delete_batch: bool = False
    batch_from_file: bool = False
    """A batch can be created from a file that was uploaded in the provider's own form."""
    live_counts: bool = False
    """Counts move while the batch runs."""
    returns_input: bool = False
    """`batch_inputs` can read which requests went in."""
    finds_by_tag: bool = False
    """`find_batch` settles an intent by its tag alone."""
    messages: bool = False
    count_tokens: bool = False
    list_models: bool = False


@dataclass(frozen=True)
class Limits:
    """Of one provider batch. `one_model`: all its requests name the same model."""

    max_requests: int
    max_bytes: int
    one_model: bool = False
    min_requests: int = 1


@dataclass(frozen=True)
class Framing:
    """How encoded lines become the body that creates a batch: `prefix line separator line … suffix`."""

    prefix: bytes = b""
    separator: bytes = b"\n"
    suffix: bytes = b"\n"


@dataclass(frozen=True)
class Context:
    """What a caller may ask of every call: Anthropic's version and betas, and fields it consents to lose.

    `attempts` is how often a call is sent at most, where that is not the transport's to say.
    """

    version: str | None = None
    betas: tuple[str, ...] = ()
    drop: frozenset[str] = frozenset()
    attempts: int | None = None


@dataclass(frozen=True)
class Part:
    """One provider batch to create: encoded lines in a spool (framed as the adapter says), or a file uploaded before.

    `tag` is the intent's own mark, which the provider keeps where it can, so that a lost answer can be looked up.
    """

    model: str
    endpoint: str
    tag: str
    requests: int = 0
    source: Source | None = None
    file_id: str | None = None


class Provider(ABC):
    """The adapter contract. Methods raise errors of `bifrost_cli.errors`, naming the provider."""

    name: ClassVar[str]
    title: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]]
    capabilities: ClassVar[Capabilities]
    limits: ClassVar[Limits]
    framing: ClassVar[Framing] = Framing()

    def __init__(self, settings: Settings, client: Client, context: Context = Context()) -> None:
        self.config = settings
        self.context = context
        self.client = client

    @cached_property
    def http(self) -> Transport:
        """The provider's wire, connected on first use: encoding needs no key."""
        self.require()
        transport = self.connect(self.client)
        transport.attempts = self.context.attempts or transport.attempts
        return transport

    # -- configuration ------------------------------------------------------------------------------------------

    def require(self) -> None:
        """Raise ConfigError where a required setting is missing."""
        for setting in self.settings:
            if setting.required and setting.name not in self.config:
                variables = " or ".join(setting.env)
                raise ConfigError(f"{self.name} needs {setting.help}: set {variables}.", provider=self.name)

    @abstractmethod
    def connect(self, client: Client) -> Transport:
        """The transport with this provider's address, credentials and error reader."""

    # -- pure: no I/O -------------------------------------------------------------------------------------------

    @abstractmethod
    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        """Translates canonical requests that have these params but for their messages, which are not looked at.

        Raises UnsupportedError naming the field that has no place there and is not in `context.drop`.
        """

    def encode(self, request: Request) -> Line:
        """One canonical request in the provider's form; raises as its encoder does."""
        params = request["params"]
        return self.encoder(params).encode(request["custom_id"], params["messages"])

    @classmethod
    def owns(cls, line: dict[str, Any]) -> bool:
        """Whether an input line is in this provider's own batch form, rather than the canonical one."""
        return False

    @classmethod
    def own_body(cls, line: dict[str, Any]) -> dict[str, Any]:
        """The object, in a line that `owns` says yes to, whose member `model` says where it goes; empty without one."""
        return {}

    def encode_own(self, line: dict[str, Any]) -> Line:
        """A line that `owns` says yes to, as it goes out. Raises InvalidRequestError where it cannot."""
        raise UnsupportedError(f"{self.name} has no batch form of its own.", provider=self.name)

    @classmethod
    def read_own(cls, line: dict[str, Any], drop: frozenset[str] = frozenset()) -> Request:
        """A line that `owns` says yes to as a canonical request, for another provider.

        Raises UnsupportedError naming the field that the canonical form has no place for and that is not in `drop`,
        InvalidRequestError where a value is none that any provider takes. What every request must have is left to the
        caller to check.
        """
        raise UnsupportedError(f"{cls.name} has no batch form of its own.", provider=cls.name)

    def models_used(self, params: dict[str, Any]) -> Iterator[str]:
        """The models that a canonical request names: its own, those to fall back to, and those of its tools."""
        yield str(params.get("model"))
        fallbacks, tools = params.get("fallbacks"), params.get("tools")
        for named in fallbacks if isinstance(fallbacks, list) else [{"model": fallbacks}] if fallbacks else []:
            yield str(named.get("model") if isinstance(named, dict) else named)
        for tool in tools if isinstance(tools, list) else []:
            if isinstance(tool, dict) and "model" in tool:
                yield str(tool["model"])

    def kept_used(self, params: dict[str, Any]) -> Iterator[str]:
        """The ids of what is kept at the provider, and a canonical request names: files, containers and skills.

        All of them, in whatever place; an id that is none is for the provider to refuse.
        """
        yield from (str(id) for id in block_members(params, "file_id"))
        container = params.get("container")
        if isinstance(container, dict):
            yield from (str(skill) for skill in container.get("skills") or [] if not _is_built_in(skill))
            container = container.get("id")
        if container is not None:
            yield str(container)

    def missing_result(self, batch: Batch, custom_id: str, line: int) -> BatchResult:
        """The outcome of a request (at 1-based `line` of the input) that an ended batch's results do not mention."""
        return errored(custom_id, "api_error", f"{self.title}'s results do not mention this request.")

    def quota_refused(self, batch: Batch) -> bool:
        """Whether an ended batch ran nothing because the account had too much enqueued: it may be created again."""
        return False

    def check_part(self, requests: int, model: str) -> None:
        """Raise UnsupportedError, with the numbers, where a provider batch of this many requests would be refused."""
        if not self.limits.min_requests <= requests <= self.limits.max_requests:
            least, most = self.limits.min_requests, self.limits.max_requests
            what = f"{requests:,} requests of {model}" if model else f"{requests:,} requests"
            message = f"{what}: a batch at {self.title} holds {least:,} to {most:,}."
            raise UnsupportedError(message, provider=self.name)

    def runs_here(self, id: str) -> bool:
        """Whether a batch's work is done by this process, in `run_batch`, rather than by the provider."""
        return False

    # -- files --------------------------------------------------------------------------------------------------

    @abstractmethod
    async def upload_file(
        self,
        source: Source,
        *,
        filename: str,
        media_type: str,
        purpose: str | None = None,
        expires_in: int | None = None,
    ) -> File:
        """Upload; `expires_in` is in seconds."""

    @abstractmethod
    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        """A page of at most `limit` files, newest first; `after` is the `next` of the page before."""

    @abstractmethod
    async def get_file(self, id: str) -> File:
        """A file's metadata."""

    @abstractmethod
    async def delete_file(self, id: str) -> None:
        """Delete a file."""

    @abstractmethod
    def download_file(self, id: str) -> AsyncIterator[bytes]:
        """A file's content, block by block."""

    # -- batches ------------------------------------------------------------------------------------------------

    @abstractmethod
    async def create_batch(self, part: Part) -> Batch:
        """Create one provider batch. Never repeated unless it surely did not arrive; else OutcomeUnknownError."""

    @abstractmethod
    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        """A page of at most `limit` batches, newest first."""

    @abstractmethod
    async def get_batch(self, id: str) -> Batch:
        """A batch as it is now, with `raw` for the calls that follow."""

    @abstractmethod
    async def cancel_batch(self, id: str) -> Batch:
        """Ask for a stop; requests already running may still succeed."""

    async def delete_batch(self, id: str) -> None:
        """Delete an ended batch and its results."""
        raise UnsupportedError(f"{self.title} has no way to delete a batch.", provider=self.name)

    async def run_batch(self, id: str) -> None:
        """Do, or go on with, the work of a batch that `runs_here`, until it has ended.

        May be stopped at any time and called again, also from another machine: what is done is kept.
        """
        return

    @abstractmethod
    def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        """What an ended batch's result files say, in Anthropic's form, in the provider's order.

        Requests that they do not mention are left to `missing_result`.
        """

    def raw_results(self, batch: Batch) -> AsyncIterator[bytes]:
        """The same lines as the provider has them, untranslated."""
        raise self._no("results of its own form")

    def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        """The custom_ids that went in, in input order, read from what the provider kept."""
        raise UnsupportedError(f"{self.title} does not give a batch's input back.", provider=self.name)

    @abstractmethod
    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        """The batch that a create of `part` after `since` made, or None where there is none.

        `taken` are native ids that are known to be others.

        Raises OutcomeUnknownError where the provider's list does not settle it.
        """

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        """Anthropic's message, the answer to one request; `params` has no `stream`."""
        raise self._no("messages")

    def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The same answer as Anthropic's events, in their order: message_start, blocks, message_delta, message_stop.

        Nothing is given before the provider has begun to answer, so that a refusal is raised as one. A failure
        later on is raised midway. Closing the iterator ends the call.
        """
        raise self._no("messages")

    async def count_tokens(self, params: dict[str, Any]) -> int:
        """The input tokens of a request, which needs no `max_tokens`."""
        raise self._no("a count of tokens")

    async def list_models(self) -> list[dict[str, Any]]:
        """The models as Anthropic lists them: `{"type": "model", "id", "display_name", "created_at"}`."""
        raise self._no("a list of models")

    def _no(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.title} has no {what} here.", provider=self.name)


def block_members(params: dict[str, Any], name: str) -> Iterator[Any]:
    """The values of every member of this name in the content of a canonical request, however deep."""
    return _members([params.get("messages"), params.get("system")], name)


def _members(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, list):
        for inner in value:
            yield from _members(inner, name)
    elif isinstance(value, dict):
        if name in value:
            yield value[name]
        for key, inner in value.items():
            if key != "input":  # The arguments of a tool, whose names are its own.
                yield from _members(inner, name)


def _is_built_in(skill: Any) -> bool:
    return isinstance(skill, dict) and skill.get("type") == "anthropic"
