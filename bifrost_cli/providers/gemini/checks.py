"""The checks of requests, as Gemini's."""

from typing import NamedTuple

from bifrost_cli.providers.checks import Checks, Drop, dropped
from bifrost_cli.providers.gemini.models import Traits

PROVIDER = "gemini"
CHECKS = Checks(PROVIDER, "Gemini")
NO_COUNTERPART = CHECKS.no_counterpart
invalid = CHECKS.invalid
unsupported = CHECKS.unsupported
refuse = CHECKS.refuse
check_members = CHECKS.check_members
an_object = CHECKS.an_object
a_list = CHECKS.a_list
a_string = CHECKS.a_string
a_number = CHECKS.a_number
a_whole = CHECKS.a_whole
a_flag = CHECKS.a_flag
dumps = CHECKS.dumps


class Terms(NamedTuple):
    """What a request is translated under: the fields that it may lose, the model's traits, the form of schemas
    (`json_schema` or `schema`), and the address that file ids are below."""

    drop: Drop
    traits: Traits
    schema_form: str
    files: str


__all__ = ["Drop", "dropped"]
