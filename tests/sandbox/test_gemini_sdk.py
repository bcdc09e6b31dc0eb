"""Google's own SDK drives Gemini's emulator: files, batches and models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bifrost_cli.sandbox import environment

genai = pytest.importorskip("google.genai", reason="google-genai is not installed")
errors, types = genai.errors, genai.types
MODEL = "gemini-3.6-flash"
LOOK_UP = {
    "name": "look_up",
    "description": "Looks a word up",
    "parameters_json_schema": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
}


@pytest.fixture(scope="module", params=["v1", "v1beta"])
def made(request: pytest.FixtureRequest, instant_url: str) -> Iterator[Any]:
    """A client, made once a version since that takes long; the first is the SDK's own default."""
    options = {"base_url": environment(instant_url)["GOOGLE_GEMINI_BASE_URL"], "api_version": request.param}
    with genai.Client(api_key="sandbox", http_options=options) as client:
        yield client


@pytest.fixture
def client(made: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client with the key of this test."""
    monkeypatch.setitem(made._api_client._http_options.headers, "x-goog-api-key", key)
    return made


def upload(client: Any, folder: Path, lines: list[dict[str, Any]]) -> Any:
    path = folder / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return client.files.upload(file=path, config={"mime_type": "application/jsonl", "display_name": "in"})


def line(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "request": {"contents": [{"parts": [{"text": text}]}], "generation_config": {"top_k": 5}}}


def test_the_environment_points_the_sdk_here(instant_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(instant_url).items():
        monkeypatch.setenv(name, value)
    with genai.Client() as client:
        assert client.models.generate_content(model=MODEL, contents="hi").text == "[sandbox] answer to: hi"


def test_files(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"x" * (8 * 1024 * 1024 + 5))
    file = client.files.upload(file=path, config={"mime_type": "text/plain"})
    assert (file.size_bytes, file.state.name, file.source.name) == (8 * 1024 * 1024 + 5, "ACTIVE", "UPLOADED")
    assert client.files.get(name=file.name) == file
    others = [client.files.upload(file=path, config={"mime_type": "text/plain"}).name for _ in range(2)]
    assert [each.name for each in client.files.list(config={"page_size": 2})] == [*others[::-1], file.name]
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="403 PERMISSION_DENIED"):
        client.files.get(name=file.name)
    with pytest.raises(errors.ClientError, match="400 INVALID_ARGUMENT"):
        client.files.download(file=others[0])


def test_a_media_type_that_is_refused_with_status_200(client: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(KeyError, match="file"):
        client.files.upload(file=tmp_path / "x", config={"mime_type": "jsonl"})


def test_a_batch_of_a_file(client: Any, tmp_path: Path) -> None:
    file = upload(client, tmp_path, [line(f"k{number}", f"say {number}") for number in range(3)])
    made = client.batches.create(model=MODEL, src=file.name, config={"display_name": "mine"})
    assert (made.state, made.display_name, made.model) == (types.JobState.JOB_STATE_PENDING, "mine", f"models/{MODEL}")
    done = client.batches.get(name=made.name)
    assert done.state is types.JobState.JOB_STATE_SUCCEEDED
    content = client.files.download(file=done.dest.file_name).decode()
    results = {result["key"]: result["response"] for result in map(json.loads, content.splitlines())}
    texts = {key: value["candidates"][0]["content"]["parts"][0]["text"] for key, value in results.items()}
    assert texts == {f"k{number}": f"[sandbox] answer to: say {number}" for number in range(3)}


def test_a_batch_of_inline_requests(client: Any) -> None:
    items = [
        {"contents": "hello", "metadata": {"key": "a"}, "config": {"system_instruction": "Be brief", "top_p": 0.5}},
        {"contents": "sandbox:error", "metadata": {"key": "b"}},
    ]
    made = client.batches.create(model=MODEL, src=items, config={"display_name": "inline"})
    good, bad = client.batches.get(name=made.name).dest.inlined_responses
    assert (good.response.text, good.metadata) == ("[sandbox] answer to: hello", {"key": "a"})
    assert (bad.error.code, bad.metadata) == (3, {"key": "b"})


def test_lists_cancels_and_deletes(client: Any, tmp_path: Path) -> None:
    src = [{"contents": "hello"}]
    names = [client.batches.create(model=MODEL, src=src, config={"display_name": "x"}).name for _ in range(3)]
    assert [job.name for job in client.batches.list(config={"page_size": 2})] == names[::-1]
    client.batches.cancel(name=names[0])
    client.batches.delete(name=names[1])
    assert [job.name for job in client.batches.list()] == [names[2], names[0]]
    with pytest.raises(errors.ClientError, match="404 NOT_FOUND"):
        client.batches.get(name=names[1])


def test_states_of_a_batch(timed: Any, clock: Any, key: str) -> None:
    with genai.Client(api_key=key, http_options={"base_url": f"{timed.url}/gemini"}) as client:
        src = [{"contents": "hello"}]
        cancelled = client.batches.create(model=MODEL, src=src, config={"display_name": "x"})
        client.batches.cancel(name=cancelled.name)
        running = client.batches.create(model=MODEL, src=src, config={"display_name": "x"})
        clock.pass_(1)
        assert client.batches.get(name=cancelled.name).state.name == "JOB_STATE_CANCELLED"
        assert client.batches.get(name=running.name).state.name == "JOB_STATE_RUNNING"
        clock.pass_(2)
        assert client.batches.get(name=running.name).state.name == "JOB_STATE_SUCCEEDED"


def test_an_answer_and_a_stream(client: Any) -> None:
    config = {"thinking_config": {"include_thoughts": True, "thinking_level": "LOW"}, "max_output_tokens": 500}
    whole = client.models.generate_content(model=MODEL, contents="a longer prompt, so that it streams", config=config)
    assert [part.thought for part in whole.candidates[0].content.parts] == [True, None]
    pieces = list(client.models.generate_content_stream(model=MODEL, contents="a longer prompt, so that it streams"))
    assert "".join(piece.text for piece in pieces) == whole.text
    usage = whole.usage_metadata
    assert usage.total_token_count == sum(
        (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    )


def test_a_chat_with_a_function(client: Any) -> None:
    config = {"tools": [{"function_declarations": [LOOK_UP]}]}
    chat = client.chats.create(model=MODEL, config=config)
    (call,) = chat.send_message("sandbox:tool").function_calls
    assert (call.name, call.args) == ("look_up", {"word": "[sandbox]"})
    part = types.Part.from_function_response(name=call.name, response={"output": "a noun"})
    assert chat.send_message(part).text == "[sandbox] answer to: a noun"


def test_structured_output(client: Any) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    for name in ("response_schema", "response_json_schema"):
        config = {"response_mime_type": "application/json", name: schema}
        answer = client.models.generate_content(model=MODEL, contents="hi", config=config)
        assert json.loads(answer.text) == {"n": 1}


def test_counts_and_models(client: Any) -> None:
    assert client.models.count_tokens(model=MODEL, contents="hello there").total_tokens > 0
    names = [model.name for model in client.models.list(config={"page_size": 5})]
    assert f"models/{MODEL}" in names
    assert client.models.get(model=MODEL).supported_actions[0] == "generateContent"


def test_errors(client: Any) -> None:
    with pytest.raises(errors.ClientError) as refused:
        client.models.generate_content(model="no-such-model", contents="hi")
    assert (refused.value.code, refused.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ServerError) as overloaded:
        client.models.generate_content(model=MODEL, contents="sandbox:overloaded")
    assert (overloaded.value.code, overloaded.value.status) == (503, "UNAVAILABLE")
