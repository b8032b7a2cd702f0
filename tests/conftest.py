"""What several folders of tests share: PostgreSQL, and patience on a busy machine."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from postgres_server import postgres_address

# A busy machine is no fault of what is tested; in CI the examples stay the same in each run.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

__all__ = ["postgres_address"]
