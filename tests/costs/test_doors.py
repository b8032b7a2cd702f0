"""Doors to attribution and cost KPIs: Python, command line, beside a server, picture; and that spend lasts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import shoal
from costs.shop import CHANNELS, SPENT
from costs.test_costs import vector
from serving.served import Served
from shoal.cli import app
from shoal.errors import Refused, UnknownName
from shoal.insight.attribution import MODELS
from shoal.views.charts.attribution import attribution_models, attribution_says

CAUSAL = re.compile(
    r"\b(caus\w*|because of|thanks to|drove|driven by|brought about|incremental\w*|lift|effect of)\b", re.IGNORECASE
)


def run(folder: Path, *args: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, ["-w", str(folder), *args])
    assert done.exit_code == 0, done.output
    return done.output


def test_attribution_of_a_workspace(lamps: shoal.Workspace) -> None:
    """Breaks when models share out different conversions, or ROAS isn't that of the cost KPIs."""
    found = lamps.attribution().found
    assert found.models == MODELS
    assert set(found.channels) == {"search", "social", "affiliate", "Newsletter Opened"}
    for model in MODELS:
        assert sum(found.of(c, model).conversions.value for c in found.channels) == pytest.approx(found.conversions)
        assert sum(found.of(c, model).value.value for c in found.channels) == pytest.approx(found.value)
    costs = lamps.costs(by="channel").found
    (linear,) = costs.find("roas", "Search")
    share = found.of("search", "linear").roas
    assert share is not None
    assert (share.value, share.low, share.high) == pytest.approx((linear.value, linear.low, linear.high))
    assert found.of("Newsletter Opened", "last").roas is None
    assert found.unmatched == {"TV": SPENT["TV"] * 181}
    table = lamps.attribution(models=["markov"]).table()
    assert table.num_rows == 4
    assert set(table["removal"].to_pylist()) == set(found.removal.values())


def test_removal_effects_are_those_of_another_package(lamps: shoal.Workspace) -> None:
    """Breaks when the chain is another one: the same 2,316 paths in marketing-attribution-models 2.1.1 (PyPI) gave these."""
    found = lamps.attribution(models=["markov"]).found
    theirs = {
        "Newsletter Opened": 0.233293854082, "affiliate": 0.273083771158, "search": 0.738091605918, "social": 0.413357052523
    }  # fmt: skip
    assert found.paths == 2_316
    assert found.removal == pytest.approx(theirs, abs=1e-11)


def test_conversions_of_days_without_spend_are_in_no_roas(tmp_path: Path) -> None:
    """Breaks when two years of orders are held against the three days of spend that were loaded."""
    with shoal.open(vector(tmp_path)) as ws:
        for name, row in (("orders", "old,2025-05-02,1000,5\n"), ("clicks", "old,2025-05-01,search\n")):
            with (tmp_path / f"{name}.csv").open("a") as file:
                file.write(row)
        ws.load()
        found = ws.attribution(models=["last"]).found
        early = ws.attribution(models=["last"], end="2025-12-31").found
    share = found.of("search", "last")
    assert share.value.value == 97_000
    assert share.roas is not None
    assert share.roas.value == 1.92
    assert "from 2026-05-01 to 2026-05-02" in found.notes()[0]
    assert (early.spend, early.of("search", "last").roas) == ({}, None)


def test_a_span_a_window_and_touches_can_be_asked_for(lamps: shoal.Workspace) -> None:
    """Breaks when what is asked for doesn't overrule the settings."""
    whole = lamps.attribution(models=["last"]).found
    parts = [
        lamps.attribution(models=["last"], start=start, end=end).found
        for start, end in ((None, "2026-03-31"), ("2026-04-01", None))
    ]
    assert sum(part.conversions for part in parts) == whole.conversions
    assert sum(part.spend["search"] for part in parts) == whole.spend["search"]
    short = lamps.attribution(models=["last"], days=1).found
    assert short.conversions + short.untouched[0] == whole.conversions + whole.untouched[0]
    assert short.conversions < whole.conversions
    mails = lamps.attribution(models=["last"], touches={"Newsletter Opened": None}).found
    assert list(mails.channels) == ["Newsletter Opened"]
    campaigns = lamps.attribution(models=["last"], by="campaign").found
    assert set(campaigns.spend) == {f"{c} {s}" for c in CHANNELS[:3] for s in ("winter", "spring")}
    with pytest.raises(UnknownName, match="Ad Clicked"):
        lamps.attribution(touches={"Ad Click": "channel"})
    with pytest.raises(Refused, match="no text 'medium'"):
        lamps.attribution(touches={"Ad Clicked": "medium"})


def test_without_touches_the_way_is_said(lamp_folder: Path, tmp_path: Path) -> None:
    """Breaks when a workspace without the setting gets a traceback, or nothing to do about it."""
    root = tmp_path / "shop"
    shutil.copytree(lamp_folder, root)
    text = (root / "shoal.yaml").read_text()
    (root / "shoal.yaml").write_text(re.sub(r"attribution:\n(  .*\n)+", "", text))
    done = CliRunner().invoke(app, ["-w", str(root), "attribution"])
    assert "attribution: {touches: {Ad Clicked: channel}}" in str(done.exception)
    told = run(root, "attribution", "--touch", "Ad Clicked=channel", "--model", "last", "--days", "7")
    assert "of the 7 days before" in told


