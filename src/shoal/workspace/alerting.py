"""Mails on alerts: one to each who is to know, with all that is new to them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.destinations.mail import Mail
from shoal.errors import MailDeferred
from shoal.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.destinations.mail import Posted
    from shoal.insight.metrics.alerts import Alert


def letters(
    news: Iterable[Alert], to: Sequence[str], named: Mapping[str, Sequence[str]], shop: str
) -> dict[Mail, list[Alert]]:
    """The mails that tell of some alerts, each with those that it tells of.

    Args:
        news: what nobody was told of yet.
        to: addresses that are told of everything.
        named: by slug of a metric, addresses that are told of it.
        shop: the workspace's name.
    """
    of: dict[str, list[Alert]] = defaultdict(list)
    for alert in news:
        for address in dict.fromkeys((*to, *named.get(alert.metric, ()))):
            of[address].append(alert)
    return {_letter(address, some, shop): some for address, some in of.items()}


def _letter(address: str, some: Sequence[Alert], shop: str) -> Mail:
    new = [alert for alert in some if alert.resolved is None]
    over = [alert for alert in some if alert.resolved is not None]
    counts = [counted(len(new), "new alert")] if new else []
    counts += [f"{len(over)} over"] if over else []
    lines = [f"{alert.sentence}\n  shoal kpi alerts ack {alert.id}" for alert in new]
    lines += [f"Over: {alert.sentence}" for alert in over]
    # The same news to the same reader are the same mail, however often they are tried.
    stamp = [address, *sorted(f"{alert.id} {alert.raised} {alert.until} {alert.resolved}" for alert in some)]
    mark = hashlib.sha256("\n".join(stamp).encode()).hexdigest()[:24]
    return Mail(
        address, " ".join(f"{shop}: {', '.join(counts)}".split()), "\n\n".join(lines) + "\n", id=f"alerts-{mark}"
    )


def told(news: Iterable[Alert], mails: Mapping[Mail, Sequence[Alert]], sent: Iterable[Posted]) -> list[Alert]:
    """The alerts that need no further mail: all their readers got theirs, or never will."""
    waiting = {alert.id for posted in sent if isinstance(posted.error, MailDeferred) for alert in mails[posted.mail]}
    mailed = {alert.id for some in mails.values() for alert in some}
    done = [alert for alert in news if alert.id in mailed and alert.id not in waiting]
    return [
        replace(alert, told_end=True) if alert.resolved is not None else replace(alert, told=True) for alert in done
    ]
