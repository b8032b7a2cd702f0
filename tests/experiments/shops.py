"""A shop with an experiment, as files that a workspace loads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import shoal
from shoal.workspace import Workspace

SETTINGS = """
shoal: 1
name: Shop
clock: data-end
purposes: {analysis: none}
default_purpose: analysis
holdouts: {global: 5%}
sources:
  people:
    from: people.csv
    events: [{event: Signed Up, customer: customer, at: at}]
    traits: [{customer: customer, take: [country], at: at}]
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}]
  viewed:
    from: viewed.csv
    events:
      - event: Experiment Viewed
        customer: customer
        at: at
        properties: {experiment_id: experiment, variation_id: arm}
"""
MAIL = """
name: Mail with free delivery
hypothesis: Free delivery brings customers back.
population: kenyans
arms: {control: 50%, mail: 50%}
primary: revenue
secondary: [orders]
minimum_effect: 50%
plan: {kind: fixed, days: 28}
layer: messages
share: 80%
"""
PEOPLE = [f"c{i}" for i in range(200)]


def written(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def shop(root: Path, viewed: Iterable[Sequence[Any]] = (), settings: str = SETTINGS) -> Workspace:
    """200 people of two countries who order every now and then; up to the end of 2024-06-30."""
    root.mkdir(parents=True, exist_ok=True)
    people = [(c, "2024-01-01", "KE" if i % 4 else "UG") for i, c in enumerate(PEOPLE)]
    orders = [
        (c, f"2024-{1 + (i + k) % 6:02d}-{1 + (7 * i + k) % 28:02d} 10:00:00", 10 + i % 7 + k)
        for i, c in enumerate(PEOPLE) for k in range(i % 5)
    ]  # fmt: skip
    written(root / "people.csv", ("customer", "at", "country"), people)
    written(root / "orders.csv", ("customer", "at", "revenue"), [*orders, ("c1", "2024-06-30 23:00:00", 5)])
    written(root / "viewed.csv", ("customer", "at", "experiment", "arm"), viewed)
    (root / "shoal.yaml").write_text(settings, encoding="utf-8")
    (root / "segments").mkdir(exist_ok=True)
    (root / "segments" / "kenyans.yaml").write_text('name: Kenyans\nwhere: country = "KE"\n', encoding="utf-8")
    experiment(root, "mail", MAIL)
    opened = shoal.open(root)
    opened.load()
    return opened


def experiment(root: Path, slug: str, text: str) -> None:
    """An experiment's file."""
    (root / "experiments").mkdir(exist_ok=True)
    (root / "experiments" / f"{slug}.yaml").write_text(text.lstrip(), encoding="utf-8")


def printed(root: Path, capsys: Any, *args: str) -> tuple[str, int]:
    """What a command prints, on both streams, and its exit code."""
    from shoal.cli import main

    code = 0
    try:
        main(["-w", str(root), *args])
    except SystemExit as done:
        code = int(done.code or 0)
    told = capsys.readouterr()
    return told.out + told.err, code


def document(root: Path, capsys: Any, *args: str) -> Any:
    """What a command prints with ``--json``."""
    text, code = printed(root, capsys, *args, "--json")
    assert code == 0, text
    return json.loads(text)
