"""What the pages of the parts ask: each answer is JSON-ready, its charts drawn for the width that the page has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.workspace.asked import data, discovery, experiments, feedback, kpis, pilots, predictions, privacy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.questions import Answer

PARTS: Mapping[str, Answer] = {
    **data.QUESTIONS,
    **discovery.QUESTIONS,
    **experiments.QUESTIONS,
    **feedback.QUESTIONS,
    **kpis.QUESTIONS,
    **pilots.QUESTIONS,
    **predictions.QUESTIONS,
    **privacy.QUESTIONS,
}
"""By name, as ``workspace.questions`` has them."""
