"""The scripts of samples/sdk, which make the calls of a well-known page about such gateways, for every provider."""

import runpy
import time
from pathlib import Path

import anthropic
import pytest

from bifrost_cli.providers import PROVIDERS
from tests.server.conftest import MODELS, Served

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "samples" / "sdk").glob("*.py"))
SAYS = {
    "client.py": "Base URL: ",
    "client_provider.py": "Base URL: ",
    "upload_file.py": "Filename: test_upload.txt",
    "upload_jsonl.py": "File ID: ",
    "list_files.py": "Size: 49 bytes",
    "list_files_provider.py": "Name: test_upload.txt",
    "delete_file.py": "Deleted file: ",
    "download_file.py": "ile content:",
    "create_batch.py": "Status: in_progress",
    "list_batches.py": "Processing: ",
    "retrieve_batch.py": "Errored: 0",
    "cancel_batch.py": "Status: ",
    "batch_results.py": "Response: [sandbox] answer to: What is 2+2?",
    "workflow.py": "geography-question: [sandbox] answer to: What is the largest ocean?...",
    "workflow_provider.py": "status = ended",
    "messages.py": "Streamed: [sandbox] answer to: What is 2+2?",
}
GIVES_NO_UPLOAD_BACK = ("anthropic", "gemini")


def run(script: str, served: Served, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: pause(seconds / 20))
    monkeypatch.setenv("BIFROST_URL", served.base)
    monkeypatch.setenv("BIFROST_KEY", served.key)
    monkeypatch.setenv("PROVIDER", provider)
    monkeypatch.setenv("MODEL", MODELS[provider])
    close(runpy.run_path(str(SCRIPTS[0].parent / script), run_name="__main__"))


def close(names: dict[str, object]) -> None:
    """A script's clients, which would end with its process, and else whenever the collector comes by."""
    for value in names.values():
        if isinstance(value, anthropic.Anthropic):
            value.close()


def test_each_script_is_known() -> None:
    assert {path.name for path in SCRIPTS} == SAYS.keys()


@pytest.fixture(params=["any key", "a virtual key"])
def caller(request: pytest.FixtureRequest) -> Served:
    """Who calls: a gateway without keys of its own, or one with."""
    served: Served = request.getfixturevalue("served")
    return served if request.param == "any key" else request.getfixturevalue("keyed").holder(models=("*",))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("script", SAYS)
def test_a_script_runs_with_the_official_sdk(
    script: str, provider: str, caller: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if script.startswith("list_"):
        caller.sdk(provider).beta.files.upload(file=("test_upload.txt", b"x" * 49, "text/plain"))
        run("create_batch.py", caller, provider, monkeypatch)
    run(script, caller, provider, monkeypatch)
    wanted = SAYS[script]
    if script == "download_file.py" and provider in GIVES_NO_UPLOAD_BACK:
        wanted = "Not downloadable: 400"
    assert wanted in capsys.readouterr().out
