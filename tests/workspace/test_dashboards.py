"""Dashboards of a workspace: their files, the answers of their tiles, and how they are handed out."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from out.smtp import Post, serving
from shoal.cli import main
from shoal.config import read_config
from shoal.errors import ConfigError, DefinitionError, Refused, UnknownName
from shoal.lang.check import faults
from shoal.lang.parse import parse
from shoal.views.dashboards import Dashboard, read_dashboard, read_dashboards, written
from shoal.views.dashboards.answers import WHERE
from shoal.views.dashboards.catalogue import READY, shipped_text
from shoal.views.dashboards.markdown import to_html
from shoal.views.dashboards.periods import read_period
from shoal.views.dashboards.reading import read_tile
from shoal.views.dashboards.writing import comments_lost
from shoal.workspace import open_workspace
from shoal.workspace.dashboards import Changed, CommentsLost

from .test_journeys import workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shoal.workspace import Workspace

FIGURE: dict[str, Any] = {"kind": "figure", "metric": "revenue", "at": [0, 0, 3, 2]}


def read(text: str) -> Dashboard:
    return read_dashboard(text, slug="shop", place="dashboards/shop.yaml")


# ------------------------------------------------------------ files


@pytest.mark.parametrize("slug", READY)
def test_what_ships_is_read_and_written_as_the_same(slug: str) -> None:
    """Breaks when a ready dashboard has a fault, or saving one changes what it says."""
    one = read_dashboard(shipped_text(slug), slug=slug, place=slug)
    assert read_dashboard(written(one), slug=slug, place=slug) == one
    places = [(tile.x, tile.y, tile.w, tile.h) for tile in one.tiles]
    for at, (x, y, w, h) in enumerate(places):
        assert not any(x < a + c and a < x + w and y < b + d and b < y + h for a, b, c, d in places[:at]), (
            f"{slug} {at}"
        )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("tiles: []\n", "", "no title"),
        ("title: A\ncolour: red\n", ":2", "no key 'colour'"),
        ("title: A\ntiles:\n- {kind: pie}\n", ":3", "'pie' is not known"),
        ("title: A\ntiles:\n- {metric: revenue}\n", ":3", "no kind"),
        ("title: A\ntiles:\n- {kind: figure}\n", ":3", "doesn't say what it shows"),
        ("title: A\ntiles:\n- {kind: figure, metric: revenue, live: customers}\n", ":3", "shows one thing"),
        ("title: A\ntiles:\n- {kind: figure, metric: revenue, at: [10, 0, 3, 2]}\n", ":3", "ends at column 13"),
        ("title: A\ntiles:\n- {kind: figure, live: custmers}\n", ":3", "isn't live"),
        ("title: A\ntiles:\n- {kind: bar, metric: revenue}\n", ":3", "what it tells apart"),
        ("title: A\ntiles:\n- {kind: funnel, steps: [A]}\n", ":3", "two steps"),
        ("title: A\nfilters: {period: yesterday}\n", ":2", "is no period"),
        ("title: A\ntitle: B\n", ":2", "stands twice"),
    ],
)
def test_a_fault_is_told_at_its_line(text: str, line: str, said: str) -> None:
    """Breaks when a file that isn't one is taken, or its fault has no place."""
    with pytest.raises(DefinitionError) as caught:
        read(text)
    assert said in str(caught.value)
    assert str(caught.value.place) == f"dashboards/shop.yaml{line}"


def test_a_bare_on_is_a_word() -> None:
    """Breaks when YAML's old word for true is told to be no mode of retention."""
    assert read("title: A\ntiles:\n- {kind: retention, mode: on}\n").tiles[0].asks["mode"] == "on"


@pytest.mark.parametrize(
    "text", ["last 0 days", "last 999 months", "2017-02-30 to 2017-03-01 by day", "2018-01-01 to 2017-01-01 by day", ""]
)
def test_what_is_no_period_is_refused(text: str) -> None:
    """Breaks when a page asks for a period that can't be, as a million days."""
    with pytest.raises(Refused):
        read_period(text)


