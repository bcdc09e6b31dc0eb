"""Locks: one holder each, whoever it is and however it ends, and files that serve again."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bifrost_cli.core import locks
from bifrost_cli.core.locks import Lock, Locks


@pytest.fixture
def ours(tmp_path: Path) -> Locks:
    return Locks(tmp_path / "locks")


@pytest.fixture
def theirs(tmp_path: Path) -> Locks:
    """As of another process."""
    return Locks(tmp_path / "locks")


def names(of: Locks) -> set[str]:
    """The files that are no spare ones."""
    return {path.name for path in of.folder.iterdir() if not path.name.startswith("spare-")}


def test_one_holds_it_until_it_is_let_go(ours: Locks, theirs: Locks) -> None:
    lock = ours.new("a")
    assert (theirs.take("a"), ours.take("a")) == (None, None)
    lock.release()
    lock.release()
    other = theirs.take("a")
    assert other
    assert ours.take("a") is None


def test_a_lock_that_nobody_has_is_let_go(ours: Locks, theirs: Locks) -> None:
    assert ours.new("a")
    assert theirs.take("a")


def test_a_process_that_is_killed_lets_go(ours: Locks) -> None:
    script = (
        "import sys; from pathlib import Path; from bifrost_cli.core.locks import Locks\n"
        "spare = Locks(Path(sys.argv[1])); spare.new('b').release(); lock = spare.new('a')\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(ours.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert ours.take("a") is None
        process.kill()
    assert ours.take("a")


def test_a_file_serves_one_run_after_another(ours: Locks, theirs: Locks) -> None:
    lock = ours.new("a")
    file = (ours.folder / "a").stat().st_ino
    lock.release()
    lock = ours.new("b")
    assert (ours.folder / "b").stat().st_ino == file
    assert theirs.take("b") is None
    assert theirs.take("a")


def test_who_opened_a_file_before_it_serves_another_run_does_not_hold_that(
    ours: Locks, theirs: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Lock] = [ours.new("a")]
    opened = Locks._open

    def slowly(of: Locks, path: str) -> locks._File:
        file = opened(of, path)
        while held:  # Meanwhile the run is let go, and so is what its file serves after it.
            held.pop().release()
            assert ours.new("b")
        return file

    monkeypatch.setattr(Locks, "_open", slowly)
    lock = theirs.take("a")
    assert lock
    monkeypatch.undo()
    assert ours.take("a") is None
    assert ours.take("b")


def test_of_many_one_at_a_time_holds_it(tmp_path: Path) -> None:
    holders, most = [0], [0]

    def hold(of: Locks) -> None:
        for _ in range(200):
            if lock := of.take("a"):
                holders[0] += 1
                most[0] = max(most[0], holders[0])
                time.sleep(0)
                holders[0] -= 1
                lock.release()

    threads = [threading.Thread(target=hold, args=[Locks(tmp_path)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_spare_files_are_few_and_end_with_the_process(ours: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SPARES", 2)
    held = [ours.new(str(number)) for number in range(5)]
    for lock in held:
        lock.release()
    assert names(ours) == set()
    assert len(list(ours.folder.iterdir())) == 2
    ours.close()
    assert list(ours.folder.iterdir()) == []


def test_what_was_left_long_ago_is_removed_but_not_what_is_held(ours: Locks, theirs: Locks) -> None:
    lock = theirs.new("held")
    for name in ("left", "new"):
        (ours.folder / name).touch()
    for name in ("left", "held"):
        os.utime(ours.folder / name, (time.time() - locks.OLD - 1,) * 2)
    ours.close()
    assert names(ours) == {"held", "new"}
    lock.release()


def test_a_folder_that_is_removed_meanwhile_is_made_anew(ours: Locks) -> None:
    ours.new("a").release()
    for path in ours.folder.iterdir():
        path.unlink()
    ours.folder.rmdir()
    lock = ours.new("b")
    assert ours.take("b") is None
    lock.release()