def test_what_is_printed_names_models_and_never_speaks_of_causes(lamp_folder: Path) -> None:
    """Breaks when credit that a rule gives is read as what a channel brought about."""
    told = run(lamp_folder, "attribution")
    for word in (
        "Last",
        "First",
        "Linear",
        "Position",
        "Time decay",
        "Markov",
        "Removal effect",
        "ROAS",
        "95 % (linear)",
    ):
        assert word in told
    plain = told.replace("Removal effect", "").split("Attribution shares out what happened")
    assert len(plain) == 2
    assert not CAUSAL.search(plain[0])
    assert "an experiment with a holdout does" in plain[1]
    costs = run(lamp_folder, "costs", "--by", "channel")
    assert not CAUSAL.search(costs)
    for word in ("Per new customer", "ROAS", "ROI", "CTR", "Close rate", "Sales cycle", "linear: all touches"):
        assert word in costs
    monthly = run(lamp_folder, "costs", "--grain", "quarter")
    assert "2026-04-01 to 2026-06-30; not finished" in monthly


def test_machines_get_the_same(lamp_folder: Path, lamps: shoal.Workspace) -> None:
    """Breaks when JSON has other figures than Python, or what JSON can't hold."""
    at = lamps.instant("2026-06-01")
    here = json.loads(json.dumps(lamps.attribution(as_of=at).document()))
    costs = lamps.costs(by="channel", as_of=at)
    lamps.close()
    told = json.loads(run(lamp_folder, "attribution", "--as-of", "2026-06-01", "--json"), parse_constant=pytest.fail)
    assert told == here
    found = json.loads(
        run(lamp_folder, "costs", "--by", "channel", "--as-of", "2026-06-01", "--json"), parse_constant=pytest.fail
    )
    assert found["spend_until"] == "2026-05-31"
    assert [(f["metric"], f["group"], f["value"]) for f in found["figures"]] == [
        (f.metric, f.group, f.value) for f in costs.found.figures
    ]
    assert found["closing"]["leads"] == costs.closing.leads if costs.closing else False


def _drawn(chart: Any) -> list[dict[str, Any]]:
    """The rows that the bars stand for, wherever the chart keeps them."""
    data = chart["layer"][0].get("data") or chart["data"]
    found: list[dict[str, Any]] = data["values"] if "values" in data else chart["datasets"][data["name"]]
    return found


def test_the_picture_has_a_bar_for_each_model_and_channel(lamps: shoal.Workspace) -> None:
    """Breaks when a model or a channel isn't drawn, or the heading says what the figures don't."""
    done = lamps.attribution()
    chart = done.chart().to_dict()
    bars = _drawn(chart)
    assert len(bars) == len(MODELS) * 4
    assert chart["title"]["text"] == ["All models credit search with the most"]
    paid = attribution_models(done.found, measure="roas", width=358).to_dict()
    assert {row["channel"] for row in _drawn(paid)} == {"search", "social", "affiliate"}
    said = attribution_says(done.found, "roas")
    assert said.startswith("Models differ on the most value per spend: search by last")
    one = lamps.attribution(models=["last"], touches={"Newsletter Opened": None})
    assert attribution_says(one.found) == "Last credits Newsletter Opened with the most"
    with pytest.raises(Refused, match="no value per spend"):
        attribution_models(one.found, measure="roas")


@pytest.fixture
def served(lamp_folder: Path, tmp_path: Path) -> Any:
    """A copy of the shop, being served."""
    shutil.copytree(lamp_folder, tmp_path / "shop")
    found = Served(tmp_path / "shop")
    try:
        yield found.start()
    finally:
        found.close()


def test_beside_a_server_the_answers_are_the_same(served: Served, lamps: shoal.Workspace) -> None:
    """Breaks when a command needs the store for itself, or a call that was just taken isn't in the figures."""
    command = [sys.executable, "-m", "shoal.cli", "-w", str(served.folder)]
    asked = ["--as-of", "2026-06-01", "--json"]

    def told(*args: str) -> Any:
        done = subprocess.run([*command, *args], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert told("attribution", *asked) == json.loads(json.dumps(lamps.attribution(as_of="2026-06-01").document()))
    figures = told("costs", "--by", "channel", *asked)["figures"]
    assert len(figures) == len(lamps.costs(by="channel", as_of="2026-06-01").found.figures)
    over_http = served.get("/v1/attribution", as_of="2026-06-01")
    assert over_http == json.loads(json.dumps(lamps.attribution(as_of="2026-06-01").document()))
    assert served.get("/v1/costs", by="channel", as_of="2026-06-01")["figures"] == figures
    assert served.http.get("/v1/costs").status_code == 401
    assert served.http.get("/v1/attribution", params={"model": "lst"}, headers=served.bearer).status_code == 422
    before = told("attribution", "--json")["conversions"]
    served.track("c00001", "Ad Clicked", channel="search", campaign="search spring")
    served.track("c00001", "Order Completed", revenue=10, cost=4)
    assert told("attribution", "--json")["conversions"] == before + 1


def test_spend_outlives_a_backup_and_is_no_customers_data(lamp_folder: Path, tmp_path: Path) -> None:
    """Breaks when a backup loses spend, or an export of a person bears what the firm spent."""
    with shoal.open(lamp_folder) as ws:
        before = ws.data.status()["spend"]
        ws.backup(tmp_path / "copy.zip")
        person = json.dumps(ws.privacy.export("c00001"))
    run(lamp_folder, "restore", str(tmp_path / "copy.zip"), str(tmp_path / "again"))
    with shoal.open(tmp_path / "again") as ws:
        assert ws.data.status()["spend"] == before
    assert before["amount"] == sum(SPENT.values()) * 181
    assert "c00001" in person
    assert "impressions" not in person
