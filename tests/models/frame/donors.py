"""The donors of the BG/BB's paper as a workspace: 11,104 who gave first in 1995, and could give in each year to 2001."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from tests.models.frame.buyers import Row, real_data, shop

from shoal.workspace import Workspace

MODELS = """\
models:
  value: {family: bgbb, period: year, horizon: 10 years}
  churn: {family: bgbb, period: year}
"""


def donations() -> Iterator[Row]:
    """A gift in 1995, then as many as the table says up to the last one: which years come between, the process takes to be
    equally likely, so donors of one row take turns in that.

    The table has no amounts. Here each donor gives about an amount of their own.
    """
    number = 0
    with (real_data() / "oracles" / "donations_bgbb.csv").open() as file:
        for row in csv.DictReader(file):
            times, last = int(row["frequency"]), int(row["recency"])
            between = list(combinations(range(1, last), times - 1)) if times else [()]
            for donor in range(int(row["weights"])):
                number += 1
                for year in [0, *between[donor % len(between)], *([last] if times else [])]:
                    amount = 20 + number % 60 + (number * 7 + year * 13) % 11
                    yield f"d{number}", f"{1995 + year}-{1 + number % 12:02}-{1 + year:02}", amount


def donors(root: Path, models: str = MODELS, more: tuple[Row, ...] = ()) -> Workspace:
    """The workspace, open; a page that was looked at on 2 January 2002 says that 2001 is over."""
    return shop(root, [*donations(), ("visitor", "2002-01-02", 1, None, "view"), *more], models=models)
