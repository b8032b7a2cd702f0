"""Alerts and targets of a workspace's metrics: a check of all that is watched, and what became of what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import ConfigError, Refused
from shoal.insight.metrics import alerts as kept
from shoal.insight.metrics.watching_reading import AlertRule
from shoal.wording import counted
from shoal.workspace.watched import progresses, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    import altair as alt

    from shoal.insight.metrics.alerts import Alert, Followed
    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.targets import Progress
    from shoal.insight.metrics.watching import Judged, Look
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace
    from shoal.workspace.watched import Watched

NOTHING = "No metric is watched."
HOW = "Write alert: or target: into a metric's file, as metrics/revenue.yaml; see docs/alerts.md."


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check came to.

    Args:
        at: the instant.
        followed: alerts that are new, over, and going on.
        judged: what was found of each period, and what was to be expected.
        looks: what was looked at.
        targets: how far each target is.
        refused: what couldn't be looked at, and why.
        names: the display name of each metric by slug.
    """

    at: int
    followed: Followed
    judged: Judged
    looks: tuple[Look, ...]
    targets: tuple[Progress, ...]
    refused: tuple[str, ...]
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """How it went, in words."""
        followed = self.followed
        looked, new = counted(len(self.looks), "figure"), counted(len(followed.raised), "new alert")
        return f"{looked} looked at: {new}, {len(followed.resolved)} over, {len(followed.going_on)} going on."

    def document(self) -> dict[str, Any]:
        """The same as a JSON-ready document."""
        from shoal.insight.metrics.watching import document

        followed = self.followed
        return {
            "at": clock.iso(self.at),
            "raised": [alert.document() for alert in followed.raised],
            "resolved": [alert.document() for alert in followed.resolved],
            "going_on": [alert.document() for alert in followed.going_on],
            "targets": [one.document() for one in self.targets],
            "found": [document(one) for one in self.judged.findings],
            "held_against_expected": self.judged.looked,
            "refused": list(self.refused),
        }


