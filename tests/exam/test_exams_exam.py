"""The exam's exam: an honest provider passes every test of it, and each of the mutants is caught."""

import asyncio
import inspect
from collections.abc import Callable

import pytest

from bifrost_cli.core.bifrost import Bifrost
from tests.exam.conftest import SLOW, USUAL
from tests.exam.exam import Exam
from tests.exam.mutants import MUTANTS
from tests.exam.subject import Subject

TESTS = [name for name in vars(Exam) if name.startswith("test_")]
PASSED_OVER_BY_PLAIN = {
    "test_a_deleted_batch_is_gone",
    "test_a_batch_is_made_from_an_uploaded_file_where_that_is_offered",
}
"""What `Plain` does not offer; the reference offers all."""

Enrol = Callable[..., Subject]


def sit(name: str, enrol: Enrol, kind: str, core: type[Bifrost] = Bifrost) -> None:
    """One test of the exam, taken by one adapter class."""
    test = getattr(Exam(), name)
    subject = enrol(kind, SLOW if "slow_subject" in inspect.signature(test).parameters else USUAL)
    subject.core = core
    asyncio.run(test(subject))


@pytest.mark.parametrize("name", TESTS)
def test_the_reference_passes(name: str, enrol: Enrol) -> None:
    try:
        sit(name, enrol, "tests.exam.reference:Reference")
    except pytest.skip.Exception as skipped:
        pytest.fail(f"the reference offers everything, and yet: {skipped}")


@pytest.mark.parametrize("name", TESTS)
def test_a_provider_of_few_offers_passes_or_is_passed_over(name: str, enrol: Enrol) -> None:
    try:
        sit(name, enrol, "tests.exam.reference:Plain")
    except pytest.skip.Exception:
        assert name in PASSED_OVER_BY_PLAIN
    else:
        assert name not in PASSED_OVER_BY_PLAIN


@pytest.mark.parametrize(
    ("mutant", "name"),
    [pytest.param(mutant, name, id=f"{mutant.__name__}-{name}") for mutant, names in MUTANTS.items() for name in names],
)
def test_a_mutant_is_caught(mutant: type, name: str, enrol: Enrol) -> None:
    in_core = issubclass(mutant, Bifrost)
    kind = "tests.exam.reference:Reference" if in_core else f"{mutant.__module__}:{mutant.__name__}"
    try:
        sit(name, enrol, kind, mutant if in_core else Bifrost)
    except pytest.skip.Exception as skipped:
        pytest.fail(f"{mutant.__name__} was passed over: {skipped}")
    except (Exception, pytest.fail.Exception):
        return
    pytest.fail(f"{mutant.__name__} passes {name}")


def test_every_test_of_the_exam_catches_a_mutant() -> None:
    caught = {name for names in MUTANTS.values() for name in names}
    assert caught == set(TESTS)
