"""A pilot on real data: Hillstrom's mailing of 64,000 customers in three arms, drawn by lot, with its published effects."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from math import exp
from pathlib import Path

import pytest

import shoal
from actions.test_trials import HILLSTROM
from shoal.errors import Refused
from shoal.workspace import Workspace

EXPERIMENT = """name: Mailing of March 2008
arms: {No E-Mail: 33.3%, Mens E-Mail: 33.3%, Womens E-Mail: 33.4%}
primary: revenue
exposure: {event: Campaign Sent, arm: arm, only: {campaign: spring}, assigned: elsewhere}
"""
PILOT = """name: Mail for {name}
owner: crm@example.com
experiment: mailing
arm: {arm}
segments: [men-only, women-only, both]
kpis: [revenue]
end: 2008-03-14
cost: {{contact: 0.1}}
margin: 40%
"""
SEGMENTS = {
    "men-only": "mens = 1 and womens = 0", "women-only": "mens = 0 and womens = 1", "both": "mens = 1 and womens = 1",
}  # fmt: skip
PEOPLE = (
    "  people:\n    from: people.csv\n    traits: [{customer: customer, at: at, take: {mens: mens, womens: womens}}]\n"
)


@pytest.fixture(scope="module")
def hillstrom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Those who bought men's and women's things before, the mailing, and what came within two weeks."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    root = tmp_path_factory.mktemp("hillstrom")
    with (Path(folder) / "hillstrom" / "hillstrom.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    who = [(f"c{i}", r) for i, r in enumerate(rows)]
    bought = [(c, "2008-03-08", r["spend"]) for c, r in who if float(r["spend"])]
    tables = {
        "sent": [("customer", "at", "campaign", "arm"), *((c, "2008-03-01", "spring", r["segment"]) for c, r in who)],
        "orders": [("customer", "at", "revenue"), *bought, ("late", "2008-04-30", "1")],
        "people": [("customer", "at", "mens", "womens"), *((c, "2008-02-01", r["mens"], r["womens"]) for c, r in who)],
    }
    for name, table in tables.items():
        with (root / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
            csv.writer(out, lineterminator="\n").writerows(table)
    head, _, _ = HILLSTROM.partition("trials:")
    (root / "shoal.yaml").write_text(head + PEOPLE, encoding="utf-8")
    files = {"experiments/mailing.yaml": EXPERIMENT,
             "pilots/women.yaml": PILOT.format(name="women", arm="Womens E-Mail"),
             "pilots/men.yaml": PILOT.format(name="men", arm="Mens E-Mail"),
             "pilots/unsaid.yaml": PILOT.format(name="nobody", arm="Mens E-Mail").replace("arm: Mens E-Mail\n", "")}  # fmt: skip
    files |= {f"segments/{slug}.yaml": f"name: {slug}\nwhere: |\n  {where}\n" for slug, where in SEGMENTS.items()}
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    with shoal.open(root) as ws:
        ws.load()
        yield ws


@pytest.mark.parametrize(("name", "n", "each"), [("women", 21_387, 0.4244122), ("men", 21_307, 0.7698272)])
def test_the_published_effects_in_money(hillstrom: Workspace, name: str, n: int, each: float) -> None:
    """MODELS.md, oracle 29. Breaks when a pilot takes another arm than it names, or its money isn't that of the arm."""
    hillstrom.pilots.start(name)
    found = hillstrom.pilots.result(name).found
    assert found.n == (21_306, n)
    sizes = zip((21_306, 21_307, 21_387), (21_312, 21_312, 21_376), strict=True)
    assert found.p == pytest.approx(exp(-sum((n - m) ** 2 / m for n, m in sizes) / 2)), "chi squared of two degrees"
    money = found.money
    assert money.each is not None
    assert money.revenue is not None
    assert money.back is not None
    assert money.back.profit is not None
    assert money.each.value == pytest.approx(each, abs=1e-6)
    assert money.revenue.value == pytest.approx(n * each, rel=1e-5)
    assert money.back.profit.value == pytest.approx(0.4 * n * each - 0.1 * n, rel=1e-5)
    assert sum(one.exposed for one in found.segments.each) == n, "everybody bought men's or women's things before"
    assert found.record.late
    assert found.verdict.kind == "met"


def test_an_arm_must_be_named_where_there_are_several(hillstrom: Workspace) -> None:
    """Breaks when one of two mailings is taken for the pilot silently."""
    with pytest.raises(Refused, match="has 2 arms beside its control"):
        hillstrom.pilots.start("unsaid")
