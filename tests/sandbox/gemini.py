"""Plain HTTP for Gemini's emulator, and the shapes that its tests send."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]
MODEL = "gemini-3.6-flash"


@dataclass(frozen=True)
class Gemini:
    """One account at a served emulator, and with `bare` nobody's. Answers come as they are, redirects are not
    followed."""

    http: httpx.Client
    bare: httpx.Client
    version: str = "v1beta"

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        sent = {} if body is None else {"json": body}
        return self.http.request(method, f"/{self.version}/{path}", params=params, **sent)

    def get(self, path: str, **params: Any) -> Json:
        return self._good(self.call("GET", path, **params))

    def post(self, path: str, body: Any = None, **params: Any) -> Json:
        return self._good(self.call("POST", path, body, **params))

    def _good(self, answer: httpx.Response) -> Json:
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def start(self, size: int | None, media_type: str = "application/jsonl", **file: Any) -> httpx.Response:
        """Starts a resumable upload."""
        headers = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-type": media_type,
            **({} if size is None else {"x-goog-upload-header-content-length": str(size)}),
        }
        return self.http.post(f"/upload/{self.version}/files", json={"file": file}, headers=headers)

    def send(self, url: str, command: str, offset: int | None = 0, content: bytes = b"") -> httpx.Response:
        """One step of an upload, without a key: the address is the credential."""
        headers = {"x-goog-upload-command": command}
        if offset is not None:
            headers["x-goog-upload-offset"] = str(offset)
        return self.bare.post(url, content=content, headers=headers)

    def upload(self, content: bytes, media_type: str = "application/jsonl", **file: Any) -> Json:
        """A whole upload in one chunk; its File."""
        url = self.start(len(content), media_type, **file).headers["x-goog-upload-url"]
        return self._good(self.send(url, "upload, finalize", 0, content))["file"]  # type: ignore[no-any-return]

    def upload_lines(self, *lines: Json) -> str:
        """Uploads the lines of a batch; the file's name."""
        return str(self.upload(b"\n".join(json.dumps(line).encode() for line in lines))["name"])

    def batch(self, *items: Json, model: str = MODEL, **fields: Any) -> Json:
        """Makes a batch of items that come inline."""
        return self.post(f"models/{model}:batchGenerateContent", inline(*items, **fields))

    def file_batch(self, *lines: Json, model: str = MODEL) -> Json:
        """Makes a batch of lines that come in a file."""
        body = {"batch": {"displayName": "d", "inputConfig": {"fileName": self.upload_lines(*lines)}}}
        return self.post(f"models/{model}:batchGenerateContent", body)

    def results(self, operation: Json) -> list[Json]:
        """The lines of an ended batch's result file."""
        name = operation["response"]["responsesFile"]
        answer = self.http.get(f"/{self.version}/{name}:download", params={"alt": "media"}, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def connect(url: str, key: str, version: str = "v1beta") -> Iterator[Gemini]:
    """An account at the sandbox that is served at a URL."""
    base_url, headers = f"{url}/gemini", {"x-goog-api-key": key}
    # Without `verify` a client loads no certificates, which takes longer than all that a test does with it.
    with (
        httpx.Client(base_url=base_url, headers=headers, timeout=60, verify=False) as http,
        httpx.Client(base_url=base_url, timeout=60, verify=False) as bare,
    ):
        yield Gemini(http, bare, version)


def said(text: str, role: str = "user") -> Json:
    return {"role": role, "parts": [{"text": text}]}


def request(text: str = "hi", **fields: Any) -> Json:
    return {"contents": [said(text)], **fields}


def item(key: str, text: str = "hi", **fields: Any) -> Json:
    """A request as it comes inline."""
    return {"request": request(text, **fields), "metadata": {"key": key}}


def line(key: str, text: str = "hi", **fields: Any) -> Json:
    """A request as it comes in a file."""
    return {"key": key, "request": request(text, **fields)}


def inline(*items: Json, **fields: Any) -> Json:
    return {"batch": {"displayName": "d", "inputConfig": {"requests": {"requests": list(items)}}, **fields}}


def function(name: str = "look_up", **fields: Any) -> Json:
    """Tools with one function in them."""
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    return {"functionDeclarations": [{"name": name, "parametersJsonSchema": schema, **fields}]}


def called(name: str = "look_up", **part: Any) -> Json:
    """A turn in which the model called a function."""
    return {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}, **part}]}


def answered(name: str = "look_up", **response: Any) -> Json:
    """A turn in which a function answered."""
    return {"role": "user", "parts": [{"functionResponse": {"name": name, "response": response}}]}
