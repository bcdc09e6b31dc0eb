"""Credentials and signatures: botocore's chain and signer, on the project's own transport.

botocore is the extra `bedrock`, imported where it is first needed. Keys that the configuration holds are handed to it;
only without any does its chain look in profiles, SSO, roles of containers and instances.
"""

import asyncio
import re
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from bifrost_cli.errors import AuthError, ConfigError
from bifrost_cli.providers.bedrock.checks import PROVIDER

if TYPE_CHECKING:
    from botocore.session import Session

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
SERVICE = "bedrock"
"""The signing name of the control plane and of the runtime."""
NEEDS_EXTRA = "Install what it needs with: pip install 'bifrost-cli[bedrock]'"
NO_CREDENTIALS = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
SIGN_IN_AGAIN = (
    "LoginRefreshRequired",
    "LoginTokenLoadError",
    "SSOTokenLoadError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
)
SIGNED_HEADERS = ("content-type",)
"""Beside the host, the date and the session token; what else is sent may change on the way."""


class Credentials:
    """Whose calls these are. Nothing is looked up before it is needed."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.lock = threading.RLock()
        """Held while botocore looks things up, which it does not expect from several threads at once."""

    @cached_property
    def session(self) -> "Session":
        """botocore's session. Raises ConfigError where it is not installed."""
        from_settings, profile = self.settings.get("access_key_id"), self.settings.get("profile")
        session = _session_class()(profile=None if from_settings else profile)
        if from_settings:
            session.set_credentials(from_settings, self._secret_key(), self.settings.get("session_token"))
        return session

    @property
    def profile_region(self) -> str | None:
        """The region that the profile names, where botocore is installed and finds one."""
        try:
            from botocore.exceptions import BotoCoreError
        except ImportError:
            return None
        try:
            with self.lock:
                region = self.session.get_config_variable("region")
        except BotoCoreError as error:
            raise as_config_error(error) from error
        return str(region) if region else None

    def frozen(self) -> Any:
        """The keys as they are now: `access_key`, `secret_key`, `token`. May ask the network, and so blocks."""
        session = self.session
        from botocore.exceptions import BotoCoreError

        try:
            with self.lock:
                found = session.get_credentials()
                keys = found.get_frozen_credentials() if found else None
        except BotoCoreError as error:
            raise as_config_error(error) from error
        if keys is None or not keys.access_key:
            raise ConfigError("bedrock finds no AWS credentials.", hint=NO_CREDENTIALS, provider=PROVIDER)
        return keys

    def _secret_key(self) -> str:
        if "secret_access_key" not in self.settings:
            message = "bedrock has an access key without its secret."
            raise ConfigError(message, hint="Set AWS_SECRET_ACCESS_KEY too.", provider=PROVIDER)
        return self.settings["secret_access_key"]


class SigV4:
    """Signs each attempt anew. The body is read whole for its hash: here it is JSON that memory holds anyway."""

    def __init__(self, credentials: Credentials, region: str) -> None:
        self.credentials = credentials
        self.region = region

    async def __call__(self, request: httpx.Request) -> None:
        """Add `authorization`, `x-amz-date` and, with temporary keys, `x-amz-security-token`."""
        body = await request.aread()
        request.headers.update(await asyncio.to_thread(self._signed, request, body))

    def _signed(self, request: httpx.Request, body: bytes) -> dict[str, str]:
        keys = self.credentials.frozen()
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        given = {name: request.headers[name] for name in SIGNED_HEADERS if name in request.headers}
        signed = AWSRequest(method=request.method, url=str(request.url), headers=given, data=body)
        SigV4Auth(keys, SERVICE, self.region).add_auth(signed)
        return {name: value for name, value in signed.headers.items() if name.lower() not in SIGNED_HEADERS}


def check_region(region: str, source: str | None = None) -> str:
    """`region`, if it has the form of one: it becomes part of a host's name."""
    if not REGION.fullmatch(region):
        message = f"'{region}' is not an AWS region ({source})." if source else f"'{region}' is not an AWS region."
        raise ConfigError(message, hint="They look like us-east-1.", provider=PROVIDER)
    return region


def address(service: str, region: str) -> str:
    """The public endpoint of `bedrock` or `bedrock-runtime` in a region."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{suffix}"


def as_config_error(error: Exception) -> ConfigError | AuthError:
    """What botocore says of profiles, SSO sessions and roles, as an error of the tree."""
    kind = AuthError if type(error).__name__ in SIGN_IN_AGAIN else ConfigError
    return kind(f"The AWS credentials cannot be had: {error}.", hint=NO_CREDENTIALS, provider=PROVIDER)


def missing_extra() -> ConfigError:
    """The extra is not installed."""
    return ConfigError("bedrock needs botocore, which is not installed.", hint=NEEDS_EXTRA, provider=PROVIDER)


def _session_class() -> "type[Session]":
    try:
        from botocore import session
    except ImportError:
        raise missing_extra() from None
    kind: type[Session] = session.Session
    return kind
