"""The emulator's answers held against those of the live service, member by member.

The recordings are other people's and not part of this repository: BIFROST_RECORDINGS names their folder, else it is
looked for beside the repository.
"""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError

from bifrost_cli.sandbox.bedrock import eventstream
from tests.sandbox.aws_kit import HTTP, NOVA, Aws, converse, records, refused

FOLDER = Path(os.environ.get("BIFROST_RECORDINGS") or Path(__file__).parents[3] / "shared/recordings") / "bedrock"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings at {FOLDER}; see BIFROST_RECORDINGS")


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


def load(name: str) -> Any:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return json.loads(path.read_text())


def replay(aws: Aws, recording: Any, body: Any = None) -> httpx.Response:
    """Sends what was sent then."""
    sent = recording["request"]["body"] if body is None else body
    content = b"" if sent is None else json.dumps(sent).encode()
    url = aws.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] + recording["request"]["path"]
    request = aws.signed(recording["request"]["method"], url, content).prepare()
    return HTTP.request(request.method, request.url, headers=dict(request.headers), content=content)


def members(value: Any, path: str = "") -> set[str]:
    """The paths of all members and the types of their values; those of a list's items are put together. What is inside
    a tool's input is the model's affair."""
    if path.endswith(".input"):
        return {path}
    if isinstance(value, dict):
        return {path}.union(*(members(inner, f"{path}.{name}") for name, inner in value.items()))
    if isinstance(value, list):
        return {path}.union(*(members(inner, f"{path}[]") for inner in value))
    return {f"{path} {type(value).__name__}"}


def asking(body: Any, word: str) -> Any:
    """The same request with a trigger word at the end of what the user says."""
    changed = json.loads(json.dumps(body))
    last = changed["messages"][-1]
    if isinstance(last["content"], str):
        last["content"] += f" {word}"
    else:
        last["content"][-1]["text"] += f" {word}"
    return changed


LATER = {".usage.serverToolUsage"}
"""What answers did not have yet when some were recorded."""

WHOLE = {
    "invoke-anthropic.json": ("", set()),
    "invoke-anthropic-tool-use.json": ("sandbox:tool", {".content[].text str"}),
    "invoke-anthropic-opus-4-8.json": ("", set()),
    "converse-text.json": ("", set()),
    "converse-max-tokens.json": ("sandbox:max_tokens", set()),
    "converse-tool-use.json": ("sandbox:tool", {".output.message.content[].text str"}),
    "converse-reasoning-tool.json": ("sandbox:tool", {".output.message.content[].text str", *LATER}),
}
"""Which trigger word makes the emulated model do the same, and the members that may differ: it does not talk before it
calls a tool."""


@pytest.mark.parametrize("name", WHOLE)
def test_answers(aws: Aws, name: str) -> None:
    recording, (word, differing) = load(name), WHOLE[name]
    answer = replay(aws, recording, asking(recording["request"]["body"], word))
    body = recording["response"]["body"]
    assert answer.status_code == recording["response"]["status"], answer.text
    assert members(answer.json()) ^ members(body) <= differing
    for member in ("stop_reason", "stopReason", "model", "role", "type"):
        assert answer.json().get(member) == body.get(member)
    recorded = {header for header in recording["response"]["headers"] if header.startswith("x-amzn-")}
    assert recorded <= set(answer.headers)


def test_ids_look_alike(aws: Aws) -> None:
    for name, pattern in (
        ("invoke-anthropic.json", r"msg_bdrk_01\w+"),
        ("invoke-anthropic-tool-use.json", r"toolu_bdrk_01\w+"),
        ("converse-tool-use.json", r"tooluse_\w{22}"),
    ):
        recording = load(name)
        answer = replay(aws, recording, asking(recording["request"]["body"], "sandbox:tool"))
        assert re.search(rf'"{pattern}"', answer.text)
        assert re.search(rf'"{pattern}"', json.dumps(recording["response"]["body"]))


def test_caches(aws: Aws) -> None:
    """What is written to the cache is counted apart from the rest."""
    long = "word " * 3000
    recording = load("converse-cache-write.json")
    body = {**recording["request"]["body"], "system": [{"text": long}, {"cachePoint": {"type": "default"}}]}
    answer, said = replay(aws, recording, body).json(), recording["response"]["body"]
    assert members(answer) == members(said)
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["cacheWriteInputTokens"] + usage["outputTokens"]
    assert members(answer) - members(load("converse-cache-read.json")["response"]["body"]) == {
        ".usage.cacheDetails",
        ".usage.cacheDetails[]",
        ".usage.cacheDetails[].inputTokens int",
        ".usage.cacheDetails[].ttl str",
    }
    recording = load("invoke-anthropic-cache.json")
    body = asking(recording["request"]["body"], long)
    body["messages"][0]["content"][0]["text"] = body["messages"][0]["content"][0]["text"].replace("stop", "")
    invoked = replay(aws, recording, body)
    assert members(invoked.json()) == members(recording["response"]["body"])
    assert int(invoked.headers["x-amzn-bedrock-cache-write-input-token-count"]) > 1024


