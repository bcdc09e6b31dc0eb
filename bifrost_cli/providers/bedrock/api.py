"""Bedrock's wire calls: model invocation jobs and the runtime as of 2026, with their data in S3."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from bifrost_cli.bodies import Source
from bifrost_cli.config import Setting
from bifrost_cli.errors import ConfigError, NotFoundError, UnsupportedError
from bifrost_cli.models import Batch, BatchResult, File, Page
from bifrost_cli.providers.base import Capabilities, Limits, Part, Provider
from bifrost_cli.providers.bedrock import aws, failures, frames, listing, messages, model, sync, translate
from bifrost_cli.providers.bedrock.aws import Credentials, SigV4
from bifrost_cli.providers.bedrock.frames import Frame
from bifrost_cli.providers.bedrock.listing import Cursor
from bifrost_cli.providers.bedrock.messages import Call
from bifrost_cli.providers.bedrock.s3 import Place, Store
from bifrost_cli.providers.bedrock.sync import SyncBatches
from bifrost_cli.providers.bedrock.translate import JobId
from bifrost_cli.providers.encoder import Encoder
from bifrost_cli.transport import ATTEMPTS, Client, Transport

JOBS = "/model-invocation-jobs"
JOB = "/model-invocation-job"
NEWEST_FIRST = {"sortBy": "CreationTime", "sortOrder": "Descending"}
PREFIX = re.compile(r"[-!_*'().A-Za-z0-9]+(/[-!_*'().A-Za-z0-9]+)*")
BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")
ROLE = re.compile(r"arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+")
LIVES_ON = "An object stays until it is deleted, or until a lifecycle rule of the bucket removes it."


class Bedrock(Provider):
    """AWS Bedrock in one region by default, with files and job data below one prefix of one bucket."""

    name = "bedrock"
    title = "Bedrock"
    settings = (
        Setting("region", "a region (unset: the profile's)", env=("AWS_REGION", "AWS_DEFAULT_REGION")),
        Setting("bucket", "the bucket for files and job data", env=("BIFROST_BEDROCK_BUCKET",)),
        Setting("prefix", "what its keys begin with", env=("BIFROST_BEDROCK_PREFIX",), default="bifrost"),
        Setting("role_arn", "the role that jobs read and write the bucket as", env=("BIFROST_BEDROCK_ROLE_ARN",)),
        Setting(
            "small_batch",
            "what becomes of a batch below the minimum: refused, or run one by one at full price",
            env=("BIFROST_BEDROCK_SMALL_BATCH",),
            default="refuse",
            choices=("refuse", "sync"),
        ),
        Setting("min_records", "the least that a job takes", env=("BIFROST_BEDROCK_MIN_RECORDS",), default="100"),
        Setting("timeout_hours", "how long a job may take", env=("BIFROST_BEDROCK_TIMEOUT_HOURS",), default="24"),
        Setting("kms_key_id", "the key that S3 encrypts with", env=("BIFROST_BEDROCK_KMS_KEY_ID",)),
        Setting(
            "body",
            "the form of requests; auto: InvokeModel for Anthropic's models, else Converse",
            env=("BIFROST_BEDROCK_BODY",),
            default="auto",
            choices=tuple(model.MODES),
        ),
        Setting("profile", "a profile of the AWS config files", env=("AWS_PROFILE",)),
        Setting("access_key_id", "an access key", env=("AWS_ACCESS_KEY_ID",), secret=True),
        Setting("secret_access_key", "its secret", env=("AWS_SECRET_ACCESS_KEY",), secret=True),
        Setting("session_token", "the token of temporary keys", env=("AWS_SESSION_TOKEN",), secret=True),
        Setting(
            "bearer_token",
            "a Bedrock API key, for jobs and models; S3 needs AWS credentials all the same",
            env=("AWS_BEARER_TOKEN_BEDROCK",),
            secret=True,
        ),
        Setting("control_url", "the address of jobs", env=("AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL")),
        Setting("runtime_url", "the address of models", env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")),
        Setting("s3_url", "the address of S3", env=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")),
        Setting("ca_bundle", "certificates for S3", env=("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")),
    )
    capabilities = Capabilities(
        list_files=True,
        upload_files=True,
        download_uploads=True,
        batches=True,
        live_counts=True,
        returns_input=True,
        finds_by_tag=True,
        messages=True,
        count_tokens=True,
    )
    # Records per job differ by model and account (Service Quotas); 50,000 and 1 GB a file are common ones.
    limits = Limits(max_requests=50_000, max_bytes=1_000_000_000, one_model=True, min_requests=100)

    # -- configuration ------------------------------------------------------------------------------------------

    def require(self) -> None:
        """A region; keys are looked for where they are needed, since looking may ask the network."""
        if self._region is None:
            raise ConfigError("bedrock needs a region: set AWS_REGION.", provider=self.name)
        aws.check_region(self._region, self.config.source("region"))

    def connect(self, client: Client) -> Transport:
        return self._wire("bedrock", "control_url", self.region)

    @cached_property
    def region(self) -> str:
        """Of new batches, and of the bucket."""
        self.require()
        return str(self._region)

    @cached_property
    def _region(self) -> str | None:
        return self.config.get("region") or self.credentials.profile_region

    @cached_property
    def credentials(self) -> Credentials:
        """Of every call, unless a bearer token is enough for it."""
        return Credentials(self.config)

    @cached_property
    def store(self) -> Store:
        """S3."""
        url, ca_bundle, kms_key = (self.config.get(name) for name in ("s3_url", "ca_bundle", "kms_key_id"))
        attempts = self.context.attempts or ATTEMPTS
        return Store(self.credentials, self.region, url, ca_bundle, kms_key, attempts)

    @cached_property
    def base(self) -> Place:
        """The bucket, and what all keys begin with."""
        bucket, prefix = self._needed("bucket", BUCKET), self.config["prefix"].strip("/")
        if prefix and not PREFIX.fullmatch(prefix):
            hint = "Jobs take a-z A-Z 0-9 - _ . ! * ' ( ) between slashes."
            raise ConfigError(f"'{prefix}' cannot be the prefix.", hint=hint, provider=self.name)
        return Place(bucket, prefix)

    @cached_property
    def small(self) -> SyncBatches:
        """The batches that are run here."""
        return SyncBatches(self.store, self.base, self._ask, self.http.sleep)

    def _needed(self, name: str, form: re.Pattern[str]) -> str:
        setting = next(setting for setting in self.settings if setting.name == name)
        value = self.config.get(name)
        if value is None:
            raise ConfigError(f"bedrock needs {setting.help}: set {setting.env[0]}.", provider=self.name)
        if not form.fullmatch(value):
            wrong = f"{self.config.source(name)}: '{value}' cannot be {setting.help}."
            raise ConfigError(wrong, provider=self.name)
        return value

    def _whole(self, name: str, least: int, most: int) -> int:
        value = self.config[name]
        if not value.isdecimal() or not least <= int(value) <= most:
            wrong = f"{self.config.source(name)}: '{value}' is not a value of {name}."
            raise ConfigError(wrong, hint=f"Use a number from {least:,} to {most:,}.", provider=self.name)
        return int(value)

    @property
    def _min_records(self) -> int:
        return self._whole("min_records", 1, self.limits.max_requests)

    def _wire(self, service: str, setting: str, region: str) -> Transport:
        bearer = self.config.get("bearer_token")
        secrets = ("secret_access_key", "session_token", "bearer_token")
        return Transport(
            provider=self.name,
            base_url=(self.config.get(setting) or aws.address(service, region)).rstrip("/"),
            address_from=self.config.source(setting) or f"the region {region}",
            client=self.client,
            headers={"authorization": f"Bearer {bearer}"} if bearer else {},
            secrets=tuple(self.config[name] for name in secrets if name in self.config),
            read_error=failures.read_error,
            auth=None if bearer else SigV4(self.credentials, region),
            attempts=self.context.attempts or ATTEMPTS,
        )

    def _control(self, region: str) -> Transport:
        return self.http if region == self.region else self._wire("bedrock", "control_url", region)

    def _runtime(self, region: str) -> Transport:
        return self._wire("bedrock-runtime", "runtime_url", region)

    @cached_property
    def runtime(self) -> Transport:
        """The wire of models, in the region of new batches."""
        return self._runtime(self.region)

    # -- pure: no I/O -------------------------------------------------------------------------------------------

    def encoder(self, params: dict[str, Any]) -> Encoder[Any]:
        return translate.encoder(params, self.config["body"], self.context)

    def missing_result(self, batch: Batch, custom_id: str, line: int) -> BatchResult:
        return translate.missing_result(batch, custom_id)

    def check_part(self, requests: int, model: str) -> None:
        least = self._min_records
        if requests >= least or self.config["small_batch"] == "sync":
            return
        few = f"{requests:,} request" if requests == 1 else f"{requests:,} requests"
        raise UnsupportedError(
            f"{few} of {model}: a job at Bedrock takes at least {least:,} (the default quota is 100).",
            hint=(
                "Send more, or set BIFROST_BEDROCK_SMALL_BATCH=sync to run them one by one at full price;"
                " BIFROST_BEDROCK_MIN_RECORDS says what your account's quota is."
            ),
            provider=self.name,
        )

    def runs_here(self, id: str) -> bool:
        return sync.is_sync(id.rpartition(".")[2])

    # -- files --------------------------------------------------------------------------------------------------

    async def upload_file(
        self,
        source: Source,
        *,
        filename: str,
        media_type: str,
        purpose: str | None = None,
        expires_in: int | None = None,
    ) -> File:
        if purpose:
            message = "Bedrock's files have no purpose."
            raise UnsupportedError(message, hint="Leave --purpose out.", provider=self.name)
        if expires_in:
            message = "Objects in S3 have no expiry of their own."
            raise UnsupportedError(message, hint=LIVES_ON, provider=self.name)
        key = translate.file_key(filename, datetime.now(UTC), uuid4().hex)
        metadata = translate.to_metadata(filename)
        await self.store.upload(self.base / key, source, media_type=media_type, metadata=metadata)
        return await self._file(key)

    async def list_files(self, *, limit: int, after: str | None = None) -> Page[File]:
        last = (self.base / translate.key_of(after)).key if after else ""
        entries, more = await self.store.page(self.base / translate.FILES / "", limit=limit, after=last)
        keys = [self._below(entry.key) for entry in entries]
        found = await asyncio.gather(*(self._file(key) for key in keys), return_exceptions=True)
        files = [file for file in found if isinstance(file, File)]
        for failed in found:
            # One that was deleted since it was listed is left out.
            if isinstance(failed, BaseException) and not isinstance(failed, NotFoundError):
                raise failed
        return Page(files, translate.file_id(keys[-1]) if more else None)

    async def get_file(self, id: str) -> File:
        return await self._file(translate.key_of(id))

    async def delete_file(self, id: str) -> None:
        # S3 says yes to any key; whoever deletes what is not there wants to know.
        file = await self.get_file(id)
        await self.store.delete(self.base / translate.key_of(file.id))

    async def download_file(self, id: str) -> AsyncIterator[bytes]:
        async for block in self.store.blocks(self.base / translate.key_of(id)):
            yield block

    async def _file(self, key: str) -> File:
        return translate.to_file(key, await self.store.head(self.base / key))

    def _below(self, key: str) -> str:
        return key.removeprefix(f"{self.base.key}/") if self.base.key else key

    # -- batches ------------------------------------------------------------------------------------------------

    async def create_batch(self, part: Part) -> Batch:
        if part.source is None:
            raise UnsupportedError(
                "A job at Bedrock needs a model, which an uploaded file does not name.",
                hint="Give the JSONL itself instead of --file-id.",
                provider=self.name,
            )
        self.check_part(part.requests, part.model)
        if part.requests < self._min_records:
            return translate.to_batch(await self.small.create(part, part.source, self.region))
        role, hours = self._needed("role_arn", ROLE), self._whole("timeout_hours", 24, 168)
        folder = self.base / "batches" / translate.job_name(part.tag)
        body = translate.job_request(part, folder, role, hours, self.config.get("kms_key_id"))
        await self.store.upload(translate.input_place(body), part.source, media_type="application/jsonl")
        batch: Batch = await self.http.json(
            "POST",
            JOB,
            json=body,
            paid=True,
            read=lambda answer: translate.to_batch(translate.just_created(body, answer["jobArn"])),
        )
        return batch

    async def list_batches(self, *, limit: int, after: str | None = None) -> Page[Batch]:
        at = Cursor.of(after)
        jobs, following = await self._jobs({**NEWEST_FIRST, "maxResults": min(limit + at.shown, 1000)}, at.token)
        page, cursor = listing.merged(at, jobs, following, await self._small_ids(limit + 1, at.small), limit)
        return Page(list(await asyncio.gather(*(self._seen(item) for item in page))), str(cursor) if cursor else None)

    async def _jobs(self, params: dict[str, Any], token: str = "") -> tuple[list[Batch], str]:
        """A page of jobs, and the token of the next."""
        params = params | ({"nextToken": token} if token else {})
        page: Page[Batch] = await self.http.json("GET", JOBS, params=params, read=translate.to_batches)
        return page.data, page.next or ""

    async def _small_ids(self, limit: int, after: str) -> list[str]:
        """Up to `limit` ids of small batches, newest first; without a bucket there are none."""
        if "bucket" not in self.config:
            return []
        found: list[str] = []
        async with aclosing(self.small.ids(after)) as ids:
            async for id in ids:
                found.append(id)
                if len(found) == limit:
                    break
        return found

    async def _seen(self, item: Batch | str) -> Batch:
        return item if isinstance(item, Batch) else translate.to_batch(await self.small.job(item))

    async def get_batch(self, id: str) -> Batch:
        region, job = JobId.of(id)
        if sync.is_sync(job):
            return translate.to_batch(await self.small.job(job))
        batch: Batch = await self._control(region).json("GET", f"{JOB}/{job}", read=translate.to_batch)
        return batch

    async def cancel_batch(self, id: str) -> Batch:
        region, job = JobId.of(id)
        if sync.is_sync(job):
            await self.small.cancel(job)
        else:
            await self._control(region).request("POST", f"{JOB}/{job}/stop")
        return await self.get_batch(id)

    async def run_batch(self, id: str) -> None:
        if self.runs_here(id):
            await self.small.run(JobId.of(id).job)

    async def _ask(self, region: str, name: str, endpoint: str, body: Any) -> Any:
        runtime = self._runtime(region)
        path = messages.path(name, messages.OPERATIONS[endpoint])
        return runtime.parse(await runtime.request("POST", path, json=body, paid=True))

    async def batch_results(self, batch: Batch) -> AsyncIterator[BatchResult]:
        tier = "standard" if self.runs_here(batch.id) else "batch"
        origin = translate.Origin(batch.id, str(batch.raw.get("modelId") or ""), tier)
        async for line in self.raw_results(batch):
            yield translate.decode_result(line, origin)

    async def raw_results(self, batch: Batch) -> AsyncIterator[bytes]:
        if batch.provider_status in translate.WITHOUT_OUTPUT:
            return
        place = translate.output_place(batch.raw)
        async for entry in self.store.walk(place):
            if entry.key.endswith(".jsonl.out"):
                async for line in self.store.lines(Place(place.bucket, entry.key)):
                    yield line

    async def batch_inputs(self, batch: Batch) -> AsyncIterator[str]:
        place = translate.input_place(batch.raw)
        async for entry in self.store.walk(place):
            if entry.key.endswith(".jsonl"):
                async for line in self.store.lines(Place(place.bucket, entry.key)):
                    if custom_id := translate.record_id(line):
                        yield custom_id

    async def find_batch(self, part: Part, since: datetime, taken: Collection[str]) -> Batch | None:
        """By the job's name, which is the tag. (To send the create again with its token would be safe too, as Bedrock
        ignores a repetition; but where the first did not arrive, that would create the job.)"""
        if part.requests < self._min_records:
            id = await self.small.find(part.tag, since)
            return translate.to_batch(await self.small.job(id)) if id else None
        name = translate.job_name(part.tag)
        jobs, _ = await self._jobs({**NEWEST_FIRST, "nameContains": name})
        return next((job for job in jobs if job.raw.get("jobName") == name), None)

    # -- messages -----------------------------------------------------------------------------------------------

    async def create_message(self, params: dict[str, Any]) -> dict[str, Any]:
        call = messages.encode(params, self.config["body"], self.context)
        message: dict[str, Any] = await self.runtime.json(
            "POST", call.path, json=call.body, once=True, read=lambda answer: messages.decode(answer, call)
        )
        return message

    async def stream_message(self, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        call = messages.encode(params, self.config["body"], self.context, stream=True)
        async with aclosing(self._frames(call)) as said:
            async for event in messages.events(said, call):
                yield event

    async def count_tokens(self, params: dict[str, Any]) -> int:
        path, body = messages.encode_count(params, self.config["body"], self.context)
        count: int = await self.runtime.json(
            "POST", path, json=body, once=True, read=lambda answer: int(answer["inputTokens"])
        )
        return count

    async def _frames(self, call: Call) -> AsyncGenerator[Frame]:
        decode = frames.decoder()  # Before the call, which costs: it needs botocore.
        async with self.runtime.stream(call.path, json=call.body) as response:
            async for block in response.aiter_bytes():
                for frame in decode(block):
                    yield frame
