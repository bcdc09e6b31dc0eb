"""`bifrost batch`: create, list, get, cancel, delete, results and wait."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bifrost_cli.cli.files import confirm
from bifrost_cli.cli.session import Session, duration, with_session
from bifrost_cli.errors import BifrostError, PartialError, UsageError

if TYPE_CHECKING:
    from bifrost_cli.cli.output import Output
    from bifrost_cli.cli.render import Screen
    from bifrost_cli.core.bifrost import Bifrost
    from bifrost_cli.core.plan import Plan
    from bifrost_cli.core.submit import Submission
    from bifrost_cli.models import Batch, BatchResult

app = typer.Typer(no_args_is_help=True, help="Create, follow and read batches of requests.")
CODES = "Exit codes: 0 done, 2 usage or input, 3 key, 4 not found, 5 refused, 6 rate limit, 7 provider or network"
WAIT_CODES = f"{CODES}, 8 not ended in time, 9 some requests did not succeed"
CREATE_CODES = f"{WAIT_CODES}, 10 a create may or may not have arrived."
Order = Literal["any", "input"]
Id = Annotated[str, typer.Argument(metavar="ID", help="A batch's id, such as msgbatch_01Ab or openai:batch_01ab.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Batches' ids.")]
OutputOption = Annotated[
    str | None, typer.Option("--output", "-o", help="Write results here as JSONL, whole or not at all; - is stdout.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
OrderOption = Annotated[Order, typer.Option("--order", help="Results in the provider's order, or the input's.")]
TimeoutOption = Annotated[
    str | None, typer.Option("--timeout", metavar="TIME", help="Wait no longer than this, e.g. 90s, 15m or 24h.")
]
PollOption = Annotated[
    str | None, typer.Option("--poll", metavar="TIME", help="Ask this often; otherwise often at first, then less.")
]


@app.command(
    "create", epilog=f"Example: bifrost batch create requests.jsonl -p openai --wait -o results.jsonl\n\n{CREATE_CODES}"
)
@with_session()
def create(
    *,
    session: Session,
    input: Annotated[str | None, typer.Argument(metavar="INPUT", help="Requests as JSON lines; - reads stdin.")] = None,
    file_id: Annotated[
        str | None, typer.Option("--file-id", metavar="ID", help="An input uploaded before, in the provider's form.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="For requests that name none.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="For requests that say none.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="OpenAI: responses, chat or auto.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Consent to losing a field the provider cannot take.")
    ] = None,
    anthropic_version: Annotated[str | None, typer.Option(help="Anthropic: the version header.")] = None,
    beta: Annotated[list[str] | None, typer.Option(help="Anthropic: a beta to ask for.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key gives the same batch, however often it is run.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Make a new batch, also if one of these requests was left.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all and show the plan; send nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end.")] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    timeout: TimeoutOption = None,
    poll: PollOption = None,
) -> None:
    """Create a batch. Nothing is sent unless every request can be; -o waits and writes the results."""
    from bifrost_cli.cli import render

    session.note_ids([file_id] if file_id else [])
    if (input is None) == (file_id is None):
        raise UsageError("Give either an input or --file-id.", hint="bifrost batch create requests.jsonl")
    screen = render.Screen(json=session.json, quiet=session.quiet)
    pace = {"timeout": duration(timeout) if timeout else None, "poll": duration(poll) if poll else None}
    defaults = {"model": model, "max_tokens": max_tokens}

    async def go(bifrost: "Bifrost") -> None:
        with ExitStack() as stack:
            if bifrost.given and not dry_run:
                bifrost.ready(bifrost.given)  # A missing key is known before a long input is read.
            planned = bifrost.plan_file(file_id) if file_id else _plan(bifrost, screen, input or "-", defaults)
            plan = stack.enter_context(planned)
            if dry_run:
                return screen.plan(plan.parts)
            place = stack.enter_context(_output(output, force)) if output else None
            submission = stack.enter_context(bifrost.submission(plan, key=idempotency_key, anew=new))
            batch = await _submit(submission, screen, session)
            session.resume = _resume(batch.id, output)
            _show_created(screen, batch, place)
            if wait or place:
                await _wait_and_read(bifrost, screen, session, batch.id, place, order, pace)

    flags = {"endpoint": endpoint} if endpoint else {}
    session.run(go, flags=flags, version=anthropic_version, betas=tuple(beta or ()), drop=frozenset(drop or ()))


@app.command("list", epilog=f"Example: bifrost batch list -p all --json | jq -r .id\n\n{CODES}.")
@with_session()
def list_(
    *,
    session: Session,
    limit: Annotated[int, typer.Option(min=1, help="How many of each provider, newest first.")] = 20,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table live, until Ctrl-C.")] = False,
) -> None:
    """List batches, newest first. `-p all` lists every configured provider."""
    from bifrost_cli.cli import live, render

    screen = render.Screen(json=session.json, quiet=session.quiet)
    if watch and not screen.tables:
        raise UsageError("--watch needs a terminal.", hint="For scripts there is `bifrost batch wait`.")

    async def listed(bifrost: "Bifrost") -> list["Batch"]:
        names = bifrost.configured() if session.provider == "all" else [bifrost.default]
        found = [batch for name in names async for batch in bifrost.list_batches(provider=name, limit=wanted)]
        return sorted(found, key=lambda batch: batch.created_at, reverse=True)

    async def keep(bifrost: "Bifrost") -> None:
        import asyncio

        with live.watching(screen) as draw:
            while True:
                draw(await listed(bifrost))
                await asyncio.sleep(2)

    wanted = None if all else limit
    if watch:
        session.run(keep)
    else:
        screen.batches(session.run(listed))


@app.command("get", epilog=f"Example: bifrost batch get openai:batch_01ab\n\n{CODES}.")
@with_session()
def get(*, session: Session, id: Id) -> None:
    """Show a batch as it is now."""
    from bifrost_cli.cli import render

    session.note_ids([id])
    batch = session.run(lambda bifrost: bifrost.get_batch(id))
    render.Screen(json=session.json, quiet=session.quiet).batch(batch)


@app.command("cancel", epilog=f"Example: bifrost batch cancel openai:batch_01ab\n\n{CODES}.")
@with_session()
def cancel(*, session: Session, ids: Ids) -> None:
    """Ask for a stop. What is finished stays readable; what runs may still succeed."""
    from bifrost_cli.cli import render

    session.note_ids(ids)
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        for id in ids:
            screen.batch(await bifrost.cancel_batch(id))

    session.run(go)


@app.command("delete", epilog=f"Example: bifrost batch delete msgbatch_01Ab --yes\n\n{CODES}.")
@with_session()
def delete(
    *,
    session: Session,
    ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete ended batches and their results, where the provider can. Asks first on a terminal."""
    from bifrost_cli.cli import render

    session.note_ids(ids)
    confirm(f"Delete {len(ids)} batch{'es' if len(ids) > 1 else ''} and the results?", yes)
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        for id in ids:
            await bifrost.delete_batch(id)
            screen.deleted(id, "message_batch")

    session.run(go)


