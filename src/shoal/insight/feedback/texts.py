"""What customers wrote, with the answers given in the same breath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.customers.identity import merged
from shoal.errors import Refused
from shoal.insight.feedback.asked import CSAT, NPS, SCALES, scores_beside, text_places
from shoal.shapes import SURVEY_ANSWERED

if TYPE_CHECKING:
    import numpy.typing as npt

    from shoal.insight.feedback.asked import Found
    from shoal.shapes import FeedbackRule
    from shoal.sql.store import Store

MOST_TEXTS = 10_000
"""So many texts, the newest, are read for moods; the trait is worked out of all."""
MOST_FOR_TOPICS = 5_000
"""Topics are tried with many numbers of them, which takes a while."""


@dataclass(frozen=True, eq=False)
class Texts:
    """The newest texts, newest first.

    Args:
        where: where they stand.
        owners: the customer of each.
        at: the instant of each.
        texts: as they were written.
        happy: whether the answer given with it was a promoter's or a satisfied one; None where none was given, or a
            passive one.
        total: how many texts there are.
    """

    where: str
    owners: npt.NDArray[Any]
    at: npt.NDArray[Any]
    texts: tuple[str, ...]
    happy: tuple[bool | None, ...]
    total: int


def read_texts(store: Store, at: int, rule: FeedbackRule, most: int = MOST_TEXTS) -> Texts:
    """Read the newest texts up to an instant.

    Args:
        store: the workspace's store.
        at: the instant.
        rule: where texts and scores stand.
        most: how many.

    Raises:
        Refused: there is no text; says which properties would hold one.
    """
    import numpy as np

    places = text_places(store, rule)
    query = texts_query(store, at, rule, places) if places else None
    total = int(store.rows(f"SELECT count(*) FROM ({query})")[0][0]) if query else 0
    if not total:
        raise Refused(
            "No customer's own words were found.",
            fix=f'Say where they stand, in shoal.yaml, as feedback: {{texts: {{"{SURVEY_ANSWERED}": answer}}}}'
            if not places
            else "Load a survey or reviews first.",
        )
    table = store.arrow(
        f"SELECT customer, ts, text, nps, csat FROM ({query}) ORDER BY ts DESC, mid DESC LIMIT {most:d}"
    )
    answers = zip(table["nps"].to_pylist(), table["csat"].to_pylist(), strict=True)
    return Texts(
        " and ".join(place.words for place in places),
        np.asarray(table["customer"].to_numpy()),
        np.asarray(table["ts"].to_numpy()),
        tuple(table["text"].to_pylist()),
        tuple(_happy(nps, csat) for nps, csat in answers),
        total,
    )


def texts_query(store: Store, at: int, rule: FeedbackRule, places: list[Found]) -> str:
    """SQL of customer, ts, mid, text, nps and csat (stored numbers, or NULL): every text up to an instant."""
    from shoal.sql.tables import MESSAGE_ID

    parts = []
    for place in places:
        beside = scores_beside(store, place, rule, at)
        nps, csat = (beside.get(measure, "CAST(NULL AS BIGINT)") for measure in (NPS, CSAT))
        parts.append(
            f"SELECT customer, ts, {MESSAGE_ID} AS mid, {place.column} AS text, {nps} AS nps, {csat} AS csat "
            f"FROM {place.table} WHERE retired IS NULL AND ts <= {at:d} AND trim({place.column}) <> ''"
        )
    return merged(store, " UNION ALL ".join(parts))


def _happy(nps: int | None, csat: int | None) -> bool | None:
    """Whether the answer beside a text is good, bad, or neither; the first question that was answered says it."""
    for value, scale in ((nps, SCALES[NPS]), (csat, SCALES[CSAT])):
        answer = None if value is None else value / 1e6
        if answer is not None and scale.low <= answer <= scale.high:
            return True if answer >= scale.top else None if answer >= scale.middle else False
    return None
