"""The checks as tests: a connector's own test inherits ConnectorKit and names itself. Only tests import this."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from hub.kit.checks import CHECKS
from hub.kit.run import Result, run
from hub.kit.subject import Subject


class ConnectorKit:
    """`class TestEmail(ConnectorKit): subject = find("email")`: one test a check; all are run when the first asks."""

    subject: ClassVar[Subject]
    _results: ClassVar[dict[str, Result]]

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """One test for each check."""
        metafunc.parametrize("check", [check.id for check in CHECKS])

    def test_holds(self, check: str) -> None:
        """Fails with what did not hold; skipped, with the reason, where the check does not apply or is exempt."""
        import pytest

        kit = type(self)
        if "_results" not in vars(kit):
            kit._results = {result.id: result for result in asyncio.run(run(self.subject))}
        result = self._results[check]
        assert result.outcome != "failed", result.because
        if result.outcome != "held":
            pytest.skip(f"{result.outcome}: {result.because}")
