"""Ids that route themselves: what they say, and what is refused before it can enter a URL."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bifrost_cli.core.refs import Ref, check_provider, join, parse, parse_one, route
from bifrost_cli.errors import UsageError
from bifrost_cli.providers import HOME, PROVIDERS

OTHER = next(name for name in PROVIDERS if name != HOME)
FIRST = string.ascii_letters + string.digits + "_-"
natives = st.builds(str.__add__, st.sampled_from(FIRST), st.text(FIRST + ".:", max_size=40))
some_refs = st.lists(st.builds(Ref, st.sampled_from(list(PROVIDERS)), natives), min_size=1, max_size=5)

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../x",
    ".hidden",
    "a/b",
    "/etc/passwd",
    "a%2Fb",
    "%2e%2e",
    "a\\b",
    "a?b=c",
    "a#b",
    "a b",
    "a&b",
    "a+b",
    "a@b",
    "a\nb",
    "a\r\nX-Header: 1",
    "a\x00b",
    "é",
    "file_\u202e",
    "~",
    "a~",
    "~a",
    "a~~b",
    "a~../x",
    ":",
    ":x",
    f"{OTHER}:",
    f"{OTHER}:../x",
    f"{OTHER}:a/b",
    f"{OTHER}:.x",
    f"{OTHER}::x",
]


@given(some_refs)
def test_what_is_joined_is_parsed_back(refs: list[Ref]) -> None:
    assert list(parse(join(refs))) == refs


@given(st.text(max_size=30))
def test_any_text_is_an_id_of_safe_characters_or_refused(text: str) -> None:
    try:
        refs = parse(text)
    except UsageError:
        return
    assert all(set(ref.native) <= set(FIRST + ".:") and ref.native[0] in FIRST for ref in refs)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_id_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an id"):
        parse(text)


@pytest.mark.parametrize("text", [*HOSTILE, "a~b"])
def test_a_hostile_or_combined_id_is_no_file(text: str) -> None:
    with pytest.raises(UsageError, match="is not an id"):
        parse_one(text)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("msgbatch_01Ab", {}, [Ref(HOME, "msgbatch_01Ab")]),
        ("msgbatch_01Ab", {"default": OTHER}, [Ref(HOME, "msgbatch_01Ab")]),
        ("file_01Ab", {"default": OTHER}, [Ref(HOME, "file_01Ab")]),
        ("batch_1", {"default": OTHER}, [Ref(OTHER, "batch_1")]),
        ("batch_1", {"given": OTHER}, [Ref(OTHER, "batch_1")]),
        ("msgbatch_1", {"given": OTHER}, [Ref(OTHER, "msgbatch_1")]),
        (f"{OTHER}:batch_1", {}, [Ref(OTHER, "batch_1")]),
        (f"{OTHER}:batch_1", {"given": OTHER, "default": HOME}, [Ref(OTHER, "batch_1")]),
        (f"{HOME}:msgbatch_1", {}, [Ref(HOME, "msgbatch_1")]),
        (f"{HOME}:{OTHER}:batch_1", {}, [Ref(HOME, f"{OTHER}:batch_1")]),
        ("elsewhere:x", {"default": OTHER}, [Ref(OTHER, "elsewhere:x")]),
        (f"  {OTHER}:batch_1\n", {}, [Ref(OTHER, "batch_1")]),
        (f"{OTHER}:a~{OTHER}:b", {}, [Ref(OTHER, "a"), Ref(OTHER, "b")]),
        (f"{OTHER}:a~msgbatch_1", {}, [Ref(OTHER, "a"), Ref(HOME, "msgbatch_1")]),
    ],
)
def test_an_id_says_its_provider(text: str, options: dict[str, str], expected: list[Ref]) -> None:
    assert list(parse(text, **options)) == expected


def test_an_id_of_one_provider_is_refused_under_another() -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"{OTHER}:batch_1", given=HOME)
    assert caught.value.message == f"The id {OTHER}:batch_1 is one of {OTHER}, but the provider given is {HOME}."
    assert f"{HOME}:{OTHER}:batch_1" in str(caught.value.hint)


def test_a_native_id_that_is_combined_itself_stays_followable() -> None:
    """An Anthropic-wire server in front of several providers answers with combined ids of its own."""
    inner = f"{OTHER}:a~{OTHER}:b"
    assert str(Ref(HOME, inner)) == f"{HOME}:{OTHER}:a~{HOME}:{OTHER}:b"
    assert parse(str(Ref(HOME, inner))) == (Ref(HOME, f"{OTHER}:a"), Ref(HOME, f"{OTHER}:b"))


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("m-1", {}, (HOME, "m-1")),
        ("m-1", {"default": OTHER}, (OTHER, "m-1")),
        ("m-1", {"given": OTHER}, (OTHER, "m-1")),
        (f"{OTHER}/m-1", {}, (OTHER, "m-1")),
        (f"{OTHER}/m-1", {"given": OTHER}, (OTHER, "m-1")),
        (f"{OTHER}/org/m-1", {}, (OTHER, "org/m-1")),
        ("meta-llama/m-1", {"default": OTHER}, (OTHER, "meta-llama/m-1")),
        (f"{OTHER}/", {}, (HOME, f"{OTHER}/")),
        ("", {"given": OTHER}, (OTHER, "")),
    ],
)
def test_a_model_routes_by_a_registered_prefix_only(
    model: str, options: dict[str, str], expected: tuple[str, str]
) -> None:
    assert route(model, **options) == expected


def test_a_model_of_one_provider_is_refused_under_another() -> None:
    with pytest.raises(UsageError) as caught:
        route(f"{OTHER}/m-1", given=HOME)
    assert caught.value.message == f"model '{OTHER}/m-1' is for {OTHER}, but the provider given is {HOME}."


def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    assert check_provider(OTHER) == OTHER
    with pytest.raises(UsageError) as caught:
        check_provider("nobody")
    assert all(name in str(caught.value.hint) for name in PROVIDERS)