@app.command("results", epilog=f"Example: bifrost batch results openai:batch_01ab | jq -r .custom_id\n\n{WAIT_CODES}.")
@with_session()
def results(
    *,
    session: Session,
    id: Id,
    output: OutputOption = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    errors_only: Annotated[bool, typer.Option("--errors-only", help="Only requests that did not succeed.")] = False,
) -> None:
    """Read an ended batch's results: every request once, as Anthropic's result lines."""
    from bifrost_cli.cli import render

    session.note_ids([id])
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        with ExitStack() as stack:
            place = stack.enter_context(_output(output, force)) if output else None
            await _read(bifrost, screen, id, place, order, errors_only)

    session.run(go)


@app.command("wait", epilog=f"Example: bifrost batch wait $ID --timeout 24h -o results.jsonl\n\n{WAIT_CODES}.")
@with_session()
def wait(
    *,
    session: Session,
    ids: Ids,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Then write the results here; with several ids, a folder.")
    ] = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    timeout: TimeoutOption = None,
    poll: PollOption = None,
) -> None:
    """Wait for batches to end."""
    from bifrost_cli.cli import render

    session.note_ids(ids)
    session.resume = f"bifrost batch wait {' '.join(ids)}"
    screen = render.Screen(json=session.json, quiet=session.quiet)
    pace = {"timeout": duration(timeout) if timeout else None, "poll": duration(poll) if poll else None}

    async def go(bifrost: "Bifrost") -> None:
        with ExitStack() as stack:
            places = {id: stack.enter_context(_output(path, force)) for id, path in _paths(ids, output).items()}
            ended = await _wait(bifrost, screen, ids, pace)
            if not places:
                return _show_ended(screen, ended)
            failed = [await _outcome(_read(bifrost, screen, id, place, order)) for id, place in places.items()]
            for error in filter(None, failed):
                raise error

    session.run(go)


# -- steps ------------------------------------------------------------------------------------------------------


def _plan(bifrost: "Bifrost", screen: "Screen", path: str, defaults: dict[str, Any]) -> "Plan":
    from bifrost_cli.cli import live
    from bifrost_cli.cli.input import opened
    from bifrost_cli.core import jsonl

    given = {name: value for name, value in defaults.items() if value is not None}
    with opened(path) as stream, live.counting(screen, "Checking requests") as counted:
        lines = live.each(jsonl.read(stream), counted)
        return bifrost.plan_batch(lines, source="stdin" if path == "-" else path, defaults=given)


