"""Providers, and a core, that each do one thing wrong. `MUTANTS` says which of the exam's tests must catch it."""

from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import httpx
import orjson

from bifrost_cli.bodies import Source
from bifrost_cli.core.bifrost import Bifrost
from bifrost_cli.core.refs import Ref
from bifrost_cli.core.results import Audit
from bifrost_cli.errors import (
    BifrostError,
    InvalidRequestError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    UpstreamError,
)
from bifrost_cli.models import Batch, BatchResult, File, Page, succeeded
from bifrost_cli.providers.base import Part
from bifrost_cli.providers.encoder import Encoder, Line
from bifrost_cli.transport import Transport
from tests.exam.reference import Plain, Reference, Requests

# -- files ------------------------------------------------------------------------------------------------------


class AsciiNames(Reference):
    async def upload_file(self, source: Source, *, filename: str, **options: Any) -> File:
        return await super().upload_file(source, filename=filename.encode("ascii", "ignore").decode(), **options)


class EscapedNames(Reference):
    async def upload_file(self, source: Source, *, filename: str, **options: Any) -> File:
        return await super().upload_file(source, filename=filename.replace('"', "%22"), **options)


class KeepsTheDeleted(Reference):
    async def delete_file(self, id: str) -> None:
        await self.get_file(id)

    async def delete_batch(self, id: str) -> None:
        await self.get_batch(id)


class SaysNothingOfSize(Reference):
    def file(self, answer: Any) -> File:
        return super().file(answer).model_copy(update={"size_bytes": 0})


class TextDownloads(Reference):
    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async for block in super().download_file(id):
            yield block.replace(b"\r\n", b"\n")


class SwallowsBreaks(Reference):
    """Takes a connection that breaks for the end."""

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        try:
            async for block in super().download_file(id):
                yield block
        except NetworkError:
            return

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        try:
            async for result in super().batch_results(batch):
                yield result
        except NetworkError:
            return


class ForgetsExpiry(Reference):
    async def upload_file(self, source: Source, *, expires_in: int | None = None, **options: Any) -> File:
        return await super().upload_file(source, **options)


class LosesPageTwo(Reference):
    def page(self, answer: Any) -> tuple[list[Any], str | None]:
        return super().page(answer)[0], None


class RepeatsPageOne(Reference):
    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        return await super().list_files(limit=limit)

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        return await super().list_batches(limit=limit)


class OldestFirst(Reference):
    def page(self, answer: Any) -> tuple[list[Any], str | None]:
        items, following = super().page(answer)
        return items[::-1], following


class ChokesOnNothing(Reference):
    def page(self, answer: Any) -> tuple[list[Any], str | None]:
        items, following = super().page(answer)
        return items, items[-1]["id"] and following


class BlamesTheCaller(Reference):
    """Calls everything that is refused an invalid request."""

    def read_error(self, response: httpx.Response) -> BifrostError:
        error = super().read_error(response)
        return InvalidRequestError(error.message) if response.status_code < 500 else error


class BlamesNobody(Reference):
    """Does not say which provider failed."""

    def connect(self, client: httpx.AsyncClient) -> Transport:
        return replace(super().connect(client), provider="")


# -- batches ----------------------------------------------------------------------------------------------------


