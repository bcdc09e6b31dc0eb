"""`bifrost files`: upload, list, get, delete and download."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bifrost_cli.cli.session import Session, duration, with_session
from bifrost_cli.errors import BifrostError, UsageError

if TYPE_CHECKING:
    from bifrost_cli.core.bifrost import Bifrost
    from bifrost_cli.models import File

app = typer.Typer(no_args_is_help=True, help="Upload, list, get, delete and download files.")
CODES = "Exit codes: 0 done, 2 usage, 3 key, 4 not found, 5 refused, 6 rate limit, 7 provider or network."
Id = Annotated[str, typer.Argument(metavar="ID", help="A file's id, such as file_01Ab or openai:file-01ab.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Files' ids.")]
MEDIA_TYPES = {".jsonl": "application/jsonl", ".md": "text/markdown", ".csv": "text/csv", ".webp": "image/webp"}


@app.command("upload", epilog=f"Example: bifrost files upload paper.pdf -p openai\n\n{CODES}")
@with_session()
def upload(
    *,
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files to upload; - reads stdin.")],
    filename: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name to give it (needed for -; one file only).")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where the provider has purposes; .jsonl is batch input.")
    ] = None,
    mime_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Its media type; guessed from the name otherwise.")
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="TIME", help="Delete it after, e.g. 24h or 7d, if possible.")
    ] = None,
) -> None:
    """Upload files."""
    from bifrost_cli.cli import live, render
    from bifrost_cli.cli.input import as_file

    if filename and len(paths) > 1:
        raise UsageError("--filename names one file, and there are several.")
    if "-" in paths and not filename:
        raise UsageError("What comes from stdin has no name.", hint="Give it one with --filename.")
    seconds = None if expires_in is None else int(duration(expires_in))
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def send(bifrost: "Bifrost", source: Path, name: str) -> "File":
        with live.sending(screen, name, source.stat().st_size) as on_sent:
            return await bifrost.upload_file(
                source,
                filename=name,
                media_type=mime_type or media_type(name),
                purpose=purpose,
                expires_in=seconds,
                on_sent=on_sent,
            )

    async def go(bifrost: "Bifrost") -> None:
        with ExitStack() as stack:
            sources = [stack.enter_context(as_file(path)) for path in paths]  # None is sent if one cannot be read.
            for path, source in zip(paths, sources, strict=True):
                screen.file(await send(bifrost, source, filename or Path(path).name))

    session.run(go)


@app.command("list", epilog=f"Example: bifrost files list -p openai --all --json | jq .filename\n\n{CODES}")
@with_session()
def list_(
    *,
    session: Session,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many, newest first.")] = 20,
    all: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """List files, newest first. `-p all` lists every configured provider."""
    from bifrost_cli.cli import render
    from bifrost_cli.cli.listing import of_each

    screen, every = render.Screen(json=session.json, quiet=session.quiet), session.takes_all()

    async def listed(bifrost: "Bifrost") -> tuple[list["File"], BifrostError | None]:
        names = bifrost.configured() if every else [bifrost.default]
        wanted = None if all else limit
        return await of_each(names, lambda name: bifrost.list_files(provider=name, limit=wanted), screen)

    files, failed = session.run(listed)
    screen.files(files)
    if failed:
        raise failed


@app.command("get", epilog=f"Example: bifrost files get openai:file-01ab\n\n{CODES}")
@with_session()
def get(*, session: Session, id: Id) -> None:
    """Show a file's metadata."""
    from bifrost_cli.cli import render

    session.note_ids([id])
    file = session.run(lambda bifrost: bifrost.get_file(id))
    render.Screen(json=session.json, quiet=session.quiet).file(file)


@app.command("delete", epilog=f"Example: bifrost files delete file_01Ab file_02Cd --yes\n\n{CODES}")
@with_session()
def delete(
    *,
    session: Session,
    ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete files. Asks first on a terminal."""
    from bifrost_cli.cli import render, several

    session.note_ids(ids)
    screen = render.Screen(json=session.json, quiet=session.quiet)
    several.confirm(screen, f"Delete {len(ids)} file{'s' if len(ids) > 1 else ''}?", yes)

    async def go(bifrost: "Bifrost") -> None:
        async def delete(id: str) -> None:
            await bifrost.delete_file(id)
            screen.deleted(id, "file")

        await several.each(ids, delete, screen, undone="not deleted")

    session.run(go)


@app.command("download", epilog=f"Example: bifrost files download openai:file-01ab -o out.jsonl\n\n{CODES}")
@with_session()
def download(
    *,
    session: Session,
    id: Id,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="Where to; - is stdout. Default: the file's own name, here."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite.")] = False,
) -> None:
    """Download a file's content."""
    from bifrost_cli.cli import live, render
    from bifrost_cli.cli.output import Output

    session.note_ids([id])
    screen = render.Screen(json=session.json, quiet=session.quiet)

    async def go(bifrost: "Bifrost") -> None:
        file = await bifrost.get_file(id)
        with Output(output or own_name(file.filename, file.id), force=force) as place:
            with live.receiving(screen, file.filename, file.size_bytes) as on_received:
                async for block in bifrost.download_file(id):
                    place.write(block)
                    on_received(len(block))
            place.finish()
        if not place.is_stdout:
            screen.say(f"Wrote {place.path}.")

    session.run(go)


def own_name(filename: str, id: str) -> str:
    """The last component of a name from outside, or one made from the id where there is none that is safe."""
    name = filename.replace("\\", "/").rpartition("/")[2].strip()
    safe = "".join(letter for letter in name if letter.isprintable())
    return safe if safe and safe not in (".", "..") and not safe.startswith("-") else id.replace(":", "-")


def media_type(filename: str) -> str:
    """Guessed from the name's ending."""
    import mimetypes

    known = MEDIA_TYPES.get(Path(filename).suffix.lower())
    return known or mimetypes.guess_type(filename)[0] or "application/octet-stream"
