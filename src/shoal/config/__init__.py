"""``shoal.yaml`` and ``tracking-plan.yaml``: typed records, and readers whose every fault names file, line and fix."""

from __future__ import annotations

from shoal.config.jobs import Job
from shoal.config.plan import PLAN_NAME, PlannedEvent, TrackingPlan, parse_plan, read_plan, write_plan
from shoal.config.record import (
    DEFAULT_MEMORY,
    FILE_NAME,
    FORMAT,
    Config,
    StoreSettings,
    located,
    named_events,
    parse_config,
    read_config,
    read_yaml,
)
from shoal.config.server import ServerSettings

__all__ = [
    "DEFAULT_MEMORY",
    "FILE_NAME",
    "FORMAT",
    "PLAN_NAME",
    "Config",
    "Job",
    "PlannedEvent",
    "ServerSettings",
    "StoreSettings",
    "TrackingPlan",
    "located",
    "named_events",
    "parse_config",
    "parse_plan",
    "read_config",
    "read_plan",
    "read_yaml",
    "write_plan",
]
