"""Gemini's emulator held against recordings of the live service, member by member.

They are other people's data and not part of the project: the folder is `../shared/recordings` beside it, or where
BIFROST_RECORDINGS says.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bifrost_cli.sandbox import background
from tests.sandbox.gemini import Gemini, Json, connect, function, item, line, request, said

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("BIFROST_RECORDINGS") or ROOT.parent / "shared" / "recordings") / "gemini"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recordings in {FOLDER}")

LITERAL = {
    *("@type", "state", "source", "role", "finishReason", "finishMessage", "modality", "mimeType", "status", "code"),
    *("reason", "domain", "service", "locale", "category", "thought", "blocked", "done", "serviceTier", "modelVersion"),
    *("model", "description", "url", "index"),
}
"""Members whose value is the same here and there; of the others the form is."""

FORMS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", "time to the nanosecond"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "time to the microsecond"),
    (r"\d+", "digits"),
    (r"batches/[a-z0-9]{36}", "a batch"),
    (r"files/batch-[a-z0-9]{36}", "a result file"),
    (r"files/[a-z0-9]{12}", "a file"),
    (r"https?://[^/]+(/gemini)?/v1beta/files/[a-z0-9]{12}", "the address of a file"),
    (r"[A-Za-z0-9+/]{86}==", "a digest in hexadecimal in base64"),
)


@pytest.fixture
def gemini(instant: Any, key: str) -> Iterator[Gemini]:
    with connect(instant.url, key) as client:
        yield client


@pytest.fixture
def slow(timed: Any, key: str) -> Iterator[Gemini]:
    with connect(timed.url, key) as client:
        yield client


def recording(name: str) -> Any:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"there is no {path}")
    return json.loads(path.read_text())


def form(value: Any, name: str = "") -> Any:
    """What a value is like: its members with their forms; of a list its distinct items."""
    if isinstance(value, dict):
        return {key: form(member, key) for key, member in value.items()}
    if isinstance(value, list):
        forms = [form(each, name) for each in value]
        return [each for position, each in enumerate(forms) if each not in forms[:position]]
    if name in LITERAL:
        return value
    if isinstance(value, str) and name != "text":
        return next((what for pattern, what in FORMS if re.fullmatch(pattern, value)), "text")
    return "text" if isinstance(value, str) else type(value).__name__


def order(value: Any) -> Any:
    """The order of the members of objects, at every level."""
    if isinstance(value, dict):
        return [(key, order(member)) for key, member in value.items()]
    return [order(each) for each in value] if isinstance(value, list) else None


def without(value: Any, *names: str) -> Any:
    """A value without some members, at every level."""
    if isinstance(value, dict):
        return {key: without(member, *names) for key, member in value.items() if key not in names}
    return [without(each, *names) for each in value] if isinstance(value, list) else value


def sent(name: str, *, trigger: str = "") -> tuple[str, Json]:
    """The path of a recorded request, without its version, and its body, with a trigger word in what is said last."""
    asked = recording(name)["request"]
    body = json.loads(json.dumps(asked["body"]).replace("...[trimmed", "").replace("thoughtSignature", "_signature"))
    if trigger:
        body["contents"][-1]["parts"][0]["text"] += f" {trigger}"
    return asked["path"].removeprefix("/v1beta/"), without(body, "_signature")


def replay(gemini: Gemini, name: str, *, trigger: str = "") -> httpx.Response:
    path, body = sent(name, trigger=trigger)
    return gemini.http.post(f"/v1beta/{path}", json=body)


@pytest.mark.parametrize(
    ("name", "trigger", "ordered"),
    [
        ("generate-max-tokens.json", "", False),
        ("generate-max-tokens-empty.json", "", False),
        ("generate-tool-gemini3-1-call-with-id.json", "sandbox:tool", False),
        ("count-tokens.json", "", True),
    ],
)
def test_answers_of_models(gemini: Gemini, name: str, trigger: str, ordered: bool) -> None:
    recorded, answer = recording(name)["response"]["body"], replay(gemini, name, trigger=trigger).json()
    for each in (recorded, answer):
        for candidate in each.get("candidates", ()):
            for part in candidate["content"].get("parts", ()):
                part.get("functionCall", {}).pop("args", None)
    assert form(answer) == form(recorded)
    assert not ordered or order(answer) == order(recorded)


def test_an_answer_that_is_blocked(gemini: Gemini) -> None:
    name = "generate-safety-blocked.json"
    recorded = without(recording(name)["response"]["body"], "probability")
    answer = without(replay(gemini, name, trigger="sandbox:refuse").json(), "probability", "serviceTier")
    assert form(answer) == form(recorded)


def test_a_first_parallel_call(gemini: Gemini) -> None:
    name = "generate-tool-parallel-1-call.json"
    recorded, answer = recording(name)["response"]["body"], replay(gemini, name, trigger="sandbox:tool").json()
    recorded["candidates"][0]["content"]["parts"].pop()
    assert form(answer) == form(recorded)
    assert order(answer) == order(recorded)


def test_cached_usage(gemini: Gemini) -> None:
    recorded = recording("generate-cached-content-usage.json")["response"]["body"]["usageMetadata"]
    body = request(systemInstruction={"parts": [{"text": "word " * 2000}]})
    usage = gemini.post("models/gemini-2.5-flash:generateContent", body)["usageMetadata"]
    assert form(usage) == form(recorded)
    assert list(usage) == list(recorded)


def test_a_file_in_a_prompt(gemini: Gemini) -> None:
    name = "files-use-in-generateContent.json"
    path, body = sent(name)
    body["contents"][0]["parts"][1]["file_data"]["file_uri"] = gemini.upload(b"%PDF", "application/pdf")["uri"]
    recorded, answer = recording(name)["response"], gemini.http.post(f"/v1beta/{path}", json=body)
    assert form(answer.json()) == form(recorded["body"])
    assert order(answer.json()) == order(recorded["body"])
    assert answer.headers["x-gemini-service-tier"] == recorded["headers"]["x-gemini-service-tier"]


def frames(raw: str) -> list[Json]:
    assert raw.endswith("\r\n\r\n")
    return [json.loads(text.removeprefix("data: ")) for text in raw.split("\r\n\r\n")[:-1]]


@pytest.mark.parametrize(
    ("name", "trigger"),
    [
        ("stream-1-function-call.json", "sandbox:tool"),
        ("stream-2-text.json", ""),
        ("stream-5-usage-mid-stream.json", ""),
    ],
)
def test_streams(gemini: Gemini, name: str, trigger: str) -> None:
    recorded = recording(name)["response"]
    answer = replay(gemini, name, trigger=trigger)
    for header in ("content-type", "content-disposition"):
        assert answer.headers[header] == recorded["headers"][header]
    theirs, ours = frames(recorded["raw_sse"]), frames(answer.text)
    thinking = {"thoughtsTokenCount"} if name == "stream-2-text.json" else set()  # theirs happened not to think
    for position in (0, -1):
        mine, other = without(ours[position], "args", *thinking), without(theirs[position], "args")
        assert form(mine) == form(other)
        assert order(mine) == order(other)
    start = re.escape(recorded["raw_sse"][:40].split('"text')[0].split('"functionCall')[0])
    assert re.match(start, answer.text)


@pytest.mark.parametrize(
    ("name", "trigger"), [("stream-3-gemini3-tool-call.json", "sandbox:tool"), ("stream-4-gemini3-answer.json", "")]
)
def test_streams_of_gemini_3(gemini: Gemini, name: str, trigger: str) -> None:
    path, body = sent(name, trigger=trigger)
    if not trigger:
        body["contents"][1]["parts"][0]["thoughtSignature"] = "skip_thought_signature_validator"
    newer = ("serviceTier", "args", *(() if trigger else ("thoughtSignature", "thoughtsTokenCount")))
    ours = frames(gemini.http.post(f"/v1beta/{path}", json=body).text)
    theirs = frames(recording(name)["response"]["raw_sse"])
    for position in (0, -1):
        mine, other = without(ours[position], *newer), without(theirs[position], *newer)
        assert form(mine) == form(other)
        assert order(mine) == order(other)
    growth = [len({each["usageMetadata"]["promptTokenCount"] for each in stream}) for stream in (ours, theirs)]
    assert growth[0] == growth[1]


def test_a_stream_with_thoughts(gemini: Gemini) -> None:
    name = "stream-6-thoughts.json"
    recorded = recording(name)["response"]["sse_frames_first_and_last"]
    theirs = [json.loads(text.removeprefix("data: ")) for text in recorded if text]
    ours = frames(replay(gemini, name).text)
    for position in (0, -2, -1):
        assert form(ours[position]) == form(theirs[position])
        assert order(ours[position]) == order(theirs[position])


@pytest.mark.parametrize("name", ["error-404-model.json", "error-404-model-countTokens.json"])
def test_unknown_models(gemini: Gemini, name: str) -> None:
    recorded = recording(name)
    path, body = sent(name)
    model = path.removeprefix("models/").partition(":")[0]
    answer = gemini.http.post(f"/v1beta/{path.replace(model, 'no-such-model')}", json=body)
    assert answer.status_code == recorded["response"]["status"]
    assert json.loads(answer.text.replace("no-such-model", model)) == recorded["response"]["body"]


def test_a_bad_key(gemini: Gemini) -> None:
    recorded = recording("error-400-bad-key.json")["response"]
    answer = gemini.http.get("/v1beta/models", headers={"x-goog-api-key": "invalid-key"})
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])
    for name in ("content-type", "server", "x-content-type-options"):
        assert answer.headers[name] == recorded["headers"][name]


def test_a_missing_signature(gemini: Gemini) -> None:
    recorded = recording("error-400-missing-thought-signature.json")["response"]
    call = {"role": "model", "parts": [{"functionCall": {"name": "google_search"}}]}
    answered = {"role": "user", "parts": [{"functionResponse": {"name": "google_search", "response": {}}}]}
    contents = [said("x"), said("y", "model")] * 3 + [said("z"), call, answered]
    answer = gemini.call("POST", "models/gemini-3-flash-preview:generateContent", {"contents": contents})
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_a_missing_file(gemini: Gemini) -> None:
    recorded = recording("error-403-missing-file.json")["response"]
    answer = gemini.call("GET", "files/xxxxxxxxx")
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_out_of_quota(timed: Any, key: str) -> None:
    recorded = recording("error-429-quota.json")["response"]
    with connect(timed.url, key) as gemini:
        gemini.bare.post(f"{timed.url}/_sandbox/faults", json="429=48@gemini POST .*").raise_for_status()
        answer = gemini.call("POST", "models/gemini-2.5-flash:generateContent", request())
    assert answer.status_code == recorded["status"]
    assert form(answer.json()) == form(recorded["body"])
    ours, theirs = answer.json()["error"]["details"], recorded["body"]["error"]["details"]
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])
    assert "retry-after" not in answer.headers


def test_a_create_out_of_quota(tmp_path: Path) -> None:
    recorded = recording("error-429-on-batch-create.json")["response"]
    with background(tmp_path, enqueued_tokens=0) as url, connect(url, "sandbox") as gemini:
        body = {"batch": {"displayName": "d", "inputConfig": {"requests": {"requests": [item("a")]}}}}
        answer = gemini.call("POST", "models/gemini-2.5-flash:batchGenerateContent", body)
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_an_upload(gemini: Gemini) -> None:
    started, done = (recording(f"files-upload-{step}.json") for step in ("1-start", "2-finalize"))
    content = b"x" * 18_810
    headers = {name: value for name, value in started["request"]["headers"].items() if name.startswith("x-goog-upload")}
    first = gemini.http.post("/upload/v1beta/files", json=started["request"]["body"], headers=headers)
    for name in ("content-type", "x-goog-upload-status", "x-goog-upload-chunk-granularity", "content-length"):
        assert first.headers[name] == started["response"]["headers"][name]
    place = re.compile(r"/upload/v1beta/files\?upload_id=\w+&upload_protocol=resumable$")
    for name in ("x-goog-upload-url", "x-goog-upload-control-url"):
        assert place.search(started["response"]["headers"][name])
        assert place.search(first.headers[name])
    last = gemini.send(first.headers["x-goog-upload-url"], "upload, finalize", 0, content)
    for name in ("content-type", "x-goog-upload-status"):
        assert last.headers[name] == done["response"]["headers"][name]
    assert form(last.json()) == form(done["response"]["body"])
    assert order(last.json()) == order(done["response"]["body"])


def test_an_upload_that_is_refused(gemini: Gemini) -> None:
    recorded = recording("files-upload-error-200-unsupported-mime.json")["response"]
    url = gemini.start(1, "jsonl").headers["x-goog-upload-url"]
    answer = gemini.send(url, "upload, finalize", 0, b"x")
    assert (answer.status_code, answer.json()) == (recorded["status"], recorded["body"])


def test_a_download(gemini: Gemini) -> None:
    turned, content = (recording(f"files-download-{step}.json")["response"] for step in ("1-302", "2-200"))
    name = gemini.get(gemini.file_batch(line("a"))["name"])["response"]["responsesFile"]
    first = gemini.call("GET", f"{name}:download", alt="media")
    assert (first.status_code, first.json()) == (turned["status"], turned["body"])
    tail = re.compile(r"/download/v1beta/files/[a-z0-9-]+:download\?alt=media$")
    assert tail.search(turned["headers"]["location"])
    assert tail.search(first.headers["location"])
    last = gemini.http.get(first.headers["location"])
    assert last.status_code == content["status"]
    assert last.headers["content-disposition"] == content["headers"]["content-disposition"]


def same_operation(ours: Json, theirs: Json) -> None:
    assert form(ours) == form(theirs)
    assert order(ours) == order(theirs)


def test_a_batch_inline(slow: Gemini, clock: Any) -> None:
    created, running, done = (
        recording(f"batch-inline-{step}.json")["response"]["body"]
        for step in ("01-create-pending", "02-get-running", "03-get-succeeded")
    )
    body = recording("batch-inline-01-create-pending.json")["request"]["body"]
    made = slow.post("models/gemini-2.5-flash:batchGenerateContent", body)
    same_operation(made, created)
    clock.pass_(1)
    same_operation(slow.get(made["name"]), running)
    clock.pass_(2)
    same_operation(slow.get(made["name"]), done)


def test_a_batch_inline_in_snake_case(slow: Gemini, clock: Any) -> None:
    steps = recording("batch-inline-05-apifox-lifecycle.json")["steps"]
    made = slow.post("models/gemini-2.5-flash:batchGenerateContent", steps[0]["request"]["body"])
    same_operation(made, steps[0]["response"]["body"])
    clock.pass_(3)
    ours = without(slow.get(made["name"]), "serviceTier")  # came later
    same_operation(ours, steps[-1]["response"]["body"])


def test_the_course_of_a_batch(slow: Gemini, clock: Any) -> None:
    """Its numbers do not move while it runs."""
    path = FOLDER / "batch-inline-04-poll-timeline.jsonl"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    theirs = [json.loads(text) for text in path.read_text().splitlines()]
    made = slow.batch(item("a"), item("b"))
    ours = [made]
    for _ in range(30):
        clock.pass_(0.1)
        ours.append(slow.get(made["name"]))

    def course(polls: list[Json]) -> list[tuple[Any, ...]]:
        seen = [(poll["state"], bool(poll.get("done")), tuple(poll["batchStats"].items())) for poll in polls]
        return [each for position, each in enumerate(seen) if each not in seen[:position]]

    assert course([{**poll["metadata"], "done": poll.get("done")} for poll in ours]) == course(theirs)


def test_a_batch_of_a_file(gemini: Gemini) -> None:
    whole = recording("batch-file-01-create-and-succeeded.json")
    name = gemini.upload("\n".join(whole["input_jsonl"]).encode())["name"]
    created, done = (step["response"]["body"] for step in whole["steps"])
    body = json.loads(json.dumps(whole["steps"][0]["request"]["body"]).replace("files/frh6ua11nk3o", name))
    made = gemini.post("models/gemini-2.5-flash:batchGenerateContent", body)
    same_operation(made, created)
    same_operation(gemini.get(made["name"]), done)


def test_results_of_a_file(gemini: Gemini) -> None:
    whole = recording("batch-file-02-ellmer-succeeded.json")
    example = recording("batch-file-05-jsonl-input-quirks.json")["example_line"]
    made = gemini.file_batch(*({**example, "key": f"chat-{number}"} for number in range(4)), model="gemini-3.5-flash")
    done = gemini.get(made["name"])
    same_operation(done, whole["batch"])
    for result in gemini.results(done):
        assert form(result["response"]) == form(whole["results"][0]["body"])


def test_lines_of_results(gemini: Gemini) -> None:
    path = FOLDER / "batch-file-03-result-lines.jsonl"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    theirs = [form(json.loads(text)) for text in path.read_text().splitlines()]
    made = gemini.file_batch(line("a"), line("b"), model="gemini-2.5-flash")
    for ours in gemini.results(gemini.get(made["name"])):
        assert form(without(ours, "serviceTier")) == theirs[0] == theirs[1]  # the tier came later


def test_cancelled_batches(slow: Gemini, clock: Any) -> None:
    whole = recording("batch-cancelled-observed.json")
    early = slow.batch(item("smoke"))
    slow.post(f"{early['name']}:cancel")
    late = slow.batch(item("smoke"))
    clock.pass_(1)
    slow.post(f"{late['name']}:cancel")
    clock.pass_(1)

    def reduced(name: str) -> Json:
        operation = slow.get(name)
        kept = {
            key: operation["metadata"][key] for key in ("state", "batchStats", "output") if key in operation["metadata"]
        }
        return without({**operation, "name": "batches/x", "metadata": kept}, "@type")  # type: ignore[no-any-return]

    id = early["name"].removeprefix("batches/")
    assert json.loads(json.dumps(reduced(early["name"])).replace(id, "x")) == whole["cancel_before_start"]
    assert {**reduced(late["name"]), "name": "batches/syntheticop"} == whole["cancel_after_start"]


def test_lists(gemini: Gemini) -> None:
    whole = recording("batch-list-operations-partial.json")["response"]["body"]
    gemini.file_batch(line("a"))
    gemini.batch(item("a"))
    inline, file = gemini.get("batches")["operations"]
    assert list(gemini.get("batches")) == list(whole)
    assert list(whole["operations"][0]) == list(file)[:2]
    assert form(file["metadata"]["inputConfig"]) == form(whole["operations"][0]["metadata"]["inputConfig"])
    assert "output" not in inline["metadata"]


def test_a_loop_with_a_function(gemini: Gemini) -> None:
    """A recorded loop of two steps, its signatures made here."""
    path, body = sent("generate-tool-gemini3-2-response.json")
    first = {"contents": [said("sandbox:tool")], "tools": [function()]}
    turn = gemini.post("models/gemini-3.6-flash:generateContent", first)["candidates"][0]["content"]
    body["contents"][1]["parts"][0]["thoughtSignature"] = turn["parts"][0]["thoughtSignature"]
    assert gemini.post(path, body)["candidates"]