def test_comments_at_the_head_are_kept_and_others_counted() -> None:
    """Breaks when saving in the browser silently loses what somebody wrote by hand."""
    text = "# ours\n\n# for the board\ntitle: 'a # no comment'  # one\n# two\ndescription: b#c\n"
    assert comments_lost(text) == 2
    assert written(read(text), text).startswith("# ours\n\n# for the board\ntitle: ")


def test_saving_is_locked_by_the_file(shop: Workspace) -> None:
    """Breaks when one of two who save at the same time overwrites the other, or comments go without a word."""
    door, one = shop.dashboards, Dashboard("shop", "Shop", tiles=(read_tile(FIGURE),))
    first = door.save(one)
    assert door.find("Shop") == one
    with pytest.raises(Changed):
        door.save(one)
    with pytest.raises(Changed):
        door.save(one, base="other")
    path = shop.config.root / "dashboards" / "shop.yaml"
    path.write_text(path.read_text() + "# why\n")
    with pytest.raises(Changed):
        door.save(one, base=first)
    mark = door.catalogue().mark("shop")
    with pytest.raises(CommentsLost):
        door.save(one, base=mark)
    door.save(one, base=mark, lose_comments=True)
    door.remove("shop")
    with pytest.raises(UnknownName):
        door.find("shop")


def test_a_file_stands_in_for_what_ships_and_a_faulty_one_is_told(shop: Workspace) -> None:
    """Breaks when a workspace can't have its own overview, or a fault takes all dashboards away."""
    folder = shop.config.root / "dashboards"
    folder.mkdir()
    (folder / "overview.yaml").write_text("title: Ours\n")
    (folder / "value.yaml").write_text("title: [\n")
    found = read_dashboards(shop.config.root)
    assert found.find("overview").title == "Ours"
    assert "overview" not in found.shipped
    assert set(found.faults) == {"value"}
    with pytest.raises(DefinitionError):
        found.find("value")
    assert found.find("retention").title == "Retention"


def test_markdown_holds_nothing_but_what_is_made_here() -> None:
    """Breaks when a text tile can bring a script, a handler or a foreign scheme into the page."""
    made = to_html(
        '# A\n\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) [b](/segments) [c](https://x.example/"onclick=)\n\n- `<b>`'
    )
    assert "<img" not in made
    assert "<b>" not in made
    assert 'href="javascript' not in made
    assert '<a href="/segments">b</a>' in made
    assert "onclick=" not in made.replace("&quot;", '"').split("<a")[-1].split(">")[0]


# ------------------------------------------------------------ answers