def frames(content: bytes) -> list[tuple[dict[str, Any], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(content)
    return [(dict(event.headers), event.payload) for event in buffer]


STREAMS = sorted(path.name for path in FOLDER.glob("stream-*.json"))


@pytest.mark.parametrize("name", STREAMS)
def test_frames_are_written_byte_by_byte_as_the_service_does(name: str) -> None:
    encoded = load(name)["response"]["body_base64"]
    if encoded is None:
        pytest.skip("only the frames were kept")
    content = base64.b64decode(encoded)
    assert b"".join(eventstream.frame(*item) for item in frames(content)) == content


STREAMED = {
    "stream-converse-text.json": "",
    "stream-converse-thinking.json": "",
    "stream-converse-tool-use.json": "sandbox:tool",
    "stream-converse-tool-use-nova2.json": "sandbox:tool",
    "stream-invoke-anthropic-tool.json": "sandbox:tool",
}


def by_event(items: list[tuple[dict[str, Any], Any]]) -> dict[str, set[str]]:
    """The members of the payloads by the event's name; what a model says in base64 is looked into."""
    found: dict[str, set[str]] = {}
    for headers, payload in items:
        name = headers[":event-type"]
        if "bytes" in payload:
            inner = json.loads(base64.b64decode(payload["bytes"]))
            name = inner["type"] + inner.get("content_block", inner.get("delta", {})).get("type", "")
            payload = {**payload, "bytes": inner}
        found.setdefault(name, set()).update(members(payload))
    return found


TALK = {".delta.text str", ".bytes.content_block.text str"}


@pytest.mark.parametrize("name", STREAMED)
def test_streams(aws: Aws, name: str) -> None:
    recording = load(name)
    answer = replay(aws, recording, asking(recording["request"]["body"], STREAMED[name]))
    recorded = recording["response"]
    assert (answer.status_code, answer.headers["content-type"]) == (200, recorded["headers"]["content-type"])
    assert {header for header in recorded["headers"] if header.startswith("x-amzn-")} <= set(answer.headers)
    items = frames(answer.content)
    assert all(list(headers) == list(recorded["frames"][0]["headers"]) for headers, _ in items)
    ours = by_event([(headers, json.loads(payload)) for headers, payload in items])
    theirs = by_event([(item["headers"], item["payload"]) for item in recorded["frames"]])
    talk = {"content_block_starttext", "content_block_deltatext_delta"}
    assert set(ours) == set(theirs) - talk
    for event, found in ours.items():
        assert found ^ theirs[event] <= {".usage.serverToolUsage", *TALK}


@pytest.mark.parametrize(
    "name",
    [
        "error-400-invalid-model-converse.json",
        "error-400-invalid-model-invoke-stream.json",
        "error-400-model-native-validation.json",
        "count-tokens-unsupported.json",
    ],
)
def test_refusals_word_for_word(aws: Aws, name: str) -> None:
    recording = load(name)
    answer = replay(aws, recording)
    recorded = recording["response"]
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])
    assert answer.headers["content-type"] == recorded["headers"]["content-type"]
    expected = recorded["headers"].get("x-amzn-errortype")
    assert expected in (None, answer.headers["x-amzn-errortype"])


def test_too_long_a_prompt(aws: Aws) -> None:
    recording = load("error-400-context-length.json")
    body = json.loads(json.dumps(recording["request"]["body"]).replace("<MASSIVE_TEXT>", "word " * 300_000))
    answer = replay(aws, recording, body)
    assert (answer.status_code, answer.json()) == (400, recording["response"]["body"])


@pytest.mark.parametrize(
    ("name", "key", "token"),
    [
        ("error-403-expired-token.json", "sandbox", "sandbox-expired"),
        ("error-403-unrecognized-client.json", "unknown", None),
    ],
)
def test_unwelcome_callers(instant: Any, name: str, key: str, token: str | None) -> None:
    aws, recorded = Aws(instant.url, key, token=token), load(name)["response"]
    base = aws.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    headers = {"x_amz_security_token": token} if token else {}
    request = aws.signed("POST", f"{base}/model/{NOVA}/converse", b"{}", **headers).prepare()
    answer = HTTP.post(request.url, headers=dict(request.headers), content=b"{}")
    assert (answer.status_code, answer.json()) == (403, recorded["body"])
    assert answer.headers["x-amzn-errortype"] == recorded["headers"]["x-amzn-errortype"]


def test_counting_tokens(aws: Aws) -> None:
    recording = load("count-tokens-invoke.json")
    answer = replay(aws, recording)
    assert members(answer.json()) == members(recording["response"]["body"])