class Alerts:
    """The alerts of an open workspace; it is ``workspace.metrics.alerts()``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    # ------------------------------------------------------------ what there is

    def listed(self, *, everything: bool = False) -> list[Alert]:
        """The alerts that go on, the newest first; those that are over too, where ``everything`` is asked for."""
        found = kept.kept(self._ws.store)
        return found if everything else [alert for alert in found if alert.resolved is None]

    def targets(self, as_of: When = None) -> list[Progress]:
        """How far each target is.

        Raises:
            Refused: no metric has a target.
        """
        metrics = [metric for metric in self._metrics() if metric.target is not None]
        if not metrics:
            raise Refused("No metric has a target.", fix=HOW)
        told, refused = progresses(self._ws, metrics, as_of)
        if not told:
            raise Refused("\n".join(refused))
        return told

    # ------------------------------------------------------------ a check

    def check(self, *, record: bool = True, as_of: When = None) -> Checked:
        """Look at all that is watched: raise what is out of order, and end what is over.

        Args:
            record: keep what was found; otherwise it is only told, and held against no earlier check.
            as_of: the instant; now by default. Only today's check is recorded.

        Raises:
            Refused: no metric is watched, or an earlier check would be recorded.
        """
        if record and as_of is not None:
            raise Refused("A check of the past isn't recorded.", fix="Ask with record=False; in a shell: --dry-run.")
        from shoal.insight.metrics.watching import judge

        metrics = [metric for metric in self._metrics() if metric.alert is not None or metric.target is not None]
        if not metrics:
            raise Refused(NOTHING, fix=HOW)
        at = self._ws.instant(as_of)
        marks = kept.checked(self._ws.store) if record else {}
        seen = watched(self._ws, metrics, marks, as_of)
        judged = judge(seen.looks, seen.last, at)
        findings = [*judged.findings, *(one.finding() for one in seen.targets)]
        followed = kept.follow(self.listed() if record else (), findings, _keys(metrics, seen), at)
        if record:
            self._keep(followed, marks, seen.looks, at)
        refused = (*seen.refused, *judged.refused.values())
        names = {metric.slug: metric.name for metric in metrics}
        return Checked(at, followed, judged, seen.looks, seen.targets, refused, names)

    def _metrics(self) -> list[Metric]:
        return list(self._ws.metrics.catalogue().definitions.values())

    def _keep(self, followed: Followed, marks: Mapping[str, date], looks: Iterable[Look], at: int) -> None:
        told = dict(marks)
        for look in looks:
            if look.points:
                told[kept.mark(look.metric.slug, look.segment, look.rule.each)] = look.points[-1].period
        ws = self._ws
        with ws.changing(), ws.store.transaction():
            for alert in followed.changed:
                kept.keep(ws.store, alert, at)
            kept.note_checked(ws.store, told, at)

    # ------------------------------------------------------------ what becomes of them

    def acknowledge(self, name: str, note: str = "") -> Alert:
        """Say that somebody is at it: no more mail until it is over.

        Raises:
            UnknownName: there is no such alert.
            Refused: it is over.
        """
        return self._change(name, lambda alert: kept.acknowledged(alert, note))

    def snooze(self, name: str, until: When, note: str = "") -> Alert:
        """Keep an alert quiet until a day or instant; if it goes on then, it is told anew.

        Raises:
            UnknownName: there is no such alert.
            Refused: it is over, or the day lies in the past.
        """
        at = self._ws.instant(until)
        if at <= self._ws.now():
            raise Refused("A snooze ends in the future.", fix="Name a later day.")
        return self._change(name, lambda alert: kept.snoozed(alert, at, note))

    def _change(self, name: str, change: Callable[[Alert], Alert]) -> Alert:
        changed = change(kept.find(self.listed(everything=True), name))
        self.keep([changed])
        return changed

    def keep(self, alerts: Iterable[Alert]) -> None:
        """Record alerts as they are now."""
        ws = self._ws
        now = ws.now()
        with ws.changing(), ws.store.transaction():
            for alert in alerts:
                kept.keep(ws.store, alert, now)

    # ------------------------------------------------------------ mail

    def tell(self, to: Sequence[str]) -> int:
        """Mail what nobody was told of yet: alerts that are open, and those that are over after somebody was told of them.

        Args:
            to: who is told of everything, beside those whom a metric names.

        Returns:
            How many mails were taken.

        Raises:
            ConfigError: somebody is to be told, and shoal.yaml names no mail server.
            MailError: the server can't be reached, or refuses everything. What wasn't told is told the next time.
        """
        from shoal.destinations.mail import Mailer
        from shoal.workspace.alerting import letters, told

        catalogue = self._ws.metrics.catalogue().definitions
        news = [alert for alert in self.listed(everything=True) if alert.news(self._ws.now())]
        named = {slug: metric.alert.mail for slug, metric in catalogue.items() if metric.alert is not None}
        mails = letters(news, to, named, self._ws.config.name)
        if not mails:
            return 0
        settings = self._ws.config.mail
        if settings is None:
            raise ConfigError(
                "Alerts are to be mailed, and no mail server is named.", place="mail", fix="Add mail: to shoal.yaml."
            )
        sent = []
        with Mailer(settings) as mailer:
            sent = list(mailer.send_all(mails))
        self.keep(told(news, mails, sent))
        return sum(one.error is None for one in sent)

    # ------------------------------------------------------------ pictures

    def chart(
        self, metric: str, *, segment: str | None = None, as_of: When = None, width: int | None = None
    ) -> alt.Chart:
        """A metric's course beside what was to be expected, with its thresholds, and what stood out.

        Args:
            metric: its name or slug; it needs no ``alert:`` of its own.
            segment: a segment's name or slug; everyone by default.
            as_of: the instant; now by default.
            width: in pixels.

        Raises:
            UnknownName: there is no such metric or segment.
            Refused: too few periods are finished.
        """
        from dataclasses import replace

        from shoal.insight.metrics.watching import judge
        from shoal.views import theme
        from shoal.views.charts.watching import watched_series

        found = self._ws.metrics.find(metric)
        of = () if segment is None else (segment,)
        rule = replace(found.alert or AlertRule(), unusual=True, silent=None, segments=of)
        seen = watched(self._ws, [replace(found, alert=rule, target=None)], {}, as_of)
        if seen.refused:
            raise Refused("\n".join(seen.refused))
        look = replace(seen.looks[-1], metric=found)
        judged = judge([look], seen.last, self._ws.instant(as_of))
        if not judged.outlooks:
            raise Refused("\n".join(judged.refused.values()))
        (outlook,) = judged.outlooks.values()
        return watched_series(look, outlook, width=theme.WIDE if width is None else width)


def _keys(metrics: Iterable[Metric], seen: Watched) -> set[tuple[str, str | None, str]]:
    """What is watched: an alert of anything else is over. What can't be looked at now isn't over by that."""
    found: set[tuple[str, str | None, str]] = set()
    for metric in metrics:
        rule = metric.alert
        if metric.target is not None:
            found.add((metric.slug, None, "target"))
        if rule is None:
            continue
        rules = [name for name in ("above", "below", "silent") if getattr(rule, name) is not None]
        rules += ["unusual"] if rule.unusual else []
        slugs = {look.segment for look in seen.looks if look.metric.slug == metric.slug} | {None} | set(rule.segments)
        found |= {(metric.slug, slug, name) for slug in slugs for name in rules}
    return found


__all__ = ["Alerts", "Checked"]
