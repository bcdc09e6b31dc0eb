"""Everything that can go wrong, as one tree.

Each class states the exit code of the command line, the HTTP status that `serve` answers with and the
`error.type` of Anthropic's wire::

    BifrostError                     1  500  api_error              an answer that makes no sense
    ├── UsageError                   2  400  invalid_request_error  the command line is wrong
    │   └── InputError               2  400  invalid_request_error  the input file does not validate
    ├── ConfigError                  3  401  authentication_error   a key or setting is missing or ill-formed
    ├── AuthError                    3  401  authentication_error   the provider refuses the key
    │   └── ForbiddenError           3  403  permission_error       the key may not do this
    ├── NotFoundError                4  404  not_found_error
    ├── InvalidRequestError          5  400  invalid_request_error  the provider said no
    │   └── UnsupportedError         5  400  invalid_request_error  the provider would say no; nothing was sent
    ├── BillingError                 5  402  billing_error
    ├── ConflictError                5  409  conflict_error
    ├── TooLargeError                5  413  request_too_large
    ├── RateLimitError               6  429  rate_limit_error
    ├── OverloadedError              6  529  overloaded_error
    ├── UpstreamError                7  500  api_error              the provider failed
    │   ├── NetworkError             7  500  api_error              the provider was not reached, or left midway
    │   └── UpstreamTimeoutError     7  504  timeout_error
    ├── PendingError                 8  404  not_found_error        not finished yet
    ├── PartialError                 9  200  -                      the batch ended, some requests did not succeed
    └── OutcomeUnknownError         10  500  api_error              a create may or may not have arrived

A message says what failed and why; `hint` says what to do next, naming the variable or flag.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from bifrost_cli.models import Batch


class BifrostError(Exception):
    """An answer or a result that makes no sense; the root of the tree.

    `provider` and `request_id` say who answered, `retry_after` is in seconds.
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.provider = provider
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(BifrostError):
    """The command line, or a call's arguments, cannot be carried out as given."""

    exit_code = 2
    status = 400
    type = "invalid_request_error"


class Problem(NamedTuple):
    """One thing wrong with an input line (1-based); `custom_id` is None where the line has none that can be read.

    `provider` is the one that has no place for it, where that is the reason.
    """

    line: int
    custom_id: str | None
    message: str
    provider: str | None = None

    def render(self, source: str) -> str:
        """`file:line: custom_id: what and why`."""
        where = f"{source}:{self.line}" if self.line else source
        return f"{where}: {self.custom_id}: {self.message}" if self.custom_id else f"{where}: {self.message}"


class InputError(UsageError):
    """The requests do not validate: `problems` holds the first ones found, `total` counts all of them."""

    def __init__(self, source: str, problems: Iterable[Problem], total: int, *, hint: str | None = None) -> None:
        self.source = source
        self.problems = list(problems)
        self.total = total
        count = "1 problem" if total == 1 else f"{total:,} problems"
        super().__init__(f"{source}: {count}; nothing was submitted.", hint=hint)


class ConfigError(BifrostError):
    """A key or a setting is missing or ill-formed."""

    exit_code = 3
    status = 401
    type = "authentication_error"


class AuthError(BifrostError):
    """The provider does not accept the key."""

    exit_code = 3
    status = 401
    type = "authentication_error"


class ForbiddenError(AuthError):
    """The key is known and may not do this."""

    status = 403
    type = "permission_error"


class NotFoundError(BifrostError):
    """No such file, batch or model (or it is another account's)."""

    exit_code = 4
    status = 404
    type = "not_found_error"


class InvalidRequestError(BifrostError):
    """The provider refuses the request as it is."""

    exit_code = 5
    status = 400
    type = "invalid_request_error"


class UnsupportedError(InvalidRequestError):
    """The provider has no place for this; raised before anything is sent.

    `field` is the dotted path inside `params`, as the caller wrote it, where a request field is the reason.
    """

    def __init__(self, message: str, *, field: str | None = None, hint: str | None = None, provider: str | None = None):
        super().__init__(f"{field}: {message}" if field else message, hint=hint, provider=provider)
        self.field = field


class BillingError(BifrostError):
    """The account has no money or quota left; waiting does not help."""

    exit_code = 5
    status = 402
    type = "billing_error"


class ConflictError(BifrostError):
    """The object's state does not allow this."""

    exit_code = 5
    status = 409
    type = "conflict_error"


class TooLargeError(BifrostError):
    """A file or body is beyond a limit."""

    exit_code = 5
    status = 413
    type = "request_too_large"


class RateLimitError(BifrostError):
    """Too many requests, also after the pauses that the provider asked for."""

    exit_code = 6
    status = 429
    type = "rate_limit_error"


class OverloadedError(BifrostError):
    """The provider is overloaded."""

    exit_code = 6
    status = 529
    type = "overloaded_error"


class UpstreamError(BifrostError):
    """The provider failed (5xx)."""

    exit_code = 7


class NetworkError(UpstreamError):
    """The provider was not reached, or the connection broke."""


class UpstreamTimeoutError(UpstreamError):
    """The provider did not answer in time."""

    status = 504
    type = "timeout_error"


class PendingError(BifrostError):
    """Nothing failed, but something is not finished: results asked too early, or the wait's deadline passed."""

    exit_code = 8
    status = 404
    type = "not_found_error"


class PartialError(BifrostError):
    """The batch ended, its results are delivered, and some requests did not succeed."""

    exit_code = 9
    status = 200


class OutcomeUnknownError(BifrostError):
    """A create left and no answer came back: it may or may not have arrived, and is not repeated.

    `candidates` are the batches that may be the one, where the provider's list has more than one.
    """

    exit_code = 10
    candidates: "Sequence[Batch]" = ()


BY_STATUS: dict[int, type[BifrostError]] = {
    400: InvalidRequestError,
    401: AuthError,
    402: BillingError,
    403: ForbiddenError,
    404: NotFoundError,
    408: UpstreamTimeoutError,
    409: ConflictError,
    413: TooLargeError,
    422: InvalidRequestError,
    429: RateLimitError,
    503: OverloadedError,
    504: UpstreamTimeoutError,
    529: OverloadedError,
}

BY_TYPE: dict[str, type[BifrostError]] = {
    "invalid_request_error": InvalidRequestError,
    "authentication_error": AuthError,
    "billing_error": BillingError,
    "permission_error": ForbiddenError,
    "not_found_error": NotFoundError,
    "conflict_error": ConflictError,
    "request_too_large": TooLargeError,
    "rate_limit_error": RateLimitError,
    "overloaded_error": OverloadedError,
    "timeout_error": UpstreamTimeoutError,
}
"""By the `error.type` of Anthropic's wire, for what has no status: an error in the middle of a stream."""


def for_status(status: int) -> type[BifrostError]:
    """The class for a provider's HTTP status of 400 and above, where its body says nothing closer."""
    return BY_STATUS.get(status, UpstreamError if status >= 500 else InvalidRequestError)
