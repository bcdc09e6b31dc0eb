"""Runs every script of samples/sdk in this interpreter, which has some line of the SDK and nothing of ours, and uploads
bare bytes above 1 MiB. Arguments: the gateway's address, the provider, one of its models."""

import contextlib
import io
import os
import runpy
import sys
import time
import traceback
import warnings
from pathlib import Path

import anthropic

SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "samples" / "sdk").glob("*.py"))


def bare_bytes(url: str, provider: str) -> None:
    client = anthropic.Anthropic(base_url=url, api_key="any", default_headers={"x-model-provider": provider})
    file = client.beta.files.upload(file=b"\xff" * 2_000_000)
    assert client.beta.files.retrieve_metadata(file.id).size_bytes == 2_000_000
    listed = [each.id for each in client.beta.files.list(limit=2)]
    assert file.id in listed
    assert len(set(listed)) == len(listed)


def main(url: str, provider: str, model: str) -> int:
    os.environ.update(BIFROST_URL=url, PROVIDER=provider, MODEL=model)
    pause = time.sleep
    time.sleep = lambda seconds: pause(seconds / 10)
    failed = []
    for path in SCRIPTS:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(str(path), run_name="__main__")
        except Exception:
            failed.append(path.name)
            traceback.print_exc()
    bare_bytes(url, provider)
    print(f"{anthropic.__version__}: {len(SCRIPTS) - len(failed)} of {len(SCRIPTS)} scripts {failed or ''}")
    return 1 if failed else 0


warnings.simplefilter("ignore")
sys.exit(main(*sys.argv[1:]))
