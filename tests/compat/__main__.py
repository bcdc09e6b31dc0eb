"""Each line of Anthropic's SDK, in an environment of its own, runs every script of samples/sdk against the gateway.

The lines differ on the wire: keys, versions, `?beta=true`, beta headers, the shape of a list of files, and how bytes
are uploaded. Run it as `make compat`; `.compat` holds the environments.
"""

import os
import subprocess
import sys
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bifrost_cli.providers import PROVIDERS  # noqa: E402
from tests.gateway import in_process  # noqa: E402

LINES = {"0.x": "anthropic<1", "1.x": "anthropic<2", "2.x": "anthropic<3"}
MODELS = {
    "anthropic": "claude-sonnet-5-5",
    "openai": "gpt-4o-mini",
    "gemini": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-3-sonnet-20240229-v1:0",
}
CHOSEN = {"BIFROST_SANDBOX_PACE": "0.1", "BIFROST_BEDROCK_SMALL_BATCH": "sync"}


def environment(line: str, requirement: str) -> Path:
    """The interpreter that has this line."""
    folder = ROOT / ".compat" / line
    if not (folder / "ready").exists():
        venv.create(folder, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", folder, "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", requirement], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def run(url: str, provider: str, interpreters: dict[str, Path]) -> int:
    """How many lines failed at a provider. One after another: they share its files and batches."""
    failed = 0
    for line, python in interpreters.items():
        command = [python, ROOT / "tests" / "compat" / "scripts.py", url, provider, MODELS[provider]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"anthropic {line}, {provider}: {done.stdout.strip()}", flush=True)
        print(done.stderr, end="", file=sys.stderr)
        failed += done.returncode != 0
    return failed


def main() -> int:
    """0 where every script ran."""
    with ThreadPoolExecutor(os.cpu_count()) as pool, tempfile.TemporaryDirectory() as folder:
        interpreters = dict(zip(LINES, pool.map(environment, LINES, LINES.values()), strict=True))
        with in_process(Path(folder), "--sandbox", **CHOSEN) as gateway:
            url = f"{gateway.url}/anthropic"
            failed = sum(pool.map(lambda provider: run(url, provider, interpreters), PROVIDERS))
    return 1 if failed else 0


sys.exit(main())
