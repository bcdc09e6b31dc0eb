"""Lines that share their settings have them translated once, and no line gets those of another."""

from typing import Any

import orjson
import pytest

from bifrost_cli import Bifrost, Config
from bifrost_cli.core import kept
from bifrost_cli.core.planner import Planner
from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.base import Context

MODELS = {
    "openai": "gpt-4.1",
    "gemini": "gemini-2.5-flash",
    "invoke": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "converse": "us.amazon.nova-lite-v1:0",
}
pytestmark = pytest.mark.parametrize("form", MODELS)


def planner(form: str, *drop: str) -> Planner:
    name = form if form in ("openai", "gemini") else "bedrock"
    bifrost = Bifrost(Config(), context=Context(drop=frozenset(drop)))
    return Planner(bifrost.adapter, lambda model, otherwise: (name, model))


def encoded(to: Planner, form: str, said: Any = "Hi", **settings: Any) -> bytes:
    asked = {"model": MODELS[form], "max_tokens": 64, "messages": [{"role": "user", "content": said}], **settings}
    return to.encode({"custom_id": "a", "params": asked})[1].body


def refused(to: Planner, form: str, said: Any = "Hi", **settings: Any) -> str:
    with pytest.raises(BifrostError) as caught:
        encoded(to, form, said, **settings)
    return caught.value.message


def test_a_line_has_its_own_messages_and_settings(form: str) -> None:
    to = planner(form)
    first = encoded(to, form, "One", system="Be brief.", temperature=0.5)
    second = encoded(to, form, "Two", system="Be brief.", temperature=0.5)
    assert second == first.replace(b"One", b"Two") != first
    assert encoded(to, form, "One", system="Be long.", temperature=0.5) == first.replace(b"brief", b"long")
    assert encoded(to, form, "One", system="Be brief.", temperature=0.5) == first


def test_numbers_that_are_equal_are_not_the_same(form: str) -> None:
    to = planner(form)
    whole, broken = (encoded(to, form, temperature=value) for value in (1, 1.0))
    assert whole.replace(b'"temperature":1', b'"temperature":1.0') == broken != whole
    if form != "invoke":
        assert "temperature: must be a number, this is a boolean" in refused(to, form, temperature=True)
    assert encoded(to, form, temperature=1) == whole


def test_a_wrong_setting_is_refused_on_every_line(form: str) -> None:
    to = planner(form)
    for said in ("One", "Two", "One"):
        assert "no counterpart" in refused(to, form, said, container="c")
        assert encoded(to, form, said)


def test_a_dropped_field_is_dropped_for_who_consents(form: str) -> None:
    lossy, strict = planner(form, "container"), planner(form)
    assert encoded(lossy, form, container="c") == encoded(lossy, form) == encoded(strict, form)
    assert "no counterpart" in refused(strict, form, container="c")
    assert encoded(lossy, form, container="c") == encoded(strict, form)


def test_wrong_messages_are_refused_beside_settings_that_are_kept(form: str) -> None:
    to = planner(form)
    wrong = [{"type": "container_upload", "file_id": "f"}]
    reason = refused(to, form, wrong, system="Be kind.")
    assert encoded(to, form, system="Be kind.")
    assert refused(to, form, wrong, system="Be kind.") == reason
    assert encoded(to, form, system="Be kind.")


def test_wrong_settings_are_told_before_wrong_messages(form: str) -> None:
    to = planner(form)
    wrong = [{"type": "container_upload", "file_id": "f"}]
    assert refused(to, form, wrong, container="c").startswith("container:")
    assert not refused(to, form, wrong).startswith("container:")


def test_instructions_inside_a_conversation_stay_its_own(form: str) -> None:
    to = planner(form)
    inside = [{"role": "system", "content": [{"type": "text", "text": "Aside."}]}, {"role": "user", "content": "Hi"}]
    for system in ({}, {"system": "Be brief."}):
        plain = encoded(to, form, **system)
        assert b"Aside." not in plain
        with_aside = encoded(to, form, messages=inside, **system)
        assert orjson.dumps("Aside.") in with_aside
        assert encoded(to, form, **system) == plain
        assert encoded(to, form, messages=inside, **system) == with_aside


def test_long_settings_and_many_are_as_any(form: str) -> None:
    to = planner(form)
    long = "long " * kept.LONGEST
    assert encoded(to, form, "One", system=long).replace(b"One", b"Two") == encoded(to, form, "Two", system=long)
    first = encoded(to, form, system="No. 0")
    for number in range(kept.ROOM // 100):
        assert f"No. {number}".encode() in encoded(to, form, system=f"No. {number}")
    assert encoded(to, form, system="No. 0") == first
