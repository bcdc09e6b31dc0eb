"""What was typed for batch commands, as their steps take it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bifrost_cli.cli.output import Output
from bifrost_cli.cli.session import Session, duration
from bifrost_cli.cli.skipped import Skipped
from bifrost_cli.config import Config, state_folder
from bifrost_cli.core import refs
from bifrost_cli.core.database import Database
from bifrost_cli.core.journal import Journal
from bifrost_cli.errors import UsageError

Order = Literal["any", "input"]


@dataclass
class Pace:
    """How long to wait and how often to ask; None leaves it to the core."""

    timeout: float | None
    poll: float | None

    @classmethod
    def of(cls, timeout: str | None, poll: str | None) -> "Pace":
        """From what was typed."""
        return cls(None if timeout is None else duration(timeout), None if poll is None else duration(poll))


@dataclass(frozen=True)
class Reading:
    """Which results, in which order."""

    order: Order = "any"
    errors_only: bool = False
    merged: bool = False
    input: str | None = None


@dataclass(frozen=True)
class Delivery:
    """What becomes of a batch that is created: whether it is waited for, how, and where its results go."""

    wait: bool
    output: str | None
    force: bool
    pace: Pace
    reading: Reading

    @property
    def waits(self) -> bool:
        """Results imply waiting."""
        return self.wait or self.output is not None

    def place(self) -> AbstractContextManager[Output | None]:
        """Where the results go. Raises UsageError where that cannot be written."""
        return nullcontext() if self.output is None else Output(self.output, force=self.force)


@dataclass(frozen=True)
class Requests:
    """The source of a batch: a path or an uploaded file, what its lines lack, and who takes the bad ones."""

    path: str | None
    file_id: str | None
    defaults: dict[str, Any]
    skipped: Skipped | None = None


@dataclass(frozen=True)
class Retry:
    """The input of a batch that is to be retried, and what its requests were encoded with."""

    path: str
    defaults: dict[str, Any]
    flags: dict[str, str]
    drop: list[str]


def check_source(input: str | None, file_id: str | None, *, changes: object) -> None:
    """Raise UsageError where not one source of requests is given, or options that would change a file's requests."""
    if (input is None) == (file_id is None):
        raise UsageError("Give either an input or --file-id.", hint="Try: bifrost batch create requests.jsonl")
    if file_id is not None and changes:
        raise UsageError(
            "An uploaded file goes as it is: no --model, --max-tokens, --endpoint, --drop or --skip-invalid.",
            hint="Give the requests themselves instead of --file-id.",
        )


def delivery_of(
    session: Session,
    *,
    wait: bool,
    output: str | None,
    force: bool,
    order: Order,
    timeout: str | None,
    poll: str | None,
) -> Delivery:
    """From what was typed; the session repeats it in the command that goes on with this one's work."""
    session.tail = tail_of(output, order, force=force)
    return Delivery(wait, output, force, Pace.of(timeout, poll), Reading(order))


def tail_of(output: str | None, order: Order, *, force: bool) -> list[str]:
    """What a command that goes on with this one's work repeats of it, for the results to come where they should."""
    if output is None:
        return []
    return ["-o", output, *(["--force"] if force else []), *(["--order", order] if order != "any" else [])]


def places(ids: Sequence[str], output: str | None) -> dict[str, str]:
    """Where each batch's results go: the path itself, or files in the folder that it names for several."""
    if output is None:
        return {}
    if len(set(ids)) == 1 and (not output or not Path(output).is_dir()):
        return {ids[0]: output}
    if output == "-":
        raise UsageError("The results of several batches do not go to stdout.", hint="Give -o the name of a folder.")
    try:
        Path(output).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output} cannot be a folder: {error.strerror}.") from error
    return {id: str(Path(output) / f"{id.replace(':', '-').replace('~', '+')}.jsonl") for id in ids}


def origin_of(session: Session, id: str, given: str | None) -> Retry:
    """Where a batch's requests came from: `given`, or what this machine's journal says.

    Its provider and options are taken over into the session. Raises UsageError where the input is not known.
    """
    config = Config.load(session.config)
    parts = refs.parse(id, given=session.provider)
    origin = Journal(Database(state_folder(config.environ))).origin(parts)
    path = given or (origin.source if origin and Path(origin.source).is_file() else None)
    if path is None:
        raise UsageError(f"The input of {id} is not known here.", hint=f"Give it: bifrost batch retry {id} INPUT")
    options = dict(origin.options) if origin else {}
    session.provider = options.pop("provider", None) or session.provider or parts[0].provider
    return Retry(path, options.pop("defaults", {}), drop=options.pop("drop", []), flags=options)
