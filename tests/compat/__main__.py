"""Each line of Anthropic's SDK, in an environment of its own, runs every script of samples/sdk against the gateway.

The lines differ on the wire: keys, versions, `?beta=true`, beta headers, the shape of a list of files, and how bytes
are uploaded. Run it as `make compat`; `.compat` holds the environments.
"""

import subprocess
import sys
import tempfile
import venv
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
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, requirement], check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def main() -> int:
    """0 where every script ran."""
    interpreters = {line: environment(line, requirement) for line, requirement in LINES.items()}
    failed = 0
    with tempfile.TemporaryDirectory() as folder, in_process(Path(folder), "--sandbox", **CHOSEN) as gateway:
        for line, python in interpreters.items():
            for provider in PROVIDERS:
                command = [python, ROOT / "tests" / "compat" / "scripts.py", f"{gateway.url}/anthropic", provider]
                done = subprocess.run([*command, MODELS[provider]], capture_output=True, text=True, check=False)
                print(f"anthropic {line}, {provider}: {done.stdout.strip()}", flush=True)
                print(done.stderr, end="", file=sys.stderr)
                failed += done.returncode != 0
    return 1 if failed else 0


sys.exit(main())
