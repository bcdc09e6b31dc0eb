"""Every registered provider sits the exam."""

import pytest

from tests.exam.exam import Exam


@pytest.mark.anyio
class TestExam(Exam):
    """For each route and each provider."""
