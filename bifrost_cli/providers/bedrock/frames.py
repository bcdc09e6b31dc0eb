"""The event-stream encoding of AWS, read block by block: frames of headers and a payload, each with two checksums."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from bifrost_cli.errors import BifrostError
from bifrost_cli.providers.bedrock import aws
from bifrost_cli.providers.bedrock.checks import PROVIDER


class Frame(NamedTuple):
    """One frame; `kind` is the type of the event, empty where it is none."""

    kind: str
    headers: Mapping[str, Any]
    payload: bytes


Decode = Callable[[bytes], Iterator[Frame]]


def decoder() -> Decode:
    """What gives, for each block of a stream, the frames that are whole with it.

    It raises BifrostError where a checksum is wrong, since there is no telling what follows. Making one raises
    ConfigError where botocore is not installed.
    """
    buffer, unreadable = _buffer()

    def decode(block: bytes) -> Iterator[Frame]:
        buffer.add_data(block)
        try:
            for message in buffer:
                yield Frame(str(message.headers.get(":event-type", "")), message.headers, message.payload)
        except unreadable as error:
            raise BifrostError(f"Bedrock's stream cannot be read: {error}.", provider=PROVIDER) from error

    return decode


def _buffer() -> tuple[Any, type[Exception]]:
    """botocore's buffer, which checks, and what it raises."""
    try:
        from botocore.eventstream import EventStreamBuffer, ParserError
    except ImportError:
        raise aws.missing_extra() from None
    return EventStreamBuffer(), ParserError
