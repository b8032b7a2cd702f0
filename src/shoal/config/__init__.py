"""``shoal.yaml``: typed records, and readers whose every fault names the file, the line and the fix."""

from __future__ import annotations

from shoal.config.jobs import Job
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
    "Config",
    "Job",
    "ServerSettings",
    "StoreSettings",
    "located",
    "named_events",
    "parse_config",
    "read_config",
    "read_yaml",
]