@pytest.fixture(scope="module")
def standing(loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A copy of the workspace that no test changes."""
    folder = tmp_path_factory.mktemp("standing") / "copy"
    shutil.copytree(loaded, folder)
    with open_workspace(folder / "shop") as opened:
        yield opened


def test_each_tile_that_ships_has_an_answer_or_says_what_is_missing(standing: Workspace) -> None:
    """Breaks when a ready dashboard is empty, lacks n or its time, or a mark's condition can't be read on this data."""
    schema = standing.schema
    tiles = [tile for one in standing.dashboards.catalogue().definitions.values() for tile in one.tiles]
    asked = {json.dumps(tile.question(), sort_keys=True): tile for tile in tiles}
    assert {tile.kind for tile in asked.values()} >= {
        "figure",
        "line",
        "bar",
        "table",
        "retention",
        "rfm",
        "map",
        "sankey",
    }
    for tile in asked.values():
        found = standing.dashboards.answer(tile, period="last 6 months")
        assert found.at > 0
        if found.missing:
            assert len(f"{found.missing}{found.fix}") > 40
            continue
        assert found.n or found.figure is not None or tile.kind == "bar", tile
        json.dumps(found.document(), allow_nan=False)
        for where in {row[WHERE] for row in found.rows if row.get(WHERE)}:
            assert not list(faults(parse(where), schema, text=where)), where


def test_a_marks_condition_holds_for_as_many_as_it_says(standing: Workspace) -> None:
    """Breaks when drilling leads to other customers than those whom a figure counts."""
    answer = standing.dashboards.answer({"kind": "figure", "metric": "active-customers"}, period="last 6 months")
    for row in answer.rows:
        assert standing.segments.preview(row[WHERE]).size == row["value"], row
    grid = standing.dashboards.answer({"kind": "rfm"})
    for row in (one for one in grid.rows if one["customers"]):
        assert standing.segments.preview(row[WHERE]).size == row["customers"], row
    states = standing.dashboards.answer({"kind": "bar", "of": "lifecycle"})
    for row in states.rows:
        assert standing.segments.preview(row[WHERE]).size == row["value"], row


def test_a_segment_narrows_every_kind(standing: Workspace) -> None:
    """Breaks when a filter by segment is taken and not looked at."""
    size = standing.segments.preview('member of "lapsed-vips"').size
    grid = standing.dashboards.answer({"kind": "rfm"}, segment="Lapsed VIPs")
    assert sum(row["customers"] for row in grid.rows) == size
    cell = next(row for row in grid.rows if row["customers"])
    assert standing.segments.preview(cell[WHERE]).size == cell["customers"]
    flows = standing.dashboards.answer(
        {"kind": "sankey", "between": "lifecycle"}, segment="lapsed-vips", period="last 3 months"
    )
    assert sum(row["customers"] for row in flows.rows) == size
    with pytest.raises(UnknownName):
        standing.dashboards.answer({"kind": "rfm"}, segment="no-such")


def test_what_nothing_that_ships_asks_has_answers_too(standing: Workspace) -> None:
    """Breaks when a funnel, paths, a breakdown or segments side by side can be asked for and have no answer."""

    def asked(**tile: Any) -> Any:
        found = standing.dashboards.answer(tile, period="last 12 months")
        assert not found.missing, found
        return found

    steps = asked(kind="funnel", steps=["Order Completed", "Order Completed"], within="60 days").rows
    assert [standing.segments.preview(row[WHERE]).size for row in steps] == [row["customers"] for row in steps]
    assert steps[0]["customers"] > steps[1]["customers"] > 0
    assert asked(kind="sankey", after="Order Completed", steps=2).rows[0]["customers"] > 0
    beside = asked(kind="bar", metric="revenue", segments=["largest"])
    assert {row["name"] for row in beside.rows} == {"Everyone", "Lapsed VIPs"}
    silent = asked(kind="bar", metric="revenue-per-customer", segments=["largest"])
    assert silent.note == "No figure for Lapsed VIPs."
    assert len({row["line"] for row in asked(kind="line", metrics=["orders", "active-customers"]).rows}) == 2
    mixed = standing.dashboards.answer({"kind": "line", "metrics": ["orders", "revenue"]})
    assert "different units" in mixed.missing
    assert asked(kind="figure", live="size of lapsed-vips").figure.live == "segment:lapsed-vips:size"
    assert asked(kind="text", text="**Hi**").html == "<p><strong>Hi</strong></p>"


def test_a_map_shows_where_customers_are(tmp_path: Path) -> None:
    """Breaks when a place is put elsewhere, or a dot leads to other customers than its own."""
    homes = {"a": (-1.25, 36.75), "b": (-1.2, 36.8), "c": (40.75, -74.0)}
    (tmp_path / "shop").mkdir()
    rows = "".join(f"{who},{latitude},{longitude}\n" for who, (latitude, longitude) in homes.items())
    (tmp_path / "shop" / "homes.csv").write_text(f"customer,latitude,longitude\n{rows}", encoding="utf-8")
    form = {"delimiter": ",", "header": 1}
    take = {"customer": "customer", "take": {"home": ["latitude", "longitude"]}}
    event = {"event": "Seen", "customer": "customer", "at": "at"}
    sources = {
        "homes": {"from": "homes.csv", "format": form, "traits": [take]},
        "events": {"from": "events.csv", "format": form, "events": [event]},
    }
    seen = [(who, "2024-03-03T09:00:00", "Seen", "", "", "") for who in homes]
    with workspace(tmp_path / "shop", seen, sources=sources, traits={}) as place:
        found = place.dashboards.answer({"kind": "map"})
        told = {(row["latitude"], row["longitude"]): row["customers"] for row in found.rows}
        assert told == {(-1.25, 36.75): 2, (40.75, -74.0): 1}
        assert [place.segments.preview(row[WHERE]).size for row in found.rows] == [2, 1]
        assert found.chart is not None
        assert '"latitude": 40.75' in json.dumps(found.chart)


# ------------------------------------------------------------ handing out


def test_it_is_handed_out(standing: Workspace, tmp_path: Path) -> None:
    """Breaks when a file isn't what its name says, or a page asks for something from elsewhere."""
    door = standing.dashboards
    one, filled = door.fill("overview", period="last 6 months")
    begins = {".pdf": b"%PDF", ".png": b"\x89PNG", ".svg": b"<svg", ".json": b"{"}
    for form, begin in begins.items():
        assert door.handed_out(one, filled, form).startswith(begin)
    page = door.handed_out(one, filled, ".html").decode()
    assert "Average order value" in page
    assert 'src="http' not in page
    assert door.export("overview", tmp_path / "a.yaml").read_text() == shipped_text("overview")
    with pytest.raises(Refused, match=r"isn't written as '\.xls'"):
        door.export("overview", tmp_path / "a.xls")


def test_it_is_mailed_by_a_job(root: Path) -> None:
    """Breaks when the mail lacks the picture, the page or the link, or goes to fewer than it should."""
    settings = root / "shoal.yaml"
    post = Post()
    with serving(post):
        with settings.open("a") as file:
            file.write(
                f"mail: {{host: 127.0.0.1, port: {post.port}, security: none, from: shop@shop.example}}\n"
                "server: {address: 'https://shoal.shop.example'}\n"
                "jobs:\n  morning: {run: dashboard, dashboard: feedback, period: last 6 months, "
                "to: [ann@shop.example, bob@shop.example], every: day at 07:00}\n"
            )
        with open_workspace(root) as opened:
            run = opened.jobs.run("morning")
    assert (run.state, run.message) == ("done", "2 mails sent with the dashboard feedback.")
    taken: list[Any] = list(post.taken)
    assert sorted(mail["To"] for mail in taken) == ["ann@shop.example", "bob@shop.example"]
    kinds = {part.get_content_type(): part for part in taken[0].walk()}
    assert kinds["image/png"].get_content().startswith(b"\x89PNG")
    assert "https://shoal.shop.example/dashboards/feedback?period=last+6+months" in kinds["text/plain"].get_content()
    attached = [part for part in taken[0].iter_attachments() if part.get_filename()]
    assert [part.get_filename() for part in attached] == ["feedback.html"]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("{run: dashboard, every: day at 07:00, to: [a@b.example]}", "dashboard"),
        ("{run: dashboard, dashboard: overview, every: day at 07:00}", "to"),
        ("{run: dashboard, dashboard: overview, to: [a@b.example], period: ever, every: day at 07:00}", "no period"),
    ],
)
def test_a_job_that_cant_be_is_told(root: Path, job: str, said: str) -> None:
    """Breaks when a job without a dashboard, a reader or a period that can be is found out only when it runs."""
    with (root / "shoal.yaml").open("a") as file:
        file.write(f"jobs:\n  morning: {job}\n")
    with pytest.raises(ConfigError, match=said):
        read_config(root)


def test_in_the_shell(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when the commands don't list, show or write what the workspace has."""

    def shell(*words: str) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["-w", str(root), "dashboard", *words, "--json"])
        told = capsys.readouterr()
        assert not ended.value.code, told.err
        return json.loads(told.out)

    assert [one["slug"] for one in shell("list")["dashboards"]] == list(READY)
    told = shell("show", "feedback", "--period", "last 3 months")
    assert told["filtered"] == "Everyone, last 3 months"
    assert told["tiles"][0]["answer"]["figure"]["value"]
    assert shell("export", "feedback", "-o", str(tmp_path / "a.pdf"))["bytes"] > 1_000
