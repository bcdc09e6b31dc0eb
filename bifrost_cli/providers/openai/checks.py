"""The checks of requests, as OpenAI's."""

from bifrost_cli.providers.checks import Checks, Drop, dropped

PROVIDER = "openai"
CHECKS = Checks(PROVIDER, "OpenAI")
NO_COUNTERPART = CHECKS.no_counterpart
invalid = CHECKS.invalid
unsupported = CHECKS.unsupported
refuse = CHECKS.refuse
check_members = CHECKS.check_members
an_object = CHECKS.an_object
a_list = CHECKS.a_list
a_string = CHECKS.a_string
a_number = CHECKS.a_number
a_flag = CHECKS.a_flag
dumps = CHECKS.dumps

__all__ = ["Drop", "dropped"]
