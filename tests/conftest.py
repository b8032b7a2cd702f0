"""What several folders of tests share: PostgreSQL, Chromium, patience on a busy machine, and what a run shows at its end."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from chromium import browser
from postgres_server import postgres_address

# Each core has a worker of its own here; threads of numpy and scikit-learn beside them only wait for one another.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# A busy machine is no fault of what is tested; in CI the examples stay the same in each run.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests recorded as ``record_property("shown: <title>", text)``, whichever process they ran in."""
    shown: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, text in report.user_properties:
                    if name.startswith("shown: "):
                        shown.setdefault(name.removeprefix("shown: "), []).append(str(text))
    for title, texts in sorted(shown.items()):
        terminalreporter.section(title)
        terminalreporter.write_line("\n".join(sorted(texts)))


__all__ = ["browser", "postgres_address"]
