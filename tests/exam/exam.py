"""The exam: what every provider's adapter, and the core over it, must hold.

Nothing here knows a provider by name. What a provider does not offer is passed over by its capabilities; where things
must go wrong, the call to break is found by watching what the adapter does.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bifrost_cli.bodies import Source
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.results import Audit
from bifrost_cli.errors import (
    AuthError,
    BifrostError,
    ConfigError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    OutcomeUnknownError,
    OverloadedError,
    PendingError,
    RateLimitError,
    UpstreamError,
    UsageError,
)
from bifrost_cli.models import Batch, BatchResult
from bifrost_cli.providers import PROVIDERS
from tests.exam.subject import (
    MODEL,
    Call,
    Subject,
    everything,
    keyed,
    listed,
    own,
    pages,
    request,
    requests,
    results_of,
    said,
)
from tests.loopback import answer, closed_port, scripted

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400

ACCEPTED_NAMES = (
    "plain.txt",
    "two words.txt",
    "it's (1) [x] {y} & 50%.txt",
    "a;b=c, d.txt",
    "naïve résumé.txt",
    "日本語 файл.txt",
    "party 🎉.txt",
    f"{'long' * 62}.txt",
)
ACCEPTED_OR_REFUSED_NAMES = ('say "hi".txt', "back\\slash.txt", "50%22.txt", "what?.txt", "a<b>c|d*e:f.txt")
HOSTILE_IDS = ("..", "../x", "a/b", "a%2Fb", "a?b=c", "a#b", "a b", "a\\b", "a\x00b", "a\r\nb", "é", ".hidden", "")
TOOL = {"name": "weigh", "input_schema": {"type": "object", "properties": {"grams": {"type": "integer"}}}}
NONSENSE = (b"{}", b"[]", b"null", b"7", b'"hello"', b'{"data": 1}', b'{"data": [null]}', b"<html></html>", b"")
NONSENSICAL_LINES = (b"hello", b"{", b"{}", b"[]", b"null", b'{"custom_id": 7}', b'{"result": {}}')


def outcomes(results: Iterable[BatchResult]) -> dict[str, str]:
    return {result["custom_id"]: result["result"]["type"] for result in results}


def ids(results: Iterable[BatchResult]) -> list[str]:
    return [result["custom_id"] for result in results]


def reads(subject: Subject, bifrost: Bifrost) -> list[Callable[[], Awaitable[Any]]]:
    """Every call that only reads and names nothing."""
    return [lambda: listed(bifrost.list_files()), lambda: listed(bifrost.list_batches())]


def of_file(bifrost: Bifrost, id: str) -> list[Callable[[], Awaitable[Any]]]:
    """Every call that names a file."""
    return [
        lambda: bifrost.get_file(id),
        lambda: listed(bifrost.download_file(id)),
        lambda: bifrost.delete_file(id),
    ]


def of_batch(subject: Subject, bifrost: Bifrost, id: str) -> list[Callable[[], Awaitable[Any]]]:
    """Every call that names a batch."""
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: bifrost.get_batch(id),
        lambda: bifrost.cancel_batch(id),
        lambda: listed(bifrost.batch_results(id)),
        lambda: listed(bifrost.batch_results(id, order="input")),
        lambda: listed(bifrost.wait_batch(id)),
    ]
    return [*calls, lambda: bifrost.delete_batch(id)] if subject.capabilities.delete_batch else calls


async def error_of(call: Callable[[], Awaitable[Any]]) -> BifrostError:
    """What a call fails with, which must be of the tree."""
    with pytest.raises(BifrostError) as caught:
        await call()
    return caught.value


class Exam:
    """One test per claim. Each needs a subject and nothing else, so that it can be run on any."""

    # -- files --------------------------------------------------------------------------------------------------

    async def test_awkward_filenames_come_back_as_they_were_given(self, subject: Subject) -> None:
        subject.needs("upload_files", "list_files")
        async with subject.open() as bifrost:
            for name in ACCEPTED_NAMES:
                file = await subject.upload(bifrost, name=name)
                assert file.filename == name
                assert (await bifrost.get_file(file.id)).filename == name
            assert [file.filename async for file in bifrost.list_files()] == list(ACCEPTED_NAMES)[::-1]

    async def test_a_filename_is_kept_or_refused_and_never_changed(self, subject: Subject) -> None:
        subject.needs("upload_files")
        async with subject.open() as bifrost:
            for name in ACCEPTED_OR_REFUSED_NAMES:
                try:
                    file = await subject.upload(bifrost, name=name)
                except InvalidRequestError:
                    continue
                assert (await bifrost.get_file(file.id)).filename == name

    async def test_a_file_goes_up_is_seen_and_goes_away(self, subject: Subject) -> None:
        subject.needs("upload_files", "list_files")
        async with subject.open() as bifrost:
            kept = await subject.upload(bifrost, b"kept", "kept.txt")
            file = await subject.upload(bifrost, b"12345", "some.csv", media_type="text/csv")
            assert (file.filename, file.size_bytes, file.mime_type) == ("some.csv", 5, "text/csv")
            assert file.provider == subject.provider
            seen = await bifrost.get_file(file.id)
            assert (seen.id, seen.filename, seen.size_bytes) == (file.id, "some.csv", 5)
            assert {f.id for f in await listed(bifrost.list_files())} == {file.id, kept.id}
            await bifrost.delete_file(file.id)
            assert [f.id for f in await listed(bifrost.list_files())] == [kept.id]
            with pytest.raises(NotFoundError):
                await bifrost.get_file(file.id)

    async def test_the_bytes_of_a_file_come_back_unchanged(self, subject: Subject) -> None:
        content = b"a line\r\nanother\n\x00" + bytes(range(256)) * 3000
        async with subject.open() as bifrost:
            id = await self._downloadable(subject, bifrost, content)
            back = b"".join(await listed(bifrost.download_file(id)))
            assert (len(back), sha256(back).hexdigest()) == (len(content), sha256(content).hexdigest())

    async def test_a_download_that_breaks_is_an_error_and_never_a_short_file(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            id = await self._downloadable(subject, bifrost, b"some bytes " * 50_000)
            [call] = await subject.watch(listed(bifrost.download_file(id)))
            subject.upstream.fault("cut", call, times=None)
            with pytest.raises(NetworkError):
                await listed(bifrost.download_file(id))

    async def _downloadable(self, subject: Subject, bifrost: Bifrost, content: bytes) -> str:
        """A file that may be downloaded: an upload of whichever purpose allows it."""
        subject.needs("upload_files")
        for purpose in subject.capabilities.purposes or (None,):
            try:
                file = await subject.upload(bifrost, content, "image.png", media_type="image/png", purpose=purpose)
            except InvalidRequestError:
                continue
            if file.downloadable:
                return file.id
        pytest.skip(f"{subject.provider} gives no upload back")

    async def test_an_expiry_is_kept_or_refused(self, subject: Subject) -> None:
        subject.needs("upload_files")
        async with subject.open() as bifrost:
            if subject.capabilities.expiring_files:
                file = await subject.upload(bifrost, expires_in=2 * DAY)
                assert file.expires_at is not None
                assert abs(file.expires_at - file.created_at - timedelta(days=2)) < timedelta(seconds=2)
                assert (await bifrost.get_file(file.id)).expires_at == file.expires_at
            else:
                with pytest.raises(subject.refusal):
                    await subject.upload(bifrost, expires_in=2 * DAY)

    async def test_files_beyond_one_page_are_listed_once_and_newest_first(self, subject: Subject) -> None:
        subject.needs("upload_files", "list_files")
        async with subject.open() as bifrost:
            made = []
            for number in range(5):
                made.append((await subject.upload(bifrost, name=f"{number}.txt")).filename)
                subject.later(2)
            found = await pages(subject.adapter(bifrost).list_files, 2)
            assert [[file.filename for file in page] for page in found] == [made[:2:-1], made[2:0:-1], made[:1]]
            assert [file.filename async for file in bifrost.list_files(limit=3)] == made[:1:-1]

    # -- empty and missing --------------------------------------------------------------------------------------

    async def test_an_account_with_nothing_lists_nothing(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            for read in reads(subject, bifrost):
                assert await read() == []

    async def test_a_file_that_is_not_there_is_not_found(self, subject: Subject) -> None:
        subject.needs("upload_files")
        async with subject.open() as bifrost:
            id = (await subject.upload(bifrost)).id
            await bifrost.delete_file(id)
            for call in of_file(bifrost, id):
                error = await error_of(call)
                assert isinstance(error, NotFoundError)
                assert error.provider == subject.provider

    async def test_a_batch_that_is_not_there_is_not_found(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            id = await self._missing_batch(subject, bifrost)
            for call in of_batch(subject, bifrost, id):
                error = await error_of(call)
                assert isinstance(error, NotFoundError)
                assert error.provider == subject.provider

    async def _missing_batch(self, subject: Subject, bifrost: Bifrost) -> str:
        """The id of another account's batch."""
        async with subject.open(**{**keyed(subject.environ, subject.secrets), **subject.elsewhere()}) as other:
            return (await subject.create(other, requests(1))).id

    async def test_an_id_of_hostile_characters_is_refused_before_any_request(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            subject.upstream.forget_calls()
            for hostile in HOSTILE_IDS:
                for id in (hostile, f"{subject.provider}:{hostile}"):
                    for call in (*of_file(bifrost, id), *of_batch(subject, bifrost, id)):
                        assert isinstance(await error_of(call), UsageError)
            assert subject.upstream.calls() == []

    # -- a batch ------------------------------------------------------------------------------------------------

    async def test_a_batch_runs_to_its_end_and_each_answer_is_its_requests(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(5))
            assert batch.provider == subject.provider
            assert not batch.ended
            assert batch.expires_at > batch.created_at
            assert await self._ids_listed(bifrost) == [batch.id]
            subject.later()
            [batch] = await listed(bifrost.wait_batch(batch.id))
            assert batch.ended
            assert batch.ended_at is not None
            audit = Audit()
            results = await results_of(bifrost, batch.id, audit=audit)
            assert audit.agrees
            assert sorted(ids(results)) == [f"r{number}" for number in range(5)]
            for result in results:
                self._check_message(result)
                assert f"say {result['custom_id']}" in said(result)

    def _check_message(self, result: BatchResult) -> None:
        assert result["result"]["type"] == "succeeded"
        message = result["result"]["message"]
        assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
        assert message["id"].startswith("msg_")
        assert message["model"]
        assert {"input_tokens", "output_tokens"} <= message["usage"].keys()
        assert [block["type"] for block in message["content"]] == ["text"]

    async def _ids_listed(self, bifrost: Bifrost) -> list[str]:
        return [batch.id for batch in await listed(bifrost.list_batches())]

    async def test_text_of_any_alphabet_survives_the_round_trip(self, subject: Subject) -> None:
        text = 'naïve 日本語 файл 🎉 "quoted" \\back {"a":1}'
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, [request("a", text), request("b", f"line\u2028sep {text}")])
            results = await results_of(bifrost, batch.id, order="input")
            assert [text in said(result) for result in results] == [True, True]

    async def test_mixed_outcomes_arrive_as_what_they_are(self, subject: Subject) -> None:
        asked = {
            "good": request("good"),
            "bad": request("bad", "sandbox:error"),
            "busy": request("busy", "sandbox:overloaded"),
            "declined": request("declined", "sandbox:refuse"),
            "cut": request("cut", "sandbox:max_tokens"),
            "call": request("call", "sandbox:tool", tools=[TOOL]),
        }
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, asked.values())
            audit = Audit()
            results = {r["custom_id"]: r["result"] for r in await results_of(bifrost, batch.id, audit=audit)}
        assert audit.agrees
        assert {id: result["type"] for id, result in results.items()} == {
            "good": "succeeded",
            "bad": "errored",
            "busy": "errored",
            "declined": "succeeded",
            "cut": "succeeded",
            "call": "succeeded",
        }
        assert results["bad"]["error"]["type"] == "error"
        assert results["bad"]["error"]["error"]["type"] == "invalid_request_error"
        assert results["busy"]["error"]["error"]["type"] == "overloaded_error"
        assert all(results[id]["error"]["error"]["message"] for id in ("bad", "busy"))
        reasons = {id: results[id]["message"]["stop_reason"] for id in ("good", "declined", "cut", "call")}
        assert reasons == {"good": "end_turn", "declined": "refusal", "cut": "max_tokens", "call": "tool_use"}
        [call] = [block for block in results["call"]["message"]["content"] if block["type"] == "tool_use"]
        assert call["name"] == "weigh"
        assert isinstance(call["input"]["grams"], int)

    async def test_counts_at_the_end_are_those_of_the_results(self, subject: Subject) -> None:
        asked = [*requests(4), request("bad", "sandbox:error"), request("worse", "sandbox:error")]
        async with subject.open() as bifrost:
            counts = (await subject.ended(bifrost, asked)).request_counts
        assert (counts.succeeded, counts.errored, counts.processing) == (4 + subject.short_of(6), 2, 0)
        assert counts.total == 6 + subject.short_of(6)

    async def test_a_request_that_was_not_reached_is_expired(self, subject: Subject) -> None:
        """Some providers let only that request expire, some the batch."""
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, [request("good"), request("late", "sandbox:expire")])
            audit = Audit()
            results = outcomes(await results_of(bifrost, batch.id, audit=audit))
        assert audit.agrees
        assert results["late"] == "expired"
        assert results["good"] in ("succeeded", "expired")

    async def test_results_come_in_the_order_of_the_input_where_that_is_asked(self, subject: Subject) -> None:
        given = [f"r{number}" for number in range(20)]
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(20))
            native = await subject.adapter(bifrost).get_batch(batch.id.rpartition(":")[2])
            assert ids(own(await listed(subject.adapter(bifrost).batch_results(native)))) != given
            assert ids(await results_of(bifrost, batch.id, order="input")) == given
        if subject.capabilities.returns_input:
            async with subject.open(**subject.elsewhere()) as bifrost:
                assert ids(await results_of(bifrost, batch.id, order="input")) == given

    async def test_counts_sum_to_the_total_in_every_state(self, subject: Subject) -> None:
        asked = [*requests(8), request("bad", "sandbox:error"), request("late", "sandbox:expire")]
        async with subject.open() as bifrost:
            ending, cancelled = [await subject.create(bifrost, asked) for _ in range(2)]
            seen = [ending, cancelled]
            for moment in range(20):
                subject.later(0.25)
                seen += [await bifrost.get_batch(ending.id), await bifrost.get_batch(cancelled.id)]
                if moment == 5:
                    seen.append(await bifrost.cancel_batch(cancelled.id))
        assert {batch.processing_status for batch in seen} == {"in_progress", "canceling", "ended"}
        assert {batch.request_counts.total for batch in seen} == {10 + subject.short_of(10)}
        assert all(batch.request_counts.processing == 0 for batch in seen if batch.ended)

    async def test_counts_move_while_a_batch_runs_if_that_is_offered(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(10))
            done = []
            while not batch.ended:
                done.append(batch.request_counts.done)
                subject.later(0.25)
                batch = await bifrost.get_batch(batch.id)
        assert done == sorted(done)
        total = batch.request_counts.total
        assert any(0 < number < total for number in done) == subject.capabilities.live_counts

    async def test_batches_beyond_one_page_are_listed_once_and_newest_first(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            made = []
            for number in range(5):
                made.append((await subject.create(bifrost, [request(f"r{number}")])).id)
                subject.later(2)
            found = await pages(subject.adapter(bifrost).list_batches, 2)
            natives = [id.rpartition(":")[2] for id in made]
            assert [[batch.id.rpartition(":")[2] for batch in page] for page in found] == [
                natives[:2:-1],
                natives[2:0:-1],
                natives[:1],
            ]
            assert [batch.id async for batch in bifrost.list_batches(limit=3)] == made[:1:-1]

    async def test_results_asked_too_early_are_pending(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(2))
            for order in ("any", "input"):
                with pytest.raises(PendingError):
                    await results_of(bifrost, batch.id, order=order)

    async def test_a_cancelled_batch_gives_every_request_once(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            for elapsed in (0.0, 1.6):
                batch = await subject.create(bifrost, requests(10))
                subject.later(elapsed)
                batch = await bifrost.cancel_batch(batch.id)
                assert batch.processing_status == "canceling"
                assert batch.cancel_initiated_at is not None
                assert batch.request_counts.total == 10 + subject.short_of(10)
                subject.later()
                batch = await bifrost.get_batch(batch.id)
                assert batch.ended
                audit = Audit()
                results = await results_of(bifrost, batch.id, audit=audit)
                assert audit.agrees
                assert sorted(ids(results)) == sorted(f"r{number}" for number in range(10))
                assert Counter(outcomes(results).values())["canceled"] > 0
                assert set(outcomes(results).values()) <= {"succeeded", "canceled"}

    async def test_cancelling_what_has_ended_changes_nothing(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(2))
            assert (await bifrost.cancel_batch(batch.id)).processing_status == "ended"
            assert set(outcomes(await results_of(bifrost, batch.id)).values()) == {"succeeded"}

    async def test_an_expired_batch_gives_every_request_once(self, slow_subject: Subject) -> None:
        subject = slow_subject
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(10))
            subject.later(5 * DAY)
            audit = Audit()
            results = await results_of(bifrost, batch.id, audit=audit)
        assert audit.agrees
        assert sorted(ids(results)) == sorted(f"r{number}" for number in range(10))
        assert Counter(outcomes(results).values())["expired"] > 0
        assert set(outcomes(results).values()) <= {"succeeded", "expired"}

    async def test_a_deleted_batch_is_gone(self, subject: Subject) -> None:
        subject.needs("delete_batch")
        async with subject.open() as bifrost:
            kept, gone = await subject.ended(bifrost, requests(1)), await subject.ended(bifrost, requests(2))
            await bifrost.delete_batch(gone.id)
            assert await self._ids_listed(bifrost) == [kept.id]
            with pytest.raises(NotFoundError):
                await bifrost.get_batch(gone.id)

    async def test_requests_for_two_models_come_back_as_one_batch(self, subject: Subject) -> None:
        asked = [request(f"r{number}", model=f"{MODEL}-{number % 2}") for number in range(6)]
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, asked)
            assert len(batch.id.split("~")) == (2 if subject.kind.limits.one_model else 1)
            assert batch.request_counts.succeeded == 2 * (3 + subject.short_of(3))
            results = await results_of(bifrost, batch.id, order="input")
        assert ids(results) == [f"r{number}" for number in range(6)]
        assert [f"say r{number}" in said(result) for number, result in enumerate(results)] == [True] * 6

    async def test_a_batch_is_made_from_an_uploaded_file_where_that_is_offered(self, subject: Subject) -> None:
        subject.needs("batch_from_file")
        async with subject.open() as bifrost:
            lines = enumerate(subject.filled(requests(3)), 1)
            with bifrost.plan_batch(lines, source="exam", defaults={}) as plan:
                [part] = plan.parts
                options = {"purpose": "batch"} if "batch" in subject.capabilities.purposes else {}
                form = {"filename": "input.jsonl", "media_type": "application/jsonl", **options}
                path = subject.folder / "input.jsonl"
                path.write_bytes(part.spool.read())
                file = await bifrost.upload_file(path, **form)
            with bifrost.plan_file(file.id) as plan:
                batch = await bifrost.create_batch(plan)
            subject.later()
            results = await results_of(bifrost, batch.id)
        assert outcomes(results) == {f"r{number}": "succeeded" for number in range(3)}

    # -- results that do not add up -----------------------------------------------------------------------------

    async def test_lost_repeated_and_foreign_results_are_seen_and_put_right(self, subject: Subject) -> None:
        asked = [request(word, f"sandbox:{word}") for word in ("lose", "repeat", "swap")]
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, [*requests(3), *asked])
            audit = Audit()
            results = await results_of(bifrost, batch.id, audit=audit)
        assert sorted(ids(results)) == ["lose", "r0", "r1", "r2", "repeat", "swap"]
        assert {id for id, outcome in outcomes(results).items() if outcome == "errored"} == {"lose", "swap"}
        if not subject.whole:
            assert (audit.missing, audit.duplicate, audit.unknown, audit.unaccounted) == (2, 1, 1, 0)
            assert not audit.agrees

    async def test_a_lost_result_is_seen_on_a_machine_that_did_not_create_the_batch(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, [*requests(3), request("gone", "sandbox:lose")])
        async with subject.open(**subject.elsewhere()) as bifrost:
            audit = Audit()
            results = await results_of(bifrost, batch.id, audit=audit)
        if subject.whole:
            assert outcomes(results)["gone"] == "errored"
            return
        assert not audit.agrees
        if subject.capabilities.returns_input:
            assert outcomes(results)["gone"] == "errored"
            assert (audit.missing, audit.unaccounted) == (1, 0)
        else:
            assert audit.unaccounted == 1

    async def test_results_that_break_midway_go_on_without_repetition(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(600))
            calls = await subject.watch(listed(bifrost.batch_results(batch.id)))
            for call in calls:
                subject.upstream.fault("cut", call)
            subject.upstream.forget_calls()
            audit = Audit()
            results = await results_of(bifrost, batch.id, audit=audit)
            assert len(subject.upstream.calls()) > len(calls)
        assert audit.agrees
        assert sorted(ids(results)) == sorted(f"r{number}" for number in range(600))

    async def test_results_that_break_each_time_are_an_error_and_no_end(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(600))
            *_, call = await subject.watch(listed(bifrost.batch_results(batch.id)))
            subject.upstream.fault("cut", call, times=None)
            with pytest.raises(NetworkError):
                await results_of(bifrost, batch.id)

    async def test_ten_thousand_results_pass_in_flat_memory(self, subject: Subject) -> None:
        count = 10_000
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(count))
        given = {"environ": subject.environ, "providers": PROVIDERS, "provider": subject.provider, "id": batch.id}
        command = (sys.executable, "-m", "tests.exam.reading")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate(json.dumps(given).encode())
        read = json.loads(out)
        assert (read["results"], read["different"], read["agrees"]) == (count, count, True)
        assert read["peak"] < 8 * 1024 * 1024, "results are kept in memory"

    # -- who may, and what is offered ---------------------------------------------------------------------------

    async def test_a_bad_key_is_an_auth_error(self, subject: Subject) -> None:
        bad = {name: f"wrong-{name}" for name in subject.secrets}
        async with subject.open(**bad) as bifrost:
            for call in [*reads(subject, bifrost), lambda: subject.create(bifrost, requests(1))]:
                error = await error_of(call)
                assert isinstance(error, AuthError)
                assert error.provider == subject.provider
        assert subject.upstream.created() == 0

    async def test_without_a_key_nothing_is_sent_and_its_variable_is_named(self, subject: Subject) -> None:
        async with subject.open(**dict.fromkeys(subject.secrets, "")) as bifrost:
            subject.upstream.forget_calls()
            for call in [*reads(subject, bifrost), lambda: subject.create(bifrost, requests(1))]:
                error = await error_of(call)
                assert isinstance(error, ConfigError)
                assert any(name in str(error) for name in subject.secrets)
            assert subject.upstream.calls() == []

    async def test_what_is_not_offered_is_refused_before_any_request(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(1))
            native = await subject.adapter(bifrost).get_batch(batch.id.rpartition(":")[2])
            calls = self._not_offered(subject, bifrost, native)
            subject.upstream.forget_calls()
            for call in calls:
                assert isinstance(await error_of(call), subject.refusal)
            assert subject.upstream.calls() == []

    def _not_offered(self, subject: Subject, bifrost: Bifrost, batch: Batch) -> list[Callable[[], Awaitable[Any]]]:
        async def inputs() -> list[str]:
            return await listed(subject.adapter(bifrost).batch_inputs(batch))

        async def from_file() -> Batch:
            with bifrost.plan_file("file-1") as plan:
                return await bifrost.create_batch(plan)

        optional: dict[str, Callable[[], Awaitable[Any]]] = {
            "expiring_files": lambda: subject.upload(bifrost, expires_in=DAY),
            "delete_batch": lambda: subject.adapter(bifrost).delete_batch(batch.id),
            "batch_from_file": from_file,
            "returns_input": inputs,
        }
        missing = [call for name, call in optional.items() if not getattr(subject.capabilities, name)]
        return [*missing, lambda: subject.upload(bifrost, purpose="no-such-purpose")]

    async def test_no_secret_is_in_an_error_or_a_repr(self, subject: Subject) -> None:
        bad = {name: f"a-long-key-that-is-wrong-{name}" for name in subject.secrets}
        shown: list[str] = []
        async with subject.open(**bad) as bifrost:
            shown += [everything(await error_of(call)) for call in reads(subject, bifrost)]
        async with subject.open() as bifrost:
            id = await self._missing_batch(subject, bifrost)
            creating = await subject.creating(bifrost)
            for kind in ("429", "500", "reset-before"):
                subject.upstream.fault(kind, times=None, seconds=100.0 if kind == "429" else 0.0)
                calls = [*reads(subject, bifrost), *of_batch(subject, bifrost, id)[:1]]
                shown += [everything(await error_of(call)) for call in calls]
                subject.upstream.mend()
            subject.upstream.fault("500", creating)
            shown.append(everything(await error_of(lambda: subject.create(bifrost, requests(1)))))
            adapter = subject.adapter(bifrost)
            shown += [repr(each) for each in (bifrost, adapter, adapter.http, adapter.config, bifrost.config)]
        async with subject.open(**self._elsewhere(subject, closed_port())) as bifrost:
            shown += [everything(await error_of(call)) for call in reads(subject, bifrost)]
        keys = [*bad.values(), *(subject.environ[name] for name in subject.secrets)]
        assert [text for text in shown if any(key in text for key in keys)] == []

    def _elsewhere(self, subject: Subject, url: str) -> dict[str, str]:
        """The variables that point the adapter at another server than the emulator."""
        here = subject.upstream.url
        return {name: value.replace(here, url) for name, value in subject.environ.items() if here in value}

    # -- what goes wrong on the way -----------------------------------------------------------------------------

    async def test_a_read_that_is_turned_away_is_repeated_when_it_may_be(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(1))
            *_, call = await subject.watch(bifrost.get_batch(batch.id))
            subject.upstream.fault("429", call, times=2, seconds=7.0)
            subject.naps.clear()
            assert (await bifrost.get_batch(batch.id)).id == batch.id
        assert subject.naps == [7.0, 7.0]

    async def test_a_read_that_is_turned_away_each_time_is_given_up(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(1))
            *_, call = await subject.watch(bifrost.get_batch(batch.id))
            subject.upstream.fault("429", call, times=None, seconds=7.0)
            subject.upstream.forget_calls()
            with pytest.raises(RateLimitError) as caught:
                await bifrost.get_batch(batch.id)
        assert caught.value.retry_after == 7.0
        assert caught.value.provider == subject.provider
        assert 1 < subject.upstream.calls().count(call) < 20

    async def test_a_read_is_repeated_after_a_passing_failure(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(1))
            *_, call = await subject.watch(bifrost.get_batch(batch.id))
            for kind in ("500", "502", "503", "529", "reset-before", "reset-after"):
                subject.upstream.fault(kind, call, times=2)
                assert (await bifrost.get_batch(batch.id)).id == batch.id

    async def test_a_failure_that_does_not_pass_is_called_what_it_is(self, subject: Subject) -> None:
        kinds = {"500": UpstreamError, "502": UpstreamError, "504": UpstreamError, "503": OverloadedError}
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(1))
            *_, call = await subject.watch(bifrost.get_batch(batch.id))
            for fault, kind in {**kinds, "529": OverloadedError, "reset-before": NetworkError}.items():
                subject.upstream.fault(fault, call, times=None)
                error = await error_of(lambda: bifrost.get_batch(batch.id))
                assert isinstance(error, subject.told(kind))
                assert error.provider == subject.provider
                subject.upstream.mend()

    async def test_an_answer_that_makes_no_sense_is_an_error_of_the_tree(self, subject: Subject) -> None:
        for body in NONSENSE:
            async with scripted(answer(200, body)) as server:
                async with subject.open(**self._elsewhere(subject, server.url)) as bifrost:
                    await self._meet_nonsense(subject, bifrost)
                assert server.received != []

    async def _meet_nonsense(self, subject: Subject, bifrost: Bifrost) -> None:
        """What names a batch cannot be answered so. For the rest a storage service may need no more than the status."""
        for call in (
            lambda: bifrost.get_batch("batch_1"),
            lambda: bifrost.cancel_batch("batch_1"),
            lambda: subject.create(bifrost, requests(1)),
        ):
            await error_of(call)
        for call in (*reads(subject, bifrost), lambda: bifrost.get_file("file_1"), lambda: subject.upload(bifrost)):
            with suppress(BifrostError):
                await call()

    async def test_a_result_that_makes_no_sense_is_an_error_of_the_tree(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            batch = await subject.ended(bifrost, requests(1))
            native = await subject.adapter(bifrost).get_batch(batch.id.rpartition(":")[2])
            calls = await subject.watch(listed(subject.adapter(bifrost).batch_results(native)))
        if not calls:
            pytest.skip(f"{subject.provider} gives the results with the batch")
        for line in NONSENSICAL_LINES:
            async with (
                scripted(answer(200, line)) as server,
                subject.open(**self._elsewhere(subject, server.url)) as other,
            ):
                results = subject.adapter(other).batch_results(native)
                await error_of(lambda results=results: listed(results))

    # -- a create is paid for -----------------------------------------------------------------------------------

    async def test_a_create_that_was_turned_away_is_repeated(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            before = subject.upstream.created()
            subject.upstream.fault("429", call, seconds=3.0)
            subject.naps.clear()
            await subject.create(bifrost, requests(2))
        assert subject.naps == [3.0]
        assert subject.upstream.created() == before + 1

    async def test_a_create_that_failed_is_not_repeated(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            before = subject.upstream.created()
            for kind in ("500", "502", "503", "504", "529", "reset-before"):
                subject.upstream.fault(kind, call)
                subject.upstream.forget_calls()
                with pytest.raises(OutcomeUnknownError) as caught:
                    await subject.create(bifrost, requests(2))
                assert caught.value.provider == subject.provider
                assert subject.upstream.calls().count(call) == 1
        assert subject.upstream.created() == before

    async def test_a_create_whose_answer_was_lost_is_found_again(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            before = subject.upstream.created()
            for kind in ("reset-after", "cut"):
                subject.upstream.fault(kind, call)
                batch = await subject.create(bifrost, [request(kind), request("other")])
                subject.later()
                found = {f"{kind}": "succeeded", "other": "succeeded"}
                assert outcomes(await results_of(bifrost, batch.id)) == found
        assert subject.upstream.created() == before + 2

    async def test_a_lost_create_is_never_taken_for_anothers(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            async with subject.open(**subject.elsewhere()) as neighbour:
                other = await subject.create(neighbour, [request("b0"), request("b1")])
            subject.upstream.fault("reset-after", call)
            if not subject.capabilities.finds_by_tag:
                with pytest.raises(OutcomeUnknownError, match=other.id.rpartition(":")[2]):
                    await subject.create(bifrost, [request("a0"), request("a1")])
                return
            found = await subject.create(bifrost, [request("a0"), request("a1")])
            subject.later()
            assert found.id != other.id
            assert sorted(ids(await results_of(bifrost, found.id))) == ["a0", "a1"]

    async def test_a_lost_create_stays_unknown_while_the_provider_is_down(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            [look, *_] = await subject.watch(listed(bifrost.list_batches()))
            before = subject.upstream.created()
            subject.upstream.fault("reset-after", call)
            subject.upstream.fault("500", Call("GET", look.path), times=None)
            with pytest.raises(OutcomeUnknownError):
                await subject.create(bifrost, requests(2))
        assert subject.upstream.created() == before + 1

    async def test_the_same_requests_given_again_find_what_was_lost(self, subject: Subject) -> None:
        async with subject.open() as bifrost:
            call = await subject.creating(bifrost)
            [look, *_] = await subject.watch(listed(bifrost.list_batches()))
            before = subject.upstream.created()
            subject.upstream.fault("reset-after", call)
            subject.upstream.fault("500", Call("GET", look.path), times=None)
            with pytest.raises(OutcomeUnknownError):
                await subject.create(bifrost, requests(2))
        subject.upstream.mend()
        async with subject.open() as bifrost:
            batch = await subject.create(bifrost, requests(2))
            subject.later()
            assert sorted(ids(await results_of(bifrost, batch.id))) == ["r0", "r1"]
        assert subject.upstream.created() == before + 1

    async def test_a_file_is_sent_as_long_as_it_was_said_to_be(self, subject: Subject) -> None:
        """Each upload is told of block by block, and is whole."""
        subject.needs("upload_files")
        content = b"0123456789abcdef" * 65_536
        path = subject.folder / "large.txt"
        path.write_bytes(content)
        sent: list[int] = []
        async with subject.open() as bifrost:
            adapter = subject.adapter(bifrost)
            source = Source(path, sent.append)
            file = await adapter.upload_file(source, filename="large.txt", media_type="text/plain")
        assert file.size_bytes == len(content) == sum(sent)
        assert len(sent) > 1