class SwapsIds(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        held: BatchResult | None = None
        async for result in super().batch_results(batch):
            if held is None:
                held = result
                continue
            held["custom_id"], result["custom_id"] = result["custom_id"], held["custom_id"]
            yield held
            yield result
            held = None
        if held:
            yield held


class AsciiText(Reference):
    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return AsciiRequests(params, None)


class AsciiRequests(Requests):
    def encode(self, custom_id: str, messages: list[Any]) -> Line:
        line = super().encode(custom_id, messages)
        return replace(line, body=line.body.decode().encode("ascii", "ignore"))


class DropsErrors(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for result in super().batch_results(batch):
            if result["result"]["type"] != "errored":
                yield result


class CallsFailureSuccess(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for result in super().batch_results(batch):
            yield succeeded(result["custom_id"], result["result"].get("message", {}))


class CallsExpiryFailure(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for result in super().batch_results(batch):
            yield orjson.loads(orjson.dumps(result).replace(b'"type":"expired"', b'"type":"errored"'))


class LosesTheCancelled(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for result in super().batch_results(batch):
            if result["result"]["type"] != "canceled":
                yield result


class Miscounts(Reference):
    def batch(self, answer: Any) -> Batch:
        batch = super().batch(answer)
        batch.request_counts.errored = 0
        return batch


class SilentCounts(Reference):
    """Says that it counts along, and does not."""

    def batch(self, answer: Any) -> Batch:
        batch = super().batch(answer)
        if not batch.ended:
            batch.request_counts.processing += batch.request_counts.done
            batch.request_counts.succeeded = batch.request_counts.errored = batch.request_counts.expired = 0
        return batch


class InputsReversed(Reference):
    async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        for id in [id async for id in super().batch_inputs(batch)][::-1]:
            yield id


class EndsTooEarly(Reference):
    def batch(self, answer: Any) -> Batch:
        return super().batch({**answer, "processing_status": "ended"})


class CancelsNothing(Reference):
    async def cancel_batch(self, id: str) -> Batch:
        return await self.get_batch(id)


class MixesModels(Reference):
    limits = replace(Reference.limits, one_model=True)

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        made = super().encoder(params)
        made.kind = made.kind._replace(model="all-the-same")
        return made


class IgnoresTheFile(Reference):
    async def create_batch(self, part: Part) -> Batch:
        return await super().create_batch(replace(part, file_id=None))


class HidesRepeats(Reference):
    """Puts results right on its own, so that nobody learns of it."""

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        seen = set()
        async for result in super().batch_results(batch):
            if result["custom_id"] not in seen:
                seen.add(result["custom_id"])
                yield result


class HidesLosses(Reference):
    """Believes the results' number rather than the input's."""

    async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        async for result in self.batch_results(batch):
            yield result["custom_id"]


class RepeatsResults(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        async for result in super().batch_results(batch):
            yield result
            yield result


class Collects(Reference):
    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        for result in [result async for result in super().batch_results(batch)]:
            yield result


# -- keys and offers --------------------------------------------------------------------------------------------


class SendsWithoutAKey(Reference):
    def require(self) -> None:
        pass

    def connect(self, client: httpx.AsyncClient) -> Transport:
        self.config.values_by_name.setdefault("api_key", self.config.values_by_name["base_url"])
        return super().connect(client)


class LeaksTheKey(Reference):
    def read_error(self, response: httpx.Response) -> BifrostError:
        error = super().read_error(response)
        error.hint = f"Is {self.config['api_key']} the right key?"
        return error


class ShowsTheKey(Reference):
    def __repr__(self) -> str:
        return f"ShowsTheKey({self.config['api_key']})"


class AsksFirst(Plain):
    """Finds out only from the provider that it has no place for something."""

    async def delete_batch(self, id: str) -> None:
        await self.get_batch(id)
        await super().delete_batch(id)


class OffersMore(Plain):
    """Says no to an expiry by saying nothing."""

    async def upload_file(self, source: Source, *, expires_in: int | None = None, **options: Any) -> File:
        return await super().upload_file(source, **options)


# -- failures ---------------------------------------------------------------------------------------------------


class Impatient(Reference):
    def connect(self, client: httpx.AsyncClient) -> Transport:
        return replace(super().connect(client), attempts=1)


class IgnoresRetryAfter(Reference):
    def read_error(self, response: httpx.Response) -> BifrostError:
        error = super().read_error(response)
        error.retry_after = 1.0
        return error


class CallsItDown(Reference):
    def read_error(self, response: httpx.Response) -> BifrostError:
        return UpstreamError("something went wrong")


class NeverGivesUp(Reference):
    def connect(self, client: httpx.AsyncClient) -> Transport:
        return replace(super().connect(client), attempts=50)


class Gullible(Reference):
    def file(self, answer: Any) -> File:
        return File.model_validate(answer)

    def result(self, line: bytes) -> BatchResult:
        result: BatchResult = orjson.loads(line)
        return result


# -- creates ----------------------------------------------------------------------------------------------------


class RepeatsCreates(Reference):
    def connect(self, client: httpx.AsyncClient) -> Transport:
        transport = super().connect(client)
        send = transport.request

        async def unpaid(*args: Any, paid: bool = False, **options: Any) -> httpx.Response:
            return await send(*args, **options)

        transport.request = unpaid  # type: ignore[method-assign]
        return transport


class GivesUpOnCreates(Reference):
    """Takes a create that was turned away for one that failed."""

    async def create_batch(self, part: Part) -> Batch:
        self.http.attempts = 1
        try:
            return await super().create_batch(part)
        except RateLimitError as error:
            raise UpstreamError(error.message) from error
        finally:
            self.http.attempts = 5


class NeverFinds(Reference):
    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        return None


class FindsTheOldest(Reference):
    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        page = await self.list_batches(limit=100)
        matches = [batch for batch in page.data if batch.created_at >= since and batch.id not in taken]
        return matches[-1] if matches else None


class ReadsBeforehand(Reference):
    """Sends a file as one block."""

    async def upload_file(self, source: Source, **options: Any) -> File:
        return await super().upload_file(Source(source.content), **options)


# -- the core ---------------------------------------------------------------------------------------------------


class TrustsIds(Bifrost):
    def _file(self, id: str) -> Ref:
        return Ref(self.default, id.removeprefix(f"{self.default}:"))


class CancelsBlindly(Bifrost):
    async def _cancel(self, ref: Ref) -> Batch:
        return await self.ready(ref.provider).cancel_batch(ref.native)


class ReadsTooEarly(Bifrost):
    async def batch_results(
        self, id: str, *, order: Literal["any", "input"] = "any", audit: Audit | None = None
    ) -> AsyncIterator[BatchResult]:
        try:
            async for result in super().batch_results(id, order=order, audit=audit):
                yield result
        except NotFoundError:
            raise
        except BifrostError:
            return


MUTANTS: dict[type[Reference] | type[Bifrost], tuple[str, ...]] = {
    AsciiNames: ("test_awkward_filenames_come_back_as_they_were_given",),
    EscapedNames: ("test_a_filename_is_kept_or_refused_and_never_changed",),
    KeepsTheDeleted: ("test_a_file_goes_up_is_seen_and_goes_away", "test_a_deleted_batch_is_gone"),
    SaysNothingOfSize: ("test_a_file_goes_up_is_seen_and_goes_away",),
    TextDownloads: ("test_the_bytes_of_a_file_come_back_unchanged",),
    SwallowsBreaks: (
        "test_a_download_that_breaks_is_an_error_and_never_a_short_file",
        "test_results_that_break_midway_go_on_without_repetition",
        "test_results_that_break_each_time_are_an_error_and_no_end",
    ),
    ForgetsExpiry: ("test_an_expiry_is_kept_or_refused",),
    LosesPageTwo: (
        "test_files_beyond_one_page_are_listed_once_and_newest_first",
        "test_batches_beyond_one_page_are_listed_once_and_newest_first",
    ),
    RepeatsPageOne: (
        "test_files_beyond_one_page_are_listed_once_and_newest_first",
        "test_batches_beyond_one_page_are_listed_once_and_newest_first",
    ),
    OldestFirst: (
        "test_files_beyond_one_page_are_listed_once_and_newest_first",
        "test_batches_beyond_one_page_are_listed_once_and_newest_first",
    ),
    ChokesOnNothing: ("test_an_account_with_nothing_lists_nothing",),
    BlamesTheCaller: (
        "test_a_file_that_is_not_there_is_not_found",
        "test_a_batch_that_is_not_there_is_not_found",
        "test_a_bad_key_is_an_auth_error",
    ),
    BlamesNobody: (
        "test_a_file_that_is_not_there_is_not_found",
        "test_a_failure_that_does_not_pass_is_called_what_it_is",
        "test_a_create_that_failed_is_not_repeated",
    ),
    SwapsIds: ("test_a_batch_runs_to_its_end_and_each_answer_is_its_requests",),
    AsciiText: ("test_text_of_any_alphabet_survives_the_round_trip",),
    DropsErrors: ("test_mixed_outcomes_arrive_as_what_they_are",),
    CallsFailureSuccess: ("test_mixed_outcomes_arrive_as_what_they_are",),
    CallsExpiryFailure: (
        "test_a_request_that_was_not_reached_is_expired",
        "test_an_expired_batch_gives_every_request_once",
    ),
    LosesTheCancelled: ("test_a_cancelled_batch_gives_every_request_once",),
    CancelsNothing: ("test_a_cancelled_batch_gives_every_request_once",),
    Miscounts: (
        "test_counts_at_the_end_are_those_of_the_results",
        "test_counts_sum_to_the_total_in_every_state",
    ),
    SilentCounts: ("test_counts_move_while_a_batch_runs_if_that_is_offered",),
    InputsReversed: ("test_results_come_in_the_order_of_the_input_where_that_is_asked",),
    EndsTooEarly: ("test_results_asked_too_early_are_pending", "test_counts_sum_to_the_total_in_every_state"),
    MixesModels: ("test_requests_for_two_models_come_back_as_one_batch",),
    IgnoresTheFile: ("test_a_batch_is_made_from_an_uploaded_file_where_that_is_offered",),
    HidesRepeats: ("test_lost_repeated_and_foreign_results_are_seen_and_put_right",),
    HidesLosses: ("test_a_lost_result_is_seen_on_a_machine_that_did_not_create_the_batch",),
    RepeatsResults: ("test_a_batch_runs_to_its_end_and_each_answer_is_its_requests",),
    Collects: ("test_ten_thousand_results_pass_in_flat_memory",),
    SendsWithoutAKey: ("test_without_a_key_nothing_is_sent_and_its_variable_is_named",),
    LeaksTheKey: ("test_no_secret_is_in_an_error_or_a_repr",),
    ShowsTheKey: ("test_no_secret_is_in_an_error_or_a_repr",),
    AsksFirst: ("test_what_is_not_offered_is_refused_before_any_request",),
    OffersMore: (
        "test_what_is_not_offered_is_refused_before_any_request",
        "test_an_expiry_is_kept_or_refused",
    ),
    Impatient: (
        "test_a_read_that_is_turned_away_is_repeated_when_it_may_be",
        "test_a_read_is_repeated_after_a_passing_failure",
        "test_a_create_that_was_turned_away_is_repeated",
    ),
    IgnoresRetryAfter: (
        "test_a_read_that_is_turned_away_is_repeated_when_it_may_be",
        "test_a_create_that_was_turned_away_is_repeated",
    ),
    CallsItDown: (
        "test_a_read_that_is_turned_away_each_time_is_given_up",
        "test_a_failure_that_does_not_pass_is_called_what_it_is",
        "test_a_bad_key_is_an_auth_error",
    ),
    NeverGivesUp: ("test_a_read_that_is_turned_away_each_time_is_given_up",),
    Gullible: (
        "test_an_answer_that_makes_no_sense_is_an_error_of_the_tree",
        "test_a_result_that_makes_no_sense_is_an_error_of_the_tree",
    ),
    RepeatsCreates: (
        "test_a_create_that_failed_is_not_repeated",
        "test_a_create_whose_answer_was_lost_is_found_again",
        "test_a_lost_create_stays_unknown_while_the_provider_is_down",
        "test_the_same_requests_given_again_find_what_was_lost",
    ),
    GivesUpOnCreates: ("test_a_create_that_was_turned_away_is_repeated",),
    NeverFinds: (
        "test_a_create_whose_answer_was_lost_is_found_again",
        "test_the_same_requests_given_again_find_what_was_lost",
    ),
    FindsTheOldest: ("test_a_lost_create_is_never_taken_for_anothers",),
    ReadsBeforehand: ("test_a_file_is_sent_as_long_as_it_was_said_to_be",),
    TrustsIds: ("test_an_id_of_hostile_characters_is_refused_before_any_request",),
    CancelsBlindly: ("test_cancelling_what_has_ended_changes_nothing",),
    ReadsTooEarly: ("test_results_asked_too_early_are_pending",),
}
