"""Ids that look like a vendor's and say that they are not: each contains `sbx`."""

import hashlib
import secrets
import uuid

MARK = "sbx"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def fresh(prefix: str, length: int) -> str:
    """A new id: `prefix` and `length` random letters and digits."""
    return prefix + "".join(secrets.choice(_DIGITS) for _ in range(length))


def fresh_hex(prefix: str, length: int) -> str:
    """A new id: `prefix` and `length` random hexadecimal digits."""
    return prefix + secrets.token_hex((length + 1) // 2)[:length]


def derived(seed: str, length: int) -> str:
    """Up to 64 hexadecimal digits that are the same for the same seed, so that a result reads the same each time."""
    return hashlib.blake2b(seed.encode(), digest_size=32).hexdigest()[:length]


def derived_uuid(seed: str) -> str:
    """A UUID that is the same for the same seed."""
    return str(uuid.UUID(hex=derived(seed, 32), version=4))
