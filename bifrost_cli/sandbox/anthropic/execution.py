"""What Anthropic's code execution tool leaves in a Message: the one way to a file that can be downloaded."""

from collections.abc import Mapping
from typing import Any

from bifrost_cli.sandbox.account import StoredFile
from bifrost_cli.sandbox.answers import SIGN, Trigger, triggers
from bifrost_cli.sandbox.anthropic import prompt
from bifrost_cli.sandbox.anthropic.paging import file_time
from bifrost_cli.sandbox.http import Call
from bifrost_cli.sandbox.ids import MARK, derived, fresh

_LIFE = 3600


def makes_file(request: Mapping[str, Any]) -> bool:
    """Whether the prompt asks for a file and there is a tool that can make one."""
    can = any(str(tool.get("type")).startswith("code_execution_") for tool in request.get("tools") or ())
    return can and Trigger.FILE in triggers(prompt.last_text(request["messages"]))


def with_file(call: Call, whole: Mapping[str, Any]) -> dict[str, Any]:
    """The Message with a file made on the way: a call of the tool, its result, and the container (recorded)."""
    file = _make(call, whole["content"])
    tool_id = f"srvtoolu_01{MARK}{derived(call.id, 19)}"
    output = [{"type": "bash_code_execution_output", "file_id": file.id}]
    result = {"type": "bash_code_execution_result", "stdout": "", "stderr": "", "return_code": 0, "content": output}
    blocks = [
        {"type": "server_tool_use", "id": tool_id, "name": "bash_code_execution", "input": {"command": "true"}},
        {"type": "bash_code_execution_tool_result", "tool_use_id": tool_id, "content": result},
    ]
    container = {"id": f"container_01{MARK}{derived(call.id, 19)}", "expires_at": file_time(call.now + _LIFE)}
    usage = {**whole["usage"], "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0}}
    return {**whole, "content": [*blocks, *whole["content"]], "container": container, "usage": usage}


def _make(call: Call, content: list[Mapping[str, Any]]) -> StoredFile:
    text = f"{SIGN} file made by a tool\n" + "".join(block.get("text", "") for block in content) + "\n"
    file = StoredFile(
        fresh(f"file_{MARK}01", 19), call.now, "sandbox.txt", "text/plain", len(text.encode()), purpose="output"
    )
    with call.sandbox.store.spool() as folder:
        (folder / "file").write_text(text)
        return call.account.add_file(file, folder / "file")
