"""The models of a workspace that a server has open: fitted here, and their scores go through the server's log.

So neither a fit nor its scores hold up a call: the store is read beside the server, and what changes comes as entries of
about a thousand values, between which calls take effect.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from shoal.insight.ranks import ranked
from shoal.workspace.live.scoring import changed
from shoal.workspace.live.stored import newest_change
from shoal.workspace.models import SCORED, Models, for_everybody, is_event_driven, noted, own_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shoal.insight.models.model import Score
    from shoal.insight.models.versions import Version
    from shoal.workspace.models import Predicted, Step
    from shoal.workspace.opening import Workspace
    from shoal.workspace.served.link import Link


class ServedModels(Models):
    """Models of a served workspace."""

    def __init__(self, workspace: Workspace, link: Link) -> None:
        super().__init__(workspace)
        self._link = link
        self._since = 0

    def predict(
        self, names: Iterable[str] | None = None, *, refit: bool = False, progress: Step | None = None
    ) -> Predicted:
        """As without a server; who ordered while models were fitted is scored once more."""
        done = super().predict(names, refit=refit, progress=progress)
        for version in done.versions.values():
            if is_event_driven(version):
                self._catch_up(version, done.at)
        return done

    def _catch_up(self, version: Version, since: int) -> None:
        """Score those whose orders the run didn't see yet: a run reads as of its beginning."""
        ws, rule = self._ws, self._ws.config.revenue
        at = ws.now()
        with self.as_of(at) as known:
            names = [n for n in rule.names if n in known.events]
            if not names:
                return
            tables = " UNION ALL ".join(
                f"SELECT customer FROM {known.events[name].table} WHERE retired IS NULL AND received > {since:d}"
                for name in names
            )
            asked = f"SELECT DISTINCT c.id FROM customers c JOIN ({tables}) e ON e.customer = c.key"
            late = [one for (one,) in ws.store.rows(asked)]
            if not late:
                return
            with known.only(late) as few:
                columns = [for_everybody(score, few) for score in own_scores(version, few)]
        self.put(f"model {version.name}", columns, at, noted(version), whole=False, complete=False)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Nothing is paused and nothing is one transaction: each customer gets all that a model says of them at once."""
        self._ws.now()
        self._since = newest_change(self._ws.store)
        yield

    def put(
        self,
        by: str,
        scores: Sequence[Score],
        at: int,
        note: Mapping[str, Any],
        *,
        whole: bool = True,
        complete: bool = True,
    ) -> tuple[dict[str, int], dict[str, str]]:
        self._ws.now()
        found = changed(self._ws.store, by, scores, at, note, whole=whole, complete=complete)
        many = dict.fromkeys((column.name for column in found.columns), 0)
        for piece in found.pieces():
            self._link.ask("score", kept=True, body=piece.body())
            for place in chain.from_iterable(piece.rows):
                many[found.columns[place].name] += 1
        self._ws.now()
        self._ws.refresh()
        return many, found.skipped

    def publish(self) -> tuple[int, int]:
        """The server has published what each entry changed. Ranks are the exception: they are worked out of everybody."""
        if ranked(self._ws.definitions.values()):
            self._ws.segments.publish(because=SCORED)
        self._ws.now()
        told = dict(
            self._ws.store.rows(
                "SELECT change, count(*) FROM membership_changes WHERE seq > ? AND because = ? GROUP BY change",
                [self._since, SCORED],
            )
        )
        return told.get("entered", 0), told.get("left", 0)
