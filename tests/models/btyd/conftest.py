"""CDNOW, the tenth of its customers that the papers use, as a log and as histories."""

from __future__ import annotations

import datetime
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shoal.insight.models.btyd import BetaGeometric, ModifiedBetaGeometric, ParetoNBD, RepeatModel, Split, split

CUT = datetime.date(1997, 9, 30).toordinal()
END = datetime.date(1998, 6, 30).toordinal()


@dataclass(frozen=True)
class Log:
    """A log of purchases: who, on which day, for how much."""

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    amount: NDArray[np.float64]


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)


def days(dates: NDArray[np.int64]) -> NDArray[np.int64]:
    """19970101 as a day."""
    plain, place = np.unique(dates, return_inverse=True)
    told = [datetime.date(date // 10000, date // 100 % 100, date % 100).toordinal() for date in plain.tolist()]
    return np.array(told)[place]


@pytest.fixture(scope="session")
def sample(data: Path) -> Log:
    """The sample of 2,357 customers."""
    with gzip.open(data / "oracles" / "cdnow_sample_log.csv.gz", "rt") as file:
        rows = np.loadtxt(file, delimiter=",", skiprows=1)
    return Log(rows[:, 0].astype(np.int64), days(rows[:, 1].astype(np.int64)), rows[:, 3])


@pytest.fixture(scope="session")
def held(sample: Log) -> Split:
    """39 weeks to fit on, and 39 after them."""
    return split(sample.customer, sample.day, sample.amount, cut=CUT, end=END)


@pytest.fixture(scope="session")
def fitted(held: Split) -> dict[str, RepeatModel]:
    """Each model, fitted on the first 39 weeks."""
    return {kind.name: kind.fitted(held.before) for kind in (BetaGeometric, ModifiedBetaGeometric, ParetoNBD)}
