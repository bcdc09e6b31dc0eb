"""S3's XML: written from tuples, read from bodies."""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Node = tuple[str, Any]
"""A name, and its text or the nodes inside; a node whose value is None is left out."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def document(name: str, nodes: Sequence[Node], *, namespace: bool = True) -> bytes:
    """A whole XML document."""
    attribute = f' xmlns="{NAMESPACE}"' if namespace else ""
    inner = "".join(_node(*node) for node in nodes)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{attribute}>{inner}</{name}>'.encode()


def _node(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        text = "".join(_node(*node) for node in value)
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = _FORBIDDEN.sub("\ufffd", escape(str(value), {'"': "&quot;", "\r": "&#13;"}))
    return f"<{name}>{text}</{name}>"


def read(body: bytes, name: str) -> ElementTree.Element | None:
    """The root of a document with that name, without namespaces; None for anything else."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        element.tag = element.tag.partition("}")[2] or element.tag
    return root if root.tag == name else None