async def _submit(submission: "Submission", screen: "Screen", session: Session) -> "Batch":
    from bifrost_cli.cli import live

    made: list[str] = []
    plan, run = submission.plan, submission.run
    if run.resumed:
        screen.resumed(run.created_at)

    def on_created(batch: "Batch") -> None:
        made.append(batch.id)
        session.resume = _resume("~".join(made), None)
        if len(plan.parts) > 1:
            screen.say(f"Created {batch.id} ({len(made)} of {len(plan.parts)})")

    with live.sending(screen, plan.name, sum(part.size for part in plan.parts)) as on_sent:
        return await submission.create(on_created=on_created, on_sent=on_sent)


def _show_created(screen: "Screen", batch: "Batch", place: "Output | None") -> None:
    """The id, as soon as it exists: on stdout, unless the results go there."""
    if place and place.is_stdout:
        screen.say(f"Created {batch.id}")
    else:
        screen.created(batch)


async def _wait_and_read(
    bifrost: "Bifrost",
    screen: "Screen",
    session: Session,
    id: str,
    place: "Output | None",
    order: Order,
    pace: dict[str, float | None],
) -> None:
    ended = await _wait(bifrost, screen, [id], pace)
    if place is None:
        return _show_ended(screen, ended)
    session.resume = f"bifrost batch results {id} -o {place.path}"
    await _read(bifrost, screen, id, place, order)


async def _wait(
    bifrost: "Bifrost", screen: "Screen", ids: list[str], pace: dict[str, float | None]
) -> dict[str, "Batch"]:
    """Follow batches to their ends, side by side."""
    import asyncio

    from bifrost_cli.cli import live

    ended: dict[str, Batch] = {}

    async def follow(id: str) -> None:
        async for batch in bifrost.wait_batch(id, **pace):
            ended[id] = batch
            waiting.update(id, batch)

    with live.Waiting(screen).shown() as waiting:
        outcomes = await asyncio.gather(*(_outcome(follow(id)) for id in dict.fromkeys(ids)))
    for error in filter(None, outcomes):
        raise error
    return ended


async def _outcome(work: Any) -> BifrostError | None:
    """What went wrong with one of several, so that the others go on."""
    try:
        await work
    except BifrostError as error:
        return error
    return None


def _show_ended(screen: "Screen", ended: dict[str, "Batch"]) -> None:
    if not screen.quiet:
        screen.batches(list(ended.values()))
    failed = {id: batch for id, batch in ended.items() if batch.request_counts.succeeded < batch.request_counts.total}
    failed |= {id: batch for id, batch in ended.items() if batch.errors}
    if failed:
        reasons = "; ".join(error.message for batch in failed.values() for error in (batch.errors or [])[:3])
        message = f"Some requests did not succeed. {reasons}".strip()
        raise PartialError(message, hint=f"See why: bifrost batch results {next(iter(failed))} --errors-only")


async def _read(
    bifrost: "Bifrost", screen: "Screen", id: str, place: "Output | None", order: Order, errors_only: bool = False
) -> None:
    """Deliver a batch's results and say how it came out. Raises PartialError where some did not succeed."""
    from bifrost_cli.cli import live
    from bifrost_cli.cli.render import Failures
    from bifrost_cli.core.results import Audit

    audit, failures = Audit(), Failures()

    async def wanted() -> AsyncIterator["BatchResult"]:
        async for result in bifrost.batch_results(id, order=order, audit=audit):
            failures.note(result)
            if not errors_only or result["result"]["type"] != "succeeded":
                yield result

    if place is None:
        await screen.results(wanted())
    else:
        with live.counting(screen, "Reading results") as counted:
            await _write(wanted(), place, counted)
    screen.summary(audit, failures)
    if not audit.agrees:
        raise BifrostError(f"The results of {id} do not match its requests: {audit.describe()}.")
    if audit.unsuccessful:
        raise PartialError(f"{audit.unsuccessful:,} of {audit.out:,} requests did not succeed.")


async def _write(results: AsyncIterator["BatchResult"], place: "Output", counted: Any) -> None:
    import orjson

    async for result in results:
        place.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))
        counted(1)
    place.finish()


def _output(path: str, force: bool) -> "Output":
    from bifrost_cli.cli.output import Output

    return Output(path, force=force)


def _paths(ids: list[str], output: str | None) -> dict[str, str]:
    """Where each batch's results go: the path itself, or files in the folder that it names for several."""
    if output is None or len(ids) == 1:
        return {ids[0]: output} if output else {}
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    return {id: str(folder / f"{id.replace(':', '-').replace('~', '+')}.jsonl") for id in ids}


def _resume(id: str, output: str | None) -> str:
    return f"bifrost batch wait {id}" + (f" -o {output}" if output else "")
