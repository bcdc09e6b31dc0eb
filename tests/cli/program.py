"""Ways to use the program as its users do: within this process, as a process with pipes, and on a terminal."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from bifrost_cli.cli.app import app
from bifrost_cli.sandbox import environment

PROGRAM = (sys.executable, "-m", "bifrost_cli")
PATIENCE = 60.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")
ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass
class Ran:
    """What one run of the program came to."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """stdout, one JSON object per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        """stdout, which is one JSON object."""
        (value,) = self.objects
        return value

    @property
    def words(self) -> list[str]:
        """stdout, one word per line, as `-q` prints ids."""
        return self.out.split()

    @property
    def error(self) -> dict[str, Any]:
        """The JSON object that stderr ends with."""
        value = json.loads(self.err.splitlines()[-1])
        assert value["type"] == "error"
        return value


def bifrost(*arguments: object, code: int | None = 0, input: str | bytes | None = None) -> Ran:
    """The program within this process. `code` is the exit code that is expected, None for any."""
    result = CliRunner().invoke(app, [str(each) for each in arguments], input=input, catch_exceptions=False)
    ran = Ran(result.exit_code, result.stdout, result.stderr)
    assert code is None or ran.code == code, ran
    return ran


def started(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    """The program as a process of its own, with pipes."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*PROGRAM, *(str(each) for each in arguments)]
    return subprocess.Popen(command, **{**pipes, "encoding": "utf-8", **options})


def line_of(process: subprocess.Popen[str], stream: str = "stdout") -> str:
    """The next line that a process writes."""
    source = getattr(process, stream)
    if not select.select([source], [], [], PATIENCE)[0]:
        process.kill()
        raise AssertionError(f"nothing came on {stream}")
    return str(source.readline())


def finished(process: subprocess.Popen[str], *, input: str | None = None) -> Ran:
    """What a process that was started comes to."""
    with process:
        try:
            out, err = process.communicate(input, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ran(process.returncode, out or "", err or "")


def piped(*arguments: object, input: str | None = None, **options: Any) -> Ran:
    """The program as a process of its own, to its end."""
    return finished(started(*arguments, **options), input=input)


def shell(script: str, **variables: str) -> Ran:
    """A script of `sh` that calls `bifrost`."""
    command = " ".join(PROGRAM)
    return finished(
        subprocess.Popen(
            ["sh", "-c", f'bifrost() {{ {command} "$@"; }}\n{script}'],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **variables},
        )
    )


@dataclass
class Terminal:
    """The program on a terminal of its own, as wide as asked; `raw` is all that it has written."""

    process: subprocess.Popen[bytes]
    handle: int
    raw: str = ""

    @property
    def text(self) -> str:
        """What was written, without what colours and moves."""
        return ESCAPES.sub("", self.raw)

    @property
    def lines(self) -> list[str]:
        """The lines written; of one that was drawn anew, the last state."""
        return [line.rpartition("\r")[2].rstrip() for line in self.text.replace("\r\n", "\n").split("\n")]

    def expect(self, words: str) -> str:
        """Wait until the words are written; the text so far."""
        self._read_until(lambda: words in self.text)
        assert words in self.text, self.text
        return self.text

    def type(self, keys: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        os.write(self.handle, keys.encode())

    def end(self, code: int | None = 0) -> str:
        """Wait for the end, which should be with this exit code; all of the text."""
        self._read_until(lambda: False)
        assert self.process.wait(PATIENCE) == code or code is None, self.text
        return self.text

    def _read_until(self, satisfied: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not satisfied() and time.monotonic() < deadline:
            ready, _, _ = select.select([self.handle], [], [], 0.1)
            if ready and not self._read():
                return

    def _read(self) -> bool:
        try:
            block = os.read(self.handle, 65536)
        except OSError:  # So Linux says that nobody has the terminal open any more.
            return False
        self.raw += block.decode()
        return bool(block)


@contextmanager
def on_terminal(*arguments: object, columns: int = 140, stdout: Any = None, **variables: str) -> Iterator[Terminal]:
    """The program on a terminal while it is used; `stdout` takes its stdout elsewhere."""
    handle, inner = pty.openpty()
    ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", ON_TERMINAL, *PROGRAM, *(str(each) for each in arguments)],
        stdin=inner,
        stdout=inner if stdout is None else stdout,
        stderr=inner,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", **variables},
    )
    os.close(inner)
    with process:
        try:
            yield Terminal(process, handle)
        finally:
            process.kill()
            os.close(handle)


def interrupt(process: subprocess.Popen[Any]) -> None:
    """What Ctrl-C sends."""
    process.send_signal(signal.SIGINT)


@dataclass
class Ahead:
    """The sandbox's clock, ahead of ours by some seconds."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.seconds


@dataclass
class Sandbox:
    """A sandbox that is served, and what its control routes say."""

    url: str
    client: httpx.Client = field(repr=False)
    ahead: Ahead
    _before: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)

    def environment(self, key: str) -> dict[str, str]:
        """The variables that point at it, with an account of its own for each key."""
        variables = environment(self.url)
        return {name: f"sandbox-{key}" if name.endswith("_API_KEY") else value for name, value in variables.items()}

    def fault(self, text: str) -> None:
        """Set faults."""
        self.client.post("/_sandbox/faults", json=text).raise_for_status()

    def clear(self) -> None:
        """Forget faults and log, and count from here."""
        self.client.delete("/_sandbox/faults").raise_for_status()
        self.client.delete("/_sandbox/log").raise_for_status()
        self.ahead.seconds = 0.0
        self._before = self._counts()

    def end_batches(self) -> None:
        """The time has come when all batches have ended, and none has expired."""
        self.ahead.seconds = 50_000.0

    def log(self) -> list[dict[str, Any]]:
        """The requests since `clear`."""
        return list(self.client.get("/_sandbox/log").json())

    def created(self, kind: str = "batches") -> int:
        """How many of these were created since `clear`, at all providers."""
        return sum(each.get(kind, 0) for each in self._counts().values()) - sum(
            each.get(kind, 0) for each in self._before.values()
        )

    def _counts(self) -> dict[str, dict[str, int]]:
        return dict(self.client.get("/_sandbox/counts").json())


def ask(custom_id: str = "a", text: str = "Say hello.", model: str | None = "m", **params: Any) -> dict[str, Any]:
    """A request in the canonical form."""
    named = {"model": model} if model else {}
    return {
        "custom_id": custom_id,
        "params": {**named, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **params},
    }


def written(path: str | Path, *requests: Any) -> Path:
    """A JSONL file of these lines."""
    Path(path).write_text("".join(json.dumps(each) + "\n" for each in requests))
    return Path(path)


def results_in(path: str | Path) -> dict[str, dict[str, Any]]:
    """The results in a file, by custom_id, each of which must be there once."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    found = {line["custom_id"]: line["result"] for line in lines}
    assert len(found) == len(lines)
    return found


def kinds(results: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What became of each request."""
    return {custom_id: result["type"] for custom_id, result in results.items()}


def unchanged(folder: Path, before: Sequence[str]) -> bool:
    """Whether a folder holds what it held, hidden files included."""
    return sorted(path.name for path in folder.iterdir()) == sorted(before)
