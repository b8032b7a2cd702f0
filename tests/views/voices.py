"""A shop whose customers speak: real sentences of reviews with their stars, and answers to the question of NPS."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shop import END, SETTINGS

from shoal.clock import Clock, to_instant
from shoal.customers.writer import write_records
from shoal.insight.traits import compute_traits
from shoal.shapes import ORDER_COMPLETED, SURVEY_ANSWERED, Event, TraitChange
from shoal.sql.layout import set_meta
from shoal.workspace import create_workspace, open_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = {"amazon_cells": "Phone shop", "yelp": "Diners", "imdb": "Filmgoers"}
"""Where the sentences were written, and the segment of their writers."""
PROMOTERS = {"amazon_cells": (0.5, 0.3), "yelp": (0.25, 0.15), "imdb": (0.5, 0.3)}
"""By source, which share of the customers are promoters and which are passive: diners are less content."""


def make_voices(root: Path, data: Path, *, each: int = 1000, answers: bool = True) -> Path:
    """Make the workspace; its clock stands at ``END``.

    Args:
        root: the workspace's folder.
        data: the folder of real data.
        each: so many sentences of each source, of a customer each.
        answers: whether every second customer answered the question of NPS too.
    """
    create_workspace(root, SETTINGS.format(name='"Voices"', currency="EUR", cost="", includes=""))
    for source, name in SOURCES.items():
        text = f"name: '{name}'\nwhere: |\n  source = \"{source}\"\n"
        (root / "segments" / f"{name.lower().replace(' ', '-')}.yaml").write_text(text, encoding="utf-8")
    with open_workspace(root) as ws:
        records = list(_records(data, each, answers))
        assert write_records(ws.store, records, zone=ws.config.zone, received=to_instant(END)).rejected == 0
        set_meta(ws.store, "clock_offset", str(Clock.showing(to_instant(END)).offset))
        compute_traits(ws.store, ws.config.revenue, to_instant(END), to_instant(END))
        ws.refresh()
    return root


def _records(data: Path, each: int, answers: bool) -> Iterator[Any]:
    draw = random.Random(7)
    for source in SOURCES:
        lines = (data / "uci_sentiment_sentences" / f"{source}_labelled.txt").read_text("utf-8").split("\n")
        for i, line in enumerate(list(filter(None, lines))[:each]):
            text, _, good = line.rpartition("\t")
            who, at = f"{source}-{i}", END - timedelta(days=i % 90, hours=1)
            yield TraitChange(who, "source", source, to_instant(at - timedelta(days=120)))
            yield Event(who, "Review Written", to_instant(at), {"text": text, "stars": 5 if good == "1" else 1})
            for days in range(draw.randrange(5), 110, draw.choice([9, 21, 60])):
                yield Event(
                    who, ORDER_COMPLETED, to_instant(END - timedelta(days=days)), {"revenue": draw.randrange(5, 90)}
                )
            if answers and i % 2 == 0:
                happy, passive = PROMOTERS[source]
                at_most = draw.random()
                score = 10 if at_most < happy else 7 if at_most < happy + passive else 3
                yield Event(who, SURVEY_ANSWERED, to_instant(at), {"nps": score})
