"""`bifrost batch`: create, list, get, cancel, delete, results, wait, retry and reconcile."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bifrost_cli.cli.session import Session, with_session
from bifrost_cli.errors import BifrostError, UsageError

if TYPE_CHECKING:
    from bifrost_cli.core.bifrost import Bifrost
    from bifrost_cli.models import Batch

app = typer.Typer(no_args_is_help=True, help="Create, follow and read batches of requests.")
CODES = "Exit codes: 0 done, 2 usage or input, 3 key, 4 not found, 5 refused, 6 rate limit, 7 provider or network"
WAIT_CODES = f"{CODES}, 8 not ended in time, 9 some requests did not succeed"
CREATE_CODES = f"{WAIT_CODES}, 10 a create may or may not have arrived."
Id = Annotated[str, typer.Argument(metavar="ID", help="A batch's id, such as msgbatch_01Ab or openai:batch_01ab.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Batches' ids.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for its end.")]
OutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="Write results here, whole or not at all; - is stdout."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite the output.")]
OrderOption = Annotated[
    Literal["any", "input"],
    typer.Option("--order", metavar="any|input", help="Results in the provider's order, or the input's."),
]
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
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="For requests that name none.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, metavar="N", help="For requests that say none.")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="OpenAI: responses, chat or auto.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="Consent to losing a field the provider cannot take.")
    ] = None,
    anthropic_version: Annotated[
        str | None, typer.Option(metavar="DATE", help="Anthropic: the version header.")
    ] = None,
    beta: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Anthropic: a beta to ask for.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key gives the same batch, however often it is run.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Make a new batch, even where a run was interrupted.")] = False,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the good lines; keep the others, with reasons, in a file.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all and show the plan; send nothing.")] = False,
    wait: WaitOption = False,
    output: OutputOption = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    timeout: TimeoutOption = None,
    poll: PollOption = None,
) -> None:
    """Create a batch. Nothing is sent unless every request can be; -o waits and writes the results."""
    from bifrost_cli.cli import asked, render, steps
    from bifrost_cli.cli.skipped import Skipped

    session.note_ids([file_id] if file_id else [])
    asked.check_source(input, file_id, changes=model or max_tokens or endpoint or drop or skip_invalid)
    if idempotency_key == "":
        raise UsageError("--idempotency-key is empty.", hint="Is the variable that should hold it set?")
    skipped = Skipped.beside(output, input or "", force=force) if skip_invalid else None
    requests = asked.Requests(input, file_id, {"model": model, "max_tokens": max_tokens}, skipped)
    delivery = asked.delivery_of(
        session, wait=wait, output=output, force=force, order=order, timeout=timeout, poll=poll
    )
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        job = steps.Job(bifrost, screen, session)
        if dry_run:
            return job.show_plan(requests)
        await job.submit(requests, delivery, key=idempotency_key, anew=new)

    flags = {"endpoint": endpoint} if endpoint else {}
    session.run(go, flags=flags, version=anthropic_version, betas=tuple(beta or ()), drop=frozenset(drop or ()))


@app.command("list", epilog=f"Example: bifrost batch list -p all --json | jq -r .id\n\n{CODES}.")
@with_session()
def list_(
    *,
    session: Session,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many of each provider, newest first.")] = 20,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table live, until Ctrl-C.")] = False,
) -> None:
    """List batches, newest first. `-p all` lists every configured provider."""
    from bifrost_cli.cli import render
    from bifrost_cli.cli.listing import of_each
    from bifrost_cli.core.combine import group

    screen, every = render.Screen(json=session.json, quiet=session.quiet), session.takes_all()
    if watch and not screen.tables:
        raise UsageError("--watch needs a terminal.", hint="For scripts there is `bifrost batch wait`.")

    async def listed(bifrost: "Bifrost") -> tuple[list["Batch"], BifrostError | None]:
        names = bifrost.configured() if every else [bifrost.default]
        wanted = None if all else limit
        found, failed = await of_each(names, lambda name: bifrost.list_batches(provider=name, limit=wanted), screen)
        newest_first = sorted(found, key=lambda batch: batch.created_at, reverse=True)
        return group(newest_first, bifrost.journal.siblings), failed

    async def current(bifrost: "Bifrost") -> list["Batch"]:
        return (await listed(bifrost))[0]

    if watch:
        from bifrost_cli.cli import bars

        return session.run(lambda bifrost: bars.watch(screen, lambda: current(bifrost)))
    batches, failed = session.run(listed)
    screen.batches(batches)
    if failed:
        raise failed


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
    from bifrost_cli.cli import render, several

    session.note_ids(ids)
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        async def cancel(id: str) -> None:
            screen.batch(await bifrost.cancel_batch(id))

        await several.each(ids, cancel, screen, undone="not canceled")

    session.run(go)


@app.command("delete", epilog=f"Example: bifrost batch delete msgbatch_01Ab --yes\n\n{CODES}.")
@with_session()
def delete(
    *, session: Session, ids: Ids, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Delete ended batches and their results, where the provider can. Asks first on a terminal."""
    from bifrost_cli.cli import render, several

    session.note_ids(ids)
    screen = render.Screen(json=session.json, quiet=session.quiet)
    several.confirm(screen, f"Delete {len(ids)} batch{'es' if len(ids) > 1 else ''} and the results?", yes)

    async def go(bifrost: "Bifrost") -> None:
        async def delete(id: str) -> None:
            await bifrost.delete_batch(id)
            screen.deleted(id, "message_batch")

        await several.each(ids, delete, screen, undone="not deleted")

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
    input: Annotated[
        str | None, typer.Option("--input", metavar="FILE", help="The requests, for --order input; often known anyway.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The provider's own lines, untranslated and unaudited.")] = False,
    errors_only: Annotated[bool, typer.Option("--errors-only", help="Only requests that did not succeed.")] = False,
    merged: Annotated[
        bool, typer.Option("--merged", help="Of a retry: the whole, with what succeeded before.")
    ] = False,
) -> None:
    """Read an ended batch's results: every request once, as Anthropic's result lines."""
    from bifrost_cli.cli import asked, render, steps
    from bifrost_cli.cli.output import Output

    if raw and (errors_only or merged or order != "any"):
        raise UsageError("--raw gives the provider's lines as they are.", hint="Leave the other choices out.")
    if input and order != "input":
        raise UsageError("--input is for --order input.", hint="Give both, or leave it out.")
    session.note_ids([id])
    session.tail = asked.tail_of(output, order, force=force)
    session.resume = session.command("batch", "wait", id)
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        with ExitStack() as stack:
            place = stack.enter_context(Output(output, force=force)) if output is not None else None
            job = steps.Job(bifrost, screen, session)
            if raw:
                return await job.read_raw(id, place)
            await job.read(id, place, asked.Reading(order, errors_only, merged, input))

    session.run(go)


