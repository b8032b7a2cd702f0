"""The Telco table as a model's table: 7,043 customers, 1,869 of whom left."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from shoal.insight.models.learning.table import Column, Numbers, Table, Words

NUMBERS = ("tenure", "MonthlyCharges", "TotalCharges")
NOT_COLUMNS = ("customerID", "Churn")


def telco() -> tuple[Table, np.ndarray]:
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    with (Path(folder) / "telco_churn" / "Telco-Customer-Churn.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns: list[Column] = []
    for name in rows[0]:
        texts = [row[name].strip() for row in rows]
        if name in NUMBERS:
            columns.append(Numbers.of(name, [float(t) if t else np.nan for t in texts]))
        elif name not in NOT_COLUMNS:
            columns.append(Words.of(name, [t or None for t in texts]))
    outcome = np.array([row["Churn"] == "Yes" for row in rows], dtype=float)
    return Table.of([row["customerID"] for row in rows], columns), outcome
