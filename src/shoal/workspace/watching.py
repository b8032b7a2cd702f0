"""Alerts and targets of a workspace's metrics: a check of all that is watched, and what became of what it found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.clock import from_instant
from shoal.errors import ConfigError, Refused, ShoalError
from shoal.insight.metrics import alerts as kept
from shoal.insight.metrics.watching_reading import AlertRule
from shoal.wording import counted

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

NOTHING = "No metric is watched."
HOW = "Write alert: or target: into a metric's file, as metrics/revenue.yaml; see docs/alerts.md."
_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at, before it is judged."""

    looks: tuple[Look, ...]
    targets: tuple[Progress, ...]
    last: Mapping[str, int | None]
    refused: tuple[str, ...]


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
        told, refused = self._progress(metrics, as_of)
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
        watched = self._watched(metrics, marks, as_of)
        judged = judge(watched.looks, watched.last, at)
        findings = [*judged.findings, *(one.finding() for one in watched.targets)]
        followed = kept.follow(self.listed() if record else (), findings, _keys(metrics, watched), at)
        if record:
            self._keep(followed, marks, watched.looks, at)
        refused = (*watched.refused, *judged.refused.values())
        names = {metric.slug: metric.name for metric in metrics}
        return Checked(at, followed, judged, watched.looks, watched.targets, refused, names)

    def _metrics(self) -> list[Metric]:
        return list(self._ws.metrics.catalogue().definitions.values())

    def _watched(self, metrics: Sequence[Metric], marks: Mapping[str, date], as_of: When) -> Watched:
        refused: list[str] = []
        looks: list[Look] = []
        last: dict[str, int | None] = {}
        by_each: dict[str, list[Metric]] = defaultdict(list)
        for metric in metrics:
            if metric.alert is not None:
                by_each[metric.alert.each].append(metric)
        for each, some in by_each.items():
            for metric in some:
                self._look(metric, each, marks, as_of, looks, last, refused)
        told, why = self._progress([m for m in metrics if m.target is not None], as_of)
        return Watched(tuple(looks), tuple(told), last, (*refused, *why))

    def _look(
        self, metric: Metric, each: str, marks: Mapping[str, date], as_of: When, looks: list[Look],
        last: dict[str, int | None], refused: list[str],
    ) -> None:  # fmt: skip
        """Ask for a metric's figures, of everyone and of the segments that it names."""
        from shoal.insight.metrics.watching import HISTORY, Look, points_of

        rule = metric.alert or AlertRule()
        known = self._ws.segments.known(as_of)
        segments: dict[str | None, str] = {}
        for name in rule.segments:
            try:
                found = known.find(name)
                segments[found.slug] = found.name
            except ShoalError as error:
                refused.append(f"{metric.name}: {error}")
        at = self._ws.instant(as_of)
        many = HISTORY[each] if rule.unusual else 2
        try:
            done = self._figures(metric, [slug for slug in segments if slug], each, at, many, as_of)
        except ShoalError as error:
            refused.append(f"{metric.name}: {error}")
            return
        last[metric.slug] = done.reached.get(metric.slug)
        of = {None: "", **segments}
        looks += [
            Look(
                metric, rule, slug, name, points_of(done.found, metric.slug, slug), marks.get(kept.mark(metric.slug, slug, each)),
                self._ws.config.currency,
            )
            for slug, name in of.items()
        ]  # fmt: skip

    def _figures(self, metric: Metric, segments: Sequence[str], each: Any, at: int, many: int, as_of: When) -> Any:
        """The newest finished periods; as many as there is data for."""
        start = from_instant(at).date() - timedelta(days=(many + 1) * _DAYS[each])
        oldest = self._oldest(metric, as_of)
        if oldest is not None:
            start = max(start, oldest)
        end = from_instant(at).date()
        return self._ws.metrics.figures(
            [metric], segments=segments, grain=each, start=min(start, end), end=end, as_of=as_of, everyone=True
        )

    def _oldest(self, metric: Metric, as_of: When) -> date | None:
        from shoal.workspace.metrics import span

        with self._ws.metrics.as_of(as_of) as known:
            told = span(known, metric)
        return None if told is None else from_instant(told[0]).date()

    def _progress(self, metrics: Sequence[Metric], as_of: When) -> tuple[list[Progress], list[str]]:
        from shoal.insight.metrics.targets import each_of, progress
        from shoal.insight.metrics.watching import HISTORY, points_of

        told, refused = [], []
        at = self._ws.instant(as_of)
        for metric in metrics:
            target = metric.target
            assert target is not None
            each = each_of(target)
            gone = max(0, (from_instant(at).date() - target.since).days) // _DAYS[each] + 2
            try:
                done = self._figures(metric, (), each, at, max(HISTORY[each], gone), as_of)
                points = points_of(done.found, metric.slug, None)
                told.append(progress(metric, target, points, currency=self._ws.config.currency))
            except ShoalError as error:
                refused.append(str(error))
        return told, refused

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
        watched = self._watched([replace(found, alert=rule, target=None)], {}, as_of)
        if watched.refused:
            raise Refused("\n".join(watched.refused))
        look = watched.looks[-1]
        judged = judge([look], watched.last, self._ws.instant(as_of))
        if not judged.outlooks:
            raise Refused("\n".join(judged.refused.values()))
        (outlook,) = judged.outlooks.values()
        return watched_series(look, outlook, width=theme.WIDE if width is None else width)


def _keys(metrics: Iterable[Metric], watched: Watched) -> set[tuple[str, str | None, str]]:
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
        slugs = (
            {look.segment for look in watched.looks if look.metric.slug == metric.slug} | {None} | set(rule.segments)
        )
        found |= {(metric.slug, slug, name) for slug in slugs for name in rules}
    return found


__all__ = ["Alerts", "Checked"]
