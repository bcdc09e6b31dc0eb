"""Which files an account may use, and for how long."""

from collections.abc import Callable

from bifrost_cli.sandbox.account import Account, StoredFile
from bifrost_cli.sandbox.gemini.errors import FAILED_PRECONDITION, PERMISSION_DENIED, Refusal
from bifrost_cli.sandbox.http import Call

LIFE = 48 * 3600.0
"""Seconds that a file lives (documented); uploads count from the start of the upload (recorded 2026-08)."""

PROCESSING_SECONDS = 1.0
"""How long a video is processed at pace 1."""

UPLOADED, GENERATED = "UPLOADED", "GENERATED"
"""Where a file comes from, which is what is kept as its purpose."""

ACTIVE, PROCESSING = "ACTIVE", "PROCESSING"
MediaType = Callable[[str], str]


def find(account: Account, id: str, now: float) -> StoredFile:
    """A file that is there and has not expired. Raises the Refusal for any other."""
    file = account.file(id)
    if file is None or (file.expires is not None and file.expires <= now):
        raise missing_file(id)
    return file


def state(file: StoredFile, now: float, pace: float) -> str:
    """Videos are processed for a while, all else is active at once (documented)."""
    waiting = file.media_type.startswith("video/") and now < file.created + PROCESSING_SECONDS * pace
    return PROCESSING if waiting else ACTIVE


def find_active(account: Account, id: str, now: float, pace: float) -> StoredFile:
    """A file that can be used. Raises the Refusal for any other."""
    file = find(account, id, now)
    if state(file, now, pace) != ACTIVE:
        message = f"The File {id} is not in an ACTIVE state and usage is not allowed."
        raise Refusal(message, FAILED_PRECONDITION)
    return file


def media_type(call: Call) -> MediaType:
    """Tells the media type of a file that the caller can use now. Raises the Refusal for any other."""
    return media_type_of(call.account, call.now, call.sandbox.pace)


def media_type_of(account: Account, now: float, pace: float) -> MediaType:
    """The same for an account at a time."""
    return lambda id: find_active(account, id, now, pace).media_type


def missing_file(id: str) -> Refusal:
    """A file that is unknown, foreign or expired: one and the same answer (recorded 2025-04)."""
    return Refusal(f"You do not have permission to access the File {id} or it may not exist.", PERMISSION_DENIED)