def test_summaries_of_jobs(aws: Aws) -> None:
    """Members that came after 2025 aside."""
    recorded = load("batch-01-list-model-invocation-jobs.json")["response"]["body"]["invocationJobSummaries"]
    place = {"s3OutputDataConfig": {"s3Uri": f"s3://{aws.bucket}/"}}
    aws.create(aws.put_lines("in.jsonl", records()), modelId="amazon.nova-pro-v1:0", outputDataConfig=place)
    url = f"{aws.variables['AWS_ENDPOINT_URL_BEDROCK']}/model-invocation-jobs"
    request = aws.signed("GET", url).prepare()
    (summary,) = HTTP.get(url, headers=dict(request.headers)).json()["invocationJobSummaries"]
    counters = {f".{name}RecordCount int" for name in ("total", "processed", "success", "error")}
    then = {member for item in recorded for member in members(item) if "._row" not in member}
    assert members(summary) - then == {".modelInvocationType str", *counters}
    assert then <= members(summary)
    assert re.fullmatch(r"[\d-]+T[\d:]+\.\d{3}Z", recorded[0]["submitTime"])
    assert re.fullmatch(r"[\d-]+T[\d:]+\.\d{3}Z", summary["submitTime"])
    form = r"arn:aws:bedrock:us-east-1::foundation-model/amazon\.nova-\w+-v1:0"
    assert all(re.fullmatch(form, item["modelId"]) for item in (summary, recorded[0]))


def test_manifest_and_layout(aws: Aws) -> None:
    recording = load("batch-02-manifest.json.out.json")
    place = {"s3OutputDataConfig": {"s3Uri": f"s3://{aws.bucket}/"}}
    job_id = aws.create(aws.put_lines("in.jsonl", records()), outputDataConfig=place).rpartition("/")[2]
    assert list(json.loads(aws.read(f"{job_id}/manifest.json.out"))) == list(recording["manifest"])
    assert [key.partition("/")[2] for key in aws.keys(job_id)] == ["in.jsonl.out", "manifest.json.out"]
    assert {uri.rpartition("/")[2].partition(".")[2] for uri in recording["s3_listing"]} == {"jsonl.out", "json.out"}


def lines_of(name: str) -> list[Any]:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_lines_of_output(aws: Aws) -> None:
    (good, bad), (_, uncached) = (
        lines_of("batch-03-converse-output-lines.jsonl"),
        lines_of("batch-04-output-lines-poc.jsonl"),
    )
    sampling = {"inferenceConfig": {"temperature": 0.5, "topP": 0.5}}
    cached = {"system": [{"text": "x"}, {"cachePoint": {"type": "default"}}]}
    thinking = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
    lines = [
        {"recordId": "thinks", "modelInput": converse(**thinking)},
        {"recordId": "bad", "modelInput": converse(**sampling)},
        {"recordId": "uncached", "modelInput": converse(**cached)},
        *({"modelInput": converse()} for _ in range(97)),
    ]
    found = {
        line["recordId"]: line
        for line in aws.output(aws.create(aws.put_lines("in.jsonl", lines), modelInvocationType="Converse"))
    }
    ours, theirs = found["thinks"]["modelOutput"], good["modelOutput"]
    missing = {".metrics", ".metrics.latencyMs int", ".output.message.role str"}  # not shown by the source
    unthought = {member for member in members(theirs) if member.endswith(".signature NoneType")}
    signed = {member for member in members(ours) if member.endswith(".signature str")}
    assert members(ours) ^ members(theirs) == missing | unthought | signed
    assert found["bad"]["error"] == bad["error"]
    assert found["uncached"]["error"] == uncached["error"]
    assert list(found["bad"]) == list(bad)


def test_words_of_the_control_plane(aws: Aws) -> None:
    errors = {
        (item["op"], item.get("code")): item["message"]
        for item in load("batch-06-control-plane-errors.json")["errors"][:2]
    }
    for fields, code in (
        ({"modelId": "anthropic.claude-v2"}, "ValidationException"),
        ({"roleArn": "arn:aws:iam::111111111111:role/x"}, "AccessDeniedException"),
    ):
        with pytest.raises(ClientError) as caught:
            aws.create("s3://bifrost-sandbox/in.jsonl", **fields)
        assert refused(caught.value)[1:] == (code, errors["CreateModelInvocationJob", code])


def test_jobs_that_fail_and_counters(timed: Any, clock: Any) -> None:
    aws = Aws(timed.url, timed.key)
    recorded = load("batch-05-failed-too-few-records.json")["response"]["body"]
    clock.pass_(0.5)
    arn = aws.create(aws.put_lines("in.jsonl", records(1)))
    validating, completed = load("batch-07-counters-while-validating.json")["observations"]
    clock.pass_(0.5)
    assert {name: aws.job(arn)[name] for name in validating} == validating
    clock.pass_(0.5)
    job = aws.job(arn)
    assert {**{name: job[name] for name in recorded}, "totalRecordCount": "(present)"} == recorded
    arn = aws.create(aws.put_lines("in.jsonl", records(100)))
    clock.pass_(3)
    assert {name: aws.job(arn)[name] for name in completed} == completed
