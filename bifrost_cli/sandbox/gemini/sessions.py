"""Resumable uploads under way, on disk: a folder for each, with what was announced and the bytes so far.

The folder's name is the upload's id, and that is the credential (recorded 2026-08): who has it needs no key. What is
never finished is forgotten with the rest of what crashes leave behind.
"""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bifrost_cli.sandbox.ids import MARK, fresh
from bifrost_cli.sandbox.store import Store

_ID = re.compile(rf"{MARK}[A-Za-z0-9]{{61}}")
ACTIVE, FINAL, CANCELLED = "active", "final", "cancelled"


@dataclass(frozen=True)
class Session:
    """An upload. `account` is the name of whose it is; `size` is what was announced, None when nothing was; times are
    unix seconds. `name` is the file's id when the caller has chosen one."""

    id: str
    account: str
    version: str
    started: float
    media_type: str
    display_name: str = ""
    name: str = ""
    size: int | None = None
    status: str = ACTIVE


class Sessions:
    """The uploads under way in a store."""

    def __init__(self, store: Store) -> None:
        self._folder = store.folder / "tmp"

    @staticmethod
    def new_id() -> str:
        return fresh(MARK, 61)

    def path(self, id: str) -> Path:
        return self._folder / f"upload-{id}"

    def content(self, id: str) -> Path:
        """Where the bytes are that have come so far."""
        return self.path(id) / "content"

    def save(self, session: Session) -> None:
        self.path(session.id).mkdir(exist_ok=True)
        self.content(session.id).touch()
        whole = self.path(session.id) / "session.new"
        whole.write_text(json.dumps(asdict(session)))
        whole.replace(self.path(session.id) / "session")

    def find(self, id: str) -> Session | None:
        if not _ID.fullmatch(id):
            return None
        try:
            return Session(**json.loads((self.path(id) / "session").read_text()))
        except FileNotFoundError:
            return None

    def remove(self, id: str) -> None:
        shutil.rmtree(self.path(id), ignore_errors=True)
