"""All that the data bears of what customers say, at one instant: for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.insight.feedback.moods import Moods
    from shoal.insight.feedback.scores import Scores
    from shoal.insight.feedback.themes import Themes


@dataclass(frozen=True, slots=True)
class Heard:
    """What customers say.

    Args:
        scores: the answers by measure, ``nps`` and ``csat``.
        moods: of what they wrote.
        themes: what they wrote about, and the needs that are missed.
        missing: by part (``nps``, ``csat``, ``sentiment``, ``topics``), why it isn't there and what would help.
    """

    scores: Mapping[str, Scores] = field(default_factory=dict)
    moods: Moods | None = None
    themes: Themes | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
