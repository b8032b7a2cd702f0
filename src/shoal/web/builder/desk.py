"""What the builder's routes share: the live workspace with its sizer and counts, and what a request tells of a draft."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from shoal.lang.nodes import Definition, MemberOf
from shoal.server.api.app import live_of
from shoal.web.builder.counts import StoreCounts
from shoal.web.builder.draft import read
from shoal.web.builder.sizes import Sizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

    from shoal.lang.schema import Schema
    from shoal.server.asking import Asking
    from shoal.web.builder.draft import Reading
    from shoal.workspace.live import Live

FIELDS = ("name", "why", "purpose", "owner", "always", "never", "tags")
"""What is said of a segment besides its condition."""
UNNAMED = "\0draft"


@dataclass(frozen=True, slots=True)
class Desk:
    """What a live workspace answers the builder with."""

    live: Live
    sizer: Sizer
    counts: StoreCounts

    @property
    def schema(self) -> Schema:
        """All that a definition may name at present."""
        return self.live.core.schema_with(self.live.definitions)


def desk_of(request: Request) -> Desk:
    """The desk of the served workspace; made anew where it was loaded anew."""
    live, state = live_of(request), request.app.state
    found: Desk | None = getattr(state, "builder_desk", None)
    if found is None or found.live is not live:
        found = state.builder_desk = Desk(
            live, Sizer(live, partial(_ask, request.app)), StoreCounts(live.workspace.store.cursor)
        )
    return found


def _ask(app: FastAPI, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A long question, asked of the server's processes for them."""
    asking: Asking = app.state.service.asking
    return asking.ask(name, asked)


@dataclass(frozen=True)
class Asked:
    """A draft as a page sent it."""

    text: str
    details: Definition
    reading: Reading
    schema: Schema


def asked_of(desk: Desk, form: Mapping[str, Any]) -> Asked:
    """The draft that a page sent: ``text``, ``slug``, ``always``, ``never``."""
    text, slug = str(form.get("text", "")), str(form.get("slug", ""))
    schema = desk.schema
    always, never = (str(form.get(name, "")) for name in ("always", "never"))
    details = Definition(
        slug or UNNAMED, "", MemberOf(""), always=always if always in schema.lists else None,
        never=never if never in schema.lists else None,
    )  # fmt: skip
    return Asked(text, details, read(text, schema, slug or None), schema)


def today_of(desk: Desk) -> int:
    """The present day in the workspace's time zone, in days since 1970-01-01."""
    engine = desk.live.core.engine
    return engine.zone.day(engine.now)
