"""Dashboards by mail: the picture in the mail, the page as a file, and the way to the live one."""

from __future__ import annotations

import hashlib
import html
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shoal.destinations.mail import Mail, Mailer, Part
from shoal.errors import ConfigError
from shoal.views.words import day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.views.dashboards.answers import Filled
    from shoal.views.dashboards.definition import Dashboard
    from shoal.workspace.opening import Workspace

PICTURE = "dashboard"


def post(
    workspace: Workspace, *, dashboard: str, to: Sequence[str], segment: str | None = None, period: str = "", at: int
) -> int:
    """Mail a dashboard to each of some addresses.

    Args:
        workspace: where.
        dashboard: its slug or title.
        to: addresses.
        segment: in the place of the dashboard's own.
        period: in the place of the dashboard's own.
        at: the instant of the run: the same one is the same mail, however often it is tried.

    Returns:
        How many mails were taken.

    Raises:
        ConfigError: shoal.yaml names no mail server.
        UnknownName: there is no such dashboard or segment.
        MailError: the server can't be reached, or refuses one of them.
    """
    settings = workspace.config.mail
    if settings is None:
        raise ConfigError(
            "A dashboard is to be mailed, and no mail server is named.", place="mail", fix="Add mail: to shoal.yaml."
        )
    one, filled = workspace.dashboards.fill(dashboard, segment=segment, period=period)
    mails = letters(workspace, one, filled, to, segment=segment, period=period, at=at)
    with Mailer(settings) as mailer:
        sent = list(mailer.send_all(mails))
    for posted in sent:
        if posted.error is not None:
            raise posted.error
    return len(sent)


def letters(
    workspace: Workspace,
    one: Dashboard,
    filled: Filled,
    to: Sequence[str],
    *,
    segment: str | None,
    period: str,
    at: int,
) -> list[Mail]:
    """The mails with a filled dashboard; arguments as of ``post``."""
    door = workspace.dashboards
    parts = (
        Part(PICTURE, "image/png", door.handed_out(one, filled, ".png"), shown=True),
        Part(f"{one.slug}.html", "text/html", door.handed_out(one, filled, ".html")),
    )
    shop, when = workspace.config.name, day(workspace.now(), workspace.config.zone)
    link = link_to(workspace, one.slug, segment, period)
    figures = [
        f"{a.title}: {a.figure.value} ({a.sub})"
        for a in filled.answers.values()
        if a.figure is not None and not a.missing
    ]
    lines = [f"{one.title}, {filled.filters}", *figures, *([link] if link else [])]
    body = _html(one, filled, link, figures)
    return [
        Mail(
            address, f"{shop}: {one.title}, {when}", "\n\n".join(lines) + "\n", body,
            id=f"dashboard-{hashlib.sha256(f'{one.slug} {address} {at}'.encode()).hexdigest()[:24]}", parts=parts,
        )
        for address in to
    ]  # fmt: skip


def link_to(workspace: Workspace, slug: str, segment: str | None, period: str) -> str:
    """Where the live dashboard is; empty where shoal.yaml doesn't say how the server is reached."""
    address = workspace.config.server.address
    asked = {key: value for key, value in (("segment", segment), ("period", period)) if value}
    return f"{address}/dashboards/{slug}{'?' + urlencode(asked) if asked else ''}" if address else ""


def _html(one: Dashboard, filled: Filled, link: str, figures: Sequence[str]) -> str:
    said = html.escape(f"{one.title}: {'; '.join(figures)}")
    opened = f'<p><a href="{html.escape(link)}">Open the live dashboard</a></p>' if link else ""
    return (
        f"<!doctype html><html lang='en'><body><h1>{html.escape(one.title)}</h1><p>{html.escape(filled.filters)}</p>{opened}"
        f'<p><img src="cid:{PICTURE}" alt="{said}" width="1240" style="max-width:100%;height:auto"></p></body></html>'
    )