@app.command("wait", epilog=f"Example: bifrost batch wait $ID --timeout 24h -o results.jsonl\n\n{WAIT_CODES}.")
@with_session()
def wait(
    *,
    session: Session,
    ids: Ids,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="PATH", help="Then write the results here; of several ids, a folder."),
    ] = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    timeout: TimeoutOption = None,
    poll: PollOption = None,
) -> None:
    """Wait for batches to end."""
    from bifrost_cli.cli import asked, render, steps
    from bifrost_cli.cli.output import Output
    from bifrost_cli.errors import PartialError

    session.note_ids(ids)
    session.tail = asked.tail_of(output, order, force=force)
    session.resume = session.command("batch", "wait", *ids)
    screen = render.Screen(json=session.json, quiet=session.quiet)
    pace, reading = asked.Pace.of(timeout, poll), asked.Reading(order)

    async def go(bifrost: "Bifrost") -> None:
        job = steps.Job(bifrost, screen, session)
        with ExitStack() as stack:
            paths = asked.places(ids, output)
            places = {id: stack.enter_context(Output(path, force=force)) for id, path in paths.items()}
            ended, failed = await job.wait(ids, pace)
            left = [id for id in ids if id not in ended]
            try:
                await job.deliver(ended, places, reading)
            except PartialError as partial:
                failed = failed or partial
            if failed:
                session.resume = session.command("batch", "wait", *left)
                raise failed

    session.run(go)


@app.command("retry", epilog=f"Example: bifrost batch retry openai:batch_01ab --wait -o rest.jsonl\n\n{CREATE_CODES}")
@with_session()
def retry(
    *,
    session: Session,
    id: Id,
    input: Annotated[
        str | None, typer.Argument(metavar="INPUT", help="What the batch was made from; known where it was made.")
    ] = None,
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="All that did not succeed, not only expired and passing errors.")
    ] = False,
    wait: WaitOption = False,
    output: OutputOption = None,
    force: ForceOption = False,
    order: OrderOption = "any",
    timeout: TimeoutOption = None,
    poll: PollOption = None,
) -> None:
    """Send again what failed for a passing reason, under the same custom_ids, as a new batch."""
    from bifrost_cli.cli import asked, render, steps

    session.note_ids([id])
    delivery = asked.delivery_of(
        session, wait=wait, output=output, force=force, order=order, timeout=timeout, poll=poll
    )
    screen = render.Screen(json=session.json, quiet=session.quiet)
    origin = asked.origin_of(session, id, input)

    async def go(bifrost: "Bifrost") -> None:
        job = steps.Job(bifrost, screen, session)
        with delivery.place() as place:
            plan = await job.plan_retry(id, origin, all_failed=all_failed)
            if plan is None:
                return screen.say("Nothing to retry: no request failed for a passing reason (see --all-failed).")
            with plan:
                async with bifrost.submission(plan, parent=id) as submission:
                    await job.carry_out(submission, place, delivery)

    session.run(go, flags=origin.flags, drop=frozenset(origin.drop))


@app.command("reconcile", epilog=f"Example: bifrost batch reconcile\n\n{CODES}, 10 some could not be settled.")
@with_session(provider=False)
def reconcile(*, session: Session) -> None:
    """Look up creates whose outcome is not known here, after a crash, and note what became of them."""
    from bifrost_cli.cli import render
    from bifrost_cli.core.reconcile import reconcile
    from bifrost_cli.errors import OutcomeUnknownError

    settled = session.run(reconcile)
    render.Screen(json=session.json, quiet=session.quiet).settled(settled)
    if any(each.outcome == "open" for each in settled):
        raise OutcomeUnknownError("Some creates could not be settled.", hint="See the reasons above.")
