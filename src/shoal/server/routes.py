"""The paths of the collection server, those of the vendors' libraries word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.server.calls import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH = "batch"

_NAMES = {**{kind: kind for kind in KINDS}, **{kind[0]: kind for kind in KINDS}}
_MANY = ("b", BATCH, "import")

POSTS: Mapping[str, str] = {
    f"{prefix}/{name}": kind
    for prefix in ("/v1", "")
    for name, kind in [*_NAMES.items(), *((name, BATCH) for name in _MANY)]
} | {"/beacon/v1/batch": BATCH}
"""The kind of call (or ``batch``) by path: short ones of analytics.js, long ones of servers, the beacon of RudderStack."""

_SEGMENT = ("/v1/projects/", "/settings")
_RUDDER = ("/sourceConfig", "/sourceConfig/")


def source_settings(path: str) -> tuple[str, str] | None:
    """The vendor and the write key (empty: look elsewhere) of a path under which a library asks for its settings."""
    head, tail = _SEGMENT
    if path.startswith(head) and path.endswith(tail):
        return "segment", path[len(head) : -len(tail)]
    return ("rudder", "") if path in _RUDDER else None
