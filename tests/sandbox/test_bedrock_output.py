"""What jobs write into S3: each record once, in its own shape, whatever became of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.aws_kit import CLAUDE, NOVA, OLD_CLAUDE, Aws, converse, native, records

Make = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def aws(instant: Any) -> Aws:
    return Aws(instant.url, instant.key)


def run(aws: Aws, lines: list[Any], **fields: Any) -> dict[str, dict[str, Any]]:
    """The output of a job, by record id."""
    return {line["recordId"]: line for line in aws.output(aws.create(aws.put_lines("in.jsonl", lines), **fields))}


def one(aws: Aws, body: Any, **fields: Any) -> dict[str, Any]:
    """The output of one record among plain ones."""
    kind = fields.get("modelInvocationType")
    plain = [{"modelInput": converse() if kind == "Converse" else native()} for _ in range(99)]
    return run(aws, [{"recordId": "it", "modelInput": body}, *plain], **fields)["it"]


def manifest(aws: Aws, arn: str) -> dict[str, int]:
    content: dict[str, int] = json.loads(aws.read(f"out/{arn.rpartition('/')[2]}/manifest.json.out"))
    return content


def test_output_and_manifest(aws: Aws) -> None:
    lines = records(120, {"recordId": "bad", "modelInput": native(model="x")})
    arn = aws.create(aws.put_lines("a/in.jsonl", lines))
    job_id = arn.rpartition("/")[2]
    assert aws.keys("out/") == [f"out/{job_id}/in.jsonl.out", f"out/{job_id}/manifest.json.out"]
    output = aws.output(arn)
    assert sorted(line["recordId"] for line in output) == sorted(line["recordId"] for line in lines)
    assert [line["recordId"] for line in output] != [line["recordId"] for line in lines]
    sent = {line["recordId"]: line["modelInput"] for line in lines}
    assert all(line["modelInput"] == sent[line["recordId"]] for line in output)
    counts = manifest(aws, arn)
    tokens = [line["modelOutput"]["usage"] for line in output if "modelOutput" in line]
    assert counts == {
        "totalRecordCount": 120,
        "processedRecordCount": 120,
        "successRecordCount": 119,
        "errorRecordCount": 1,
        "inputTokenCount": sum(usage["input_tokens"] for usage in tokens),
        "outputTokenCount": sum(usage["output_tokens"] for usage in tokens),
    }


def test_the_output_of_an_anthropic_model(aws: Aws) -> None:
    said = one(aws, native("What is 2 + 2?"))
    assert list(said) == ["recordId", "modelInput", "modelOutput"]
    message = said["modelOutput"]
    assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
    assert message["model"] == "claude-haiku-4-5-20251001"
    assert message["id"].startswith("msg_bdrk_01sbx")
    assert message["content"] == [{"type": "text", "text": "[sandbox] answer to: What is 2 + 2?"}]


def test_the_output_of_converse_is_full_of_nulls(aws: Aws) -> None:
    output = one(aws, converse("What is 2 + 2?"), modelInvocationType="Converse", modelId=NOVA)["modelOutput"]
    (block,) = output["output"]["message"]["content"]
    assert len(block) == 12
    assert {name: value for name, value in block.items() if value is not None} == {
        "text": "[sandbox] answer to: What is 2 + 2?"
    }
    usage = output["usage"]
    assert usage["serverToolUsage"] == {"webSearchRequests": None}
    assert usage["cacheDetails"] is usage["cacheReadInputTokens"] is usage["cacheWriteInputTokenCount"] is None
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert output["stopReason"] == "end_turn"


TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}
SPEC = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
ERRORS: dict[str, tuple[str, dict[str, Any], int, str, bool]] = {
    "model": ("InvokeModel", native(model="x"), 400, "model: Extra inputs are not permitted", False),
    "modelId": ("InvokeModel", native(modelId="x"), 400, "modelId: Extra inputs are not permitted", False),
    "stream": ("InvokeModel", native(stream=True), 400, "stream: Extra inputs are not permitted", False),
    "empty": ("InvokeModel", {}, 400, "anthropic_version: Field required", False),
    "trigger": ("InvokeModel", native("sandbox:error"), 400, "as its prompt asks", False),
    "passing": ("InvokeModel", native("sandbox:overloaded"), 503, "unable to process", True),
    "converse model": ("Converse", converse(modelId="x"), 400, "modelId: Extra inputs are not permitted", False),
    "converse tools": ("Converse", converse(toolConfig={"tools": [SPEC]}), 400, "toolConfig", False),
    "converse body": ("Converse", native(), 400, "anthropic_version", False),
    "cache": (
        "Converse",
        converse(system=[{"text": "x"}, {"cachePoint": {"type": "default"}}]),
        403,
        "You invoked an unsupported model or your request did not allow prompt caching.",
        False,
    ),
    "sampling": (
        "Converse",
        converse(inferenceConfig={"temperature": 0.5, "topP": 0.5}),
        400,
        "`temperature` and `top_p` cannot both be specified for this model",
        False,
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_records_that_are_refused(aws: Aws, case: str) -> None:
    kind, body, code, text, retryable = ERRORS[case]
    line = one(aws, body, modelInvocationType=kind)
    assert list(line) == ["recordId", "modelInput", "error"]
    assert line["modelInput"] == body
    assert text in line["error"].pop("errorMessage")
    assert line["error"] == {"errorCode": code, "expired": False, "retryable": retryable}


def test_a_native_body_for_another_vendor(aws: Aws) -> None:
    assert "[sandbox]" in one(aws, native(), modelId="amazon.nova-micro-v1:0")["error"]["errorMessage"]


def test_tools_are_fine_in_native_bodies(aws: Aws) -> None:
    message = one(aws, native("sandbox:tool", tools=[TOOL]))["modelOutput"]
    (call,) = message["content"]
    assert (call["type"], call["name"], call["input"], message["stop_reason"]) == (
        "tool_use",
        "f",
        {"x": 1},
        "tool_use",
    )
    assert call["id"].startswith("toolu_bdrk_01sbx")


def test_all_records_may_fail(aws: Aws) -> None:
    arn = aws.create(aws.put_lines("in.jsonl", [{"modelInput": {}}] * 100))
    job = aws.job(arn)
    assert (job["status"], job["successRecordCount"], job["errorRecordCount"]) == ("Completed", 0, 100)
    assert len(aws.output(arn)) == 100


def test_triggers(aws: Aws) -> None:
    words = ("error", "overloaded", "refuse", "max_tokens", "expire", "lose", "repeat", "swap")
    lines = records(100, *({"recordId": word, "modelInput": native(f"sandbox:{word}")} for word in words))
    arn = aws.create(aws.put_lines("in.jsonl", lines))
    job = aws.job(arn)
    assert job["status"] == "PartiallyCompleted"
    assert (job["totalRecordCount"], job["processedRecordCount"]) == (100, 99)
    output = aws.output(arn)
    found = {line["recordId"]: line for line in output}
    assert [line["recordId"] for line in output].count("repeat") == 2
    assert not {"expire", "lose", "swap"} & set(found)
    assert len(set(found) - {line["recordId"] for line in lines}) == 1
    assert found["refuse"]["modelOutput"]["stop_reason"] == "refusal"
    assert found["max_tokens"]["modelOutput"]["stop_reason"] == "max_tokens"
    assert manifest(aws, arn)["processedRecordCount"] == 99


def test_odd_texts_and_ids_come_back(aws: Aws) -> None:
    """Separators that some take for line ends stay as they are."""
    texts = {"a b/c ü🎉": "x\u2028y\u0085z", "x" * 300: '\\u0000 "q" \t', "": "empty id"}
    output = run(aws, records(103, *({"recordId": id, "modelInput": native(text)} for id, text in texts.items())))
    for id, text in list(texts.items())[:2]:
        assert output[id]["modelInput"]["messages"][0]["content"] == text
    assert len(output) == 103
    key = next(key for key in aws.keys("out/") if key.endswith("in.jsonl.out"))
    assert "\u2028y\u0085".encode() in aws.read(key)


def test_records_without_ids_get_some(aws: Aws) -> None:
    ids = set(run(aws, [{"modelInput": native()}] * 100))
    assert len(ids) == 100
    assert {len(id) for id in ids} == {11}


def test_a_folder_of_input(aws: Aws) -> None:
    """Each file has an output of its own; what is not JSONL is passed over."""
    aws.put_lines("in/a.jsonl", [*records(60)[:-1], json.dumps(records(1)[0])])
    aws.put_lines("in/sub/b.jsonl", [{"recordId": f"b{number}", "modelInput": native()} for number in range(50)])
    aws.put_lines("in/notes.txt", ["hello"])
    arn = aws.create(f"s3://{aws.bucket}/in/")
    assert aws.job(arn)["totalRecordCount"] == 110
    assert len(aws.output(arn, "a.jsonl")) == 60
    assert {line["recordId"] for line in aws.output(arn, "sub/b.jsonl")} == {f"b{number}" for number in range(50)}
    assert manifest(aws, arn)["totalRecordCount"] == 110


def test_output_at_the_top_of_the_bucket(aws: Aws) -> None:
    place = {"s3OutputDataConfig": {"s3Uri": f"s3://{aws.bucket}/"}}
    arn = aws.create(aws.put_lines("in.jsonl", records()), outputDataConfig=place)
    assert len(aws.output(arn, prefix="")) == 100


def test_blank_lines_are_passed_over(aws: Aws) -> None:
    lines: list[Any] = [*records(), "\n", "  \n"]
    arn = aws.create(aws.put_lines("in.jsonl", lines))
    assert aws.job(arn)["totalRecordCount"] == 100


def test_the_model_counts(aws: Aws) -> None:
    """What one model takes, another refuses."""
    body = native(temperature=0.5, top_p=0.5)
    assert "modelOutput" in one(aws, body, modelId=OLD_CLAUDE, jobName="old")
    aws.s3.delete_object(Bucket=aws.bucket, Key="in.jsonl")
    assert "cannot both be specified" in one(aws, body, modelId=CLAUDE, jobName="new")["error"]["errorMessage"]
