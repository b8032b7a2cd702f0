"""A workspace as a user of Python has it: the main job on a small real folder."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from shoal.clock import DAY
from shoal.errors import ConfigError, DefinitionError, PurposeError, QualityStop, StoreError, StoreLocked, UnknownName
from shoal.lang.build import did, last, total
from shoal.sql.layout import set_meta
from shoal.workspace import Workspace, open_workspace
from shoal.workspace.backup_restore import restore_backup
from shoal.workspace.proposing import propose_workspace


def sizes(shop: Workspace) -> dict[str, int]:
    return {row["slug"]: row["size"] for row in shop.segments.table().to_pylist()}


def test_a_second_load_changes_nothing(shop: Workspace) -> None:
    """Breaks when a reload counts rows twice."""
    before = shop.sql('SELECT count(*) AS n, sum(revenue) AS r FROM "Order Completed"').to_pylist()
    done = shop.load()
    assert done.report.load is None
    assert done.lines() == ["Nothing has changed since the last load."]
    assert shop.sql('SELECT count(*) AS n, sum(revenue) AS r FROM "Order Completed"').to_pylist() == before


def test_another_rule_of_what_was_bought_computes_traits_anew(root: Path) -> None:
    """Breaks when a setting that traits depend on waits for the next change of a file."""
    settings = root / "shoal.yaml"
    with open_workspace(root) as shop:
        before = set(shop.sql("SELECT DISTINCT favourite_category AS c FROM customers").to_pydict()["c"])
    settings.write_text(settings.read_text() + "purchases: {category: product}\n")
    with open_workspace(root) as shop:
        done = shop.load()
        assert done.report.load is None
        assert any("Traits were computed anew" in line for line in done.lines() + list(done.notes))
        after = set(shop.sql("SELECT DISTINCT favourite_category AS c FROM customers").to_pydict()["c"])
        assert before.isdisjoint(after - {None})
        assert shop.load().notes == ()


def test_the_clock_stands_at_the_data_s_end(shop: Workspace) -> None:
    """Breaks when data of the past is asked about today, where every window is empty."""
    (newest,) = shop.store.rows("SELECT max(ts) FROM event_2")[0]
    (latest,) = shop.store.rows("SELECT max(started) FROM loads")[0]
    assert newest <= latest <= shop.now() < latest + DAY
    assert sizes(shop)["lapsed-vips"] > 0


def test_a_corrected_row_replaces_and_the_old_one_stays_known(root: Path) -> None:
    """Breaks when a correction is counted beside the row it corrects, or history is lost."""
    file = root.parent / "exports" / "order_lines.csv"
    with open_workspace(root) as shop:
        then = shop.now()
        before = shop.sql('SELECT sum(revenue) AS r FROM "Order Completed"').to_pylist()[0]["r"]
    text = file.read_text()
    old = next(line for line in text.splitlines() if ",1,59.00," in line and line.startswith("O"))
    file.write_text(text.replace(old, old.replace(",1,59.00,", ",2,59.00,")))
    with open_workspace(root) as shop:
        assert shop.load().report.load == 2
        after = shop.sql('SELECT sum(revenue) AS r FROM "Order Completed"').to_pylist()[0]["r"]
        assert after - before == 59
        known = shop.segments.evaluate(known_at=then)
        assert known.sizes()["lapsed-vips"] >= 0
        known.close()


def test_doubts_point_into_the_text_or_into_the_text_of_a_tree(shop: Workspace) -> None:
    """A tree built in Python has no text; its doubt must still show where."""
    tree = total("revenue", "Order Completed").between(500, 100)
    (doubt,) = shop.segments.preview(tree).doubts
    assert str(doubt).splitlines()[1].strip() == 'sum(revenue of "Order Completed") between 500 and 100'
    shop.segments.add("Middling", tree)
    assert [d.problem for d in shop.segments.doubts(shop.segments["middling"].where)] == [doubt.problem]
    assert shop.segments.doubts('did "Order Completed"') == []


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ('rfm_segment = "Champion"', 'Nobody has the rfm_segment "Champion". Did you mean "Champions"'),
        ('country in ("KE", "KEN")', 'Nobody has the country "KEN". Did you mean "KE"?'),
        (
            'did "Order Completed" where channel = "wbe"',
            'No "Order Completed" has the channel "wbe". Did you mean "web"?',
        ),
        ('country = "Atlantis"', 'Nobody has the country "Atlantis". Most frequent: "KE"'),
        ('country = "KE" and did "Order Completed" where channel = "web"', None),
        ('did "Order Completed" where any products (category = "No such")', None),
    ],
)
def test_a_value_that_nobody_has_is_doubted_before_it_is_saved(shop: Workspace, where: str, said: str | None) -> None:
    """Breaks when a slip in a value gives 0 without a word."""
    doubts = [str(doubt) for doubt in shop.segments.preview(where).doubts]
    assert [doubt.splitlines()[0][: len(said or "")] for doubt in doubts] == ([said] if said else [])
    if said:
        assert doubts[0].splitlines()[1].strip() == where
        shop.segments.add("Doubted", where)
        assert [str(d) for d in shop.segments.preview(shop.segments["doubted"].where).doubts] == doubts


def test_objects_print_as_people_read_them(shop: Workspace) -> None:
    """Breaks when print shows a page of fields."""
    said = str(shop.segments.why("C0012", "Lapsed VIPs"))
    assert said.startswith("no   The total revenue")
    assert "  yes  The total revenue" in said
    assert "until 2025-08-" in said
    assert len(said.splitlines()) < 12
    reason = shop.segments.why("C0012", "Lapsed VIPs")
    assert reason.until_at is not None
    assert (reason.until_at.year, reason.until_at.tzinfo) == (2025, UTC)
    assert str(shop.load()) == "Nothing has changed since the last load."
    with pytest.raises(UnknownName, match='Did you mean "rfm-grid"'):
        shop.reports.chart("rfm")


def test_a_membership_on_a_rank_holds_unless_that_is_worked_out_anew(shop: Workspace) -> None:
    shop.segments.add("Best", 'sum(revenue of "Order Completed") in top 20%')
    assert shop.segments.why("C0012", "Best").unless_rescored
    assert not shop.segments.why("C0012", "Lapsed VIPs").unless_rescored


def test_adding_a_segment_writes_a_file_a_version_and_history(shop: Workspace) -> None:
    shop.segments.add("Coffee lovers", 'did "Order Completed" where any products (category = "Coffee") in last 90 days')
    assert (shop.config.root / "segments" / "coffee-lovers.yaml").exists()
    size = sizes(shop)["coffee-lovers"]
    entered = shop.store.rows(
        "SELECT count(*) FROM membership_changes WHERE segment = 'coffee-lovers' AND change = 'entered'"
    )
    assert entered == [(size,)]
    assert size > 0
    assert shop.store.rows("SELECT version FROM definitions WHERE slug = 'coffee-lovers'") == [(1,)]


def test_an_edit_publishes_who_left(shop: Workspace) -> None:
    """Breaks when history doesn't follow a changed definition."""
    before = sizes(shop)["lapsed-vips"]
    shop.segments.edit("Lapsed VIPs", where='sum(revenue of "Order Completed") > 100000')
    left = shop.store.rows("SELECT count(*) FROM membership_changes WHERE segment = 'lapsed-vips' AND change = 'left'")
    assert left == [(before,)]
    assert sizes(shop)["lapsed-vips"] == 0


def test_a_faulty_segment_writes_nothing(shop: Workspace) -> None:
    with pytest.raises(DefinitionError, match='Did you mean "revenue"'):
        shop.segments.add("Typo", 'sum(revnue of "Order Completed") > 3')
    with pytest.raises(DefinitionError, match="circle"):
        shop.segments.edit("Lapsed VIPs", where='member of "lapsed-vips"')
    assert list(sizes(shop)) == ["lapsed-vips"]


def test_a_file_changed_by_hand_is_taken_and_a_broken_one_keeps_its_last_good_version(root: Path) -> None:
    """Breaks when a typo in an editor empties a segment."""
    file = root / "segments" / "lapsed-vips.yaml"
    good = file.read_text()
    file.write_text(good.replace("> 500", "> 50"))
    with open_workspace(root) as shop:
        wider = sizes(shop)["lapsed-vips"]
    file.write_text(good.replace("> 500", "> > 500"))
    with open_workspace(root) as shop:
        assert sizes(shop)["lapsed-vips"] == wider
        fault = shop.catalogue.faults["lapsed-vips"]
        assert "segments/lapsed-vips.yaml" in str(fault)


@pytest.mark.parametrize(
    ("text", "line", "marked"),
    [
        ('name: Typo\nwhere: |\n  did "Order Completed"\n  and contry = "KE"\n', 4, "contry"),
        ('name: Typo\nwhere: did "Order Complted"\n', 2, '"Order Complted"'),
        ('name: Typo\nwhere: {node: compare, op: "=", left: {node: trait, name: contry}, right: KE}\n', 2, "{node"),
        ('name: Typo\nwhere: did "Signed Up"\n\npurpose: newsleter\n', 4, "newsleter"),
        ('name: Typo\nnever: staff\nwhere: did "Signed Up"\n', 2, "staff"),
    ],
)
def test_an_unknown_name_in_a_file_is_shown_at_its_line(shop: Workspace, text: str, line: int, marked: str) -> None:
    """Breaks when only faults of grammar have a line, and a name that isn't there is looked for by eye."""
    (shop.config.root / "segments" / "typo.yaml").write_text(text, encoding="utf-8")
    shop.refresh()
    said = str(shop.catalogue.faults["typo"])
    assert said.startswith(f"segments/typo.yaml:{line}: ")
    excerpt, carets = said.splitlines()[-2:]
    assert excerpt[carets.index("^") :].startswith(marked)


def test_a_segment_that_others_name_can_t_be_removed(shop: Workspace) -> None:
    shop.segments.add("Kenyan lapsed", 'member of "lapsed-vips" and country = "KE"')
    with pytest.raises(DefinitionError, match="kenyan-lapsed"):
        shop.segments.remove("lapsed-vips")
    shop.segments.remove("kenyan-lapsed")
    shop.segments.remove("lapsed-vips")
    assert sizes(shop) == {}


def test_members_are_those_who_consented_and_the_rest_is_told(shop: Workspace, tmp_path: Path) -> None:
    """Breaks when someone without consent is handed out, or disappears without a word."""
    done = shop.segments.export("Lapsed VIPs", tmp_path / "vips.csv", traits=["country"])
    with (tmp_path / "vips.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == done.rows == done.reach.reachable
    assert done.reach.members == done.reach.reachable + sum(done.reach.withheld.values()) == sizes(shop)["lapsed-vips"]
    said_yes = shop.sql("SELECT DISTINCT customer FROM consents WHERE granted")["customer"].to_pylist()
    assert {row["customer_id"] for row in rows} <= set(said_yes)


def test_those_who_did_not_agree_get_no_purpose_that_could_not_reach_them(shop: Workspace) -> None:
    """Breaks when a segment of people without consent is saved to be handed out for that very consent."""
    found = shop.segments.template("no-email-marketing")
    assert shop.segments.add("Ask them", found.where).purpose is None
    both = f'{found.where} and did "Order Completed"'
    assert shop.segments.add("Ask buyers", both).purpose is None
    assert shop.segments.add("Not all", f'{found.where} or did "Order Completed"').purpose == "email_marketing"
    assert shop.segments.add("Meant", found.where, purpose="email_marketing").purpose == "email_marketing"


def test_a_source_of_consent_has_an_age(shop: Workspace) -> None:
    """Breaks when freshness is known of events alone, and a stale list of consents looks like one without dates."""
    (age,) = [m["value"] for m in shop.data.quality("newsletter") if (m["measure"], m["column"]) == ("freshness", None)]
    ((newest,),) = shop.store.rows("SELECT max(ts) FROM consents WHERE retired IS NULL")
    assert age == pytest.approx((shop.now() - newest) / DAY, abs=0.01)


def test_who_withdrew_after_the_data_s_end_is_not_handed_out(root: Path) -> None:
    """Breaks when ``clock: data-end`` lets a withdrawal wait for an analysis that stands still."""
    with open_workspace(root) as shop:
        before = shop.segments.members("Lapsed VIPs")["customer_id"].to_pylist()
        end = shop.now()
    file = root.parent / "exports" / "newsletter.csv"
    withdrawn, kept, *_ = before
    words = [f"{withdrawn},email_marketing,no,2025-09-01 12:00:00", f"{kept},email_marketing,yes,2199-01-01 00:00:00"]
    file.write_text(file.read_text().rstrip() + "\n" + "\n".join(words) + "\n")
    with open_workspace(root) as shop:
        shop.load()
        assert shop.now() < end + DAY, "the analysis still stands at the data's end"
        after = shop.segments.members("Lapsed VIPs")["customer_id"].to_pylist()
        assert set(before) - set(after) == {withdrawn}
        (told,) = [r for r in shop.reports.facts().quality.reach["lapsed-vips"] if r.by == "purpose"]
        assert told.customers == len(after), "the report says of reach what the handing out does"


def test_a_refusal_counts_before_its_date_and_a_grant_does_not(root: Path) -> None:
    """Breaks when a wrong year in an export hands out who refused."""
    with open_workspace(root) as shop:
        before = shop.segments.reach("Lapsed VIPs").reach
        (refused, *_) = shop.segments.members("Lapsed VIPs")["customer_id"].to_pylist()
        (unknown,) = shop.sql("SELECT customer FROM customers ANTI JOIN consents USING (customer) LIMIT 1")[
            "customer"
        ].to_pylist()
    file = root.parent / "exports" / "newsletter.csv"
    words = [f"{refused},email_marketing,no,2199-01-01 00:00:00", f"{unknown},email_marketing,yes,2199-01-01 00:00:00"]
    file.write_text(file.read_text().rstrip() + "\n" + "\n".join(words) + "\n")
    with open_workspace(root) as shop:
        shop.load()
        after = shop.segments.reach("Lapsed VIPs").reach
    assert after.reachable == before.reachable - 1


def test_purposes_for_analysis_hand_nobody_out(root: Path, tmp_path: Path) -> None:
    settings = root / "shoal.yaml"
    settings.write_text(settings.read_text().replace("  email_marketing: consent", "  email_marketing: none"))
    with open_workspace(root) as shop, pytest.raises(PurposeError, match="analysis only"):
        shop.segments.export("Lapsed VIPs", tmp_path / "vips.csv")
    assert not (tmp_path / "vips.csv").exists()


def test_legitimate_interest_reaches_whom_consent_doesn_t(root: Path) -> None:
    with open_workspace(root) as shop:
        consenting = shop.segments.reach("Lapsed VIPs").reach
    settings = root / "shoal.yaml"
    settings.write_text(
        settings.read_text().replace("email_marketing: consent", "email_marketing: legitimate-interest")
    )
    with open_workspace(root) as shop:
        interest = shop.segments.reach("Lapsed VIPs").reach
    unknown = consenting.withheld.get("no consent on record", 0)
    assert interest.reachable == consenting.reachable + unknown
    assert interest.withheld == {"objected": consenting.withheld["consent refused or withdrawn"]}


def test_why_names_the_instant_at_which_it_ends(shop: Workspace) -> None:
    """Breaks when 'until when' isn't the instant at which the evaluation flips."""
    for customer in shop.segments.members("Lapsed VIPs")["customer_id"].to_pylist()[:2]:
        assert shop.segments.why(customer, "Lapsed VIPs").truth
    reason = shop.segments.why("C0012", "Lapsed VIPs")
    assert not reason.truth
    assert reason.until is not None
    ids = [
        shop.segments.evaluate(as_of=at).members("lapsed-vips")["id"].to_pylist()
        for at in (reason.until - 1, reason.until)
    ]
    assert "C0012" not in ids[0]
    assert "C0012" in ids[1]


def test_objects_and_text_preview_the_same(shop: Workspace) -> None:
    built = (total("revenue", "Order Completed") > 500) & ~did("Order Completed", within=last(60, "days"))
    assert shop.segments.preview(built).size == sizes(shop)["lapsed-vips"]


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_results_come_in_the_caller_s_form(shop: Workspace, form: str) -> None:
    frame = shop.segments.table(form=form)  # type: ignore[arg-type]
    assert list(frame["slug"]) == ["lapsed-vips"]
    assert type(frame).__module__.split(".")[0] == form


def test_lists_overrule_a_definition(shop: Workspace) -> None:
    """Breaks when always and never don't reach the membership."""
    inside = shop.segments.evaluate().members("lapsed-vips")["id"].to_pylist()
    shop.lists.add("staff", inside[:1])
    shop.lists.add("friends", ["C0012"])
    shop.segments.edit("Lapsed VIPs", always="friends", never="staff")
    now = shop.segments.evaluate().members("lapsed-vips")["id"].to_pylist()
    assert set(now) == (set(inside) - set(inside[:1])) | {"C0012"}
    with pytest.raises(UnknownName, match="C9999"):
        shop.lists.add("staff", ["C0001", "C9999"])
    assert shop.lists.sizes() == {"friends": 1, "staff": 1}


def test_every_template_of_the_library_can_be_added(shop: Workspace) -> None:
    """Breaks when the library offers what the checker refuses, or a size that the segment doesn't have."""
    fits, rest = shop.segments.library()
    assert len(fits) >= 40
    assert {t.category for t in fits} >= {"RFM", "Lifecycle", "Feedback", "Purchase history", "Geographic"}
    for template in fits[:: len(fits) // 5]:
        assert shop.segments.preview(template.where).size == template.size
    assert all(reason for reason in rest.values())


def test_a_segment_on_scores_isn_t_told_apart_by_what_the_scores_are_made_of(shop: Workspace) -> None:
    """Breaks when "Champions differ by their number of orders" is shown as a finding."""
    shop.segments.add("Champions", "rfm_r >= 4 and rfm_fm >= 4")
    shop.segments.add("Kenya", 'country = "KE"')
    found = shop.segments.quality().differences
    scores = {t.name for t in shop.customers.profile("C0012").traits if t.origin == "computed"}
    assert not scores & {difference.variable for difference in found["champions"]}
    assert {difference.variable for difference in found["kenya"]} == {"town"}


def test_sql_only_reads(shop: Workspace) -> None:
    for query in ("DROP TABLE customers", "SELECT 1; DELETE FROM main.customers", "SELEC 1"):
        with pytest.raises(DefinitionError):
            shop.sql(query)
    assert len(shop.customers) == 180


def test_a_backup_opens_and_equals(root: Path, tmp_path: Path) -> None:
    """Breaks when a restored workspace lacks rows or definitions, or what was there is lost."""
    with open_workspace(root) as shop:
        before = sizes(shop)
        shop.backup(tmp_path / "copy.zip")
        shop.segments.remove("lapsed-vips")
        shop.segments.add("Other", 'did "Order Completed"')
    done = [restore_backup(tmp_path / "copy.zip", root, replace=True) for _ in range(2)]
    with open_workspace(root) as shop:
        assert sizes(shop) == before
    assert [one.store.name for one in done if one.store] == ["store.duckdb.before", "store.duckdb.before.2"]
    assert all(path.exists() for one in done for path in one.kept)
    assert done[0].files is not None
    assert (done[0].files / "segments" / "other.yaml").exists()
    restore_backup(tmp_path / "copy.zip", tmp_path / "new" / "shop")
    with open_workspace(tmp_path / "new" / "shop") as shop:
        assert sizes(shop) == before


def test_what_is_no_whole_backup_is_refused_and_nothing_is_changed(root: Path, tmp_path: Path) -> None:
    """Breaks if a restore ends in a workspace that can't be opened any more, or overwrites something else."""
    from shoal.sql.duck import create_store

    with open_workspace(root) as shop:
        good = shop.backup(tmp_path / "good.zip")
    assert good.stat().st_mode & 0o077 == 0
    data = good.read_bytes()
    create_store(tmp_path / "store.duckdb", zone="UTC", now=0).close()
    bad = {
        "cut": data[: len(data) // 2],
        "flipped": data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
        "other": (tmp_path / "store.duckdb").read_bytes(),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError, match="no backup" if name == "other" else "damaged") as caught:
            restore_backup(tmp_path / name, tmp_path / "new", replace=True)
        assert "nothing was changed" in str(caught.value)
    assert not (tmp_path / "new").exists()
    with pytest.raises(StoreError, match="There is a workspace already"):
        restore_backup(good, root)
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="no workspace"):
        restore_backup(good, full, replace=True)
    assert [p.name for p in full.iterdir()] == ["letter.txt"]
    with open_workspace(root) as shop, pytest.raises(StoreLocked):
        restore_backup(good, root, replace=True, wait=0.1)
    assert not list((root / ".shoal").glob("*.before*"))
    with open_workspace(root) as shop:
        assert list(sizes(shop)) == ["lapsed-vips"]


def test_init_refuses_a_folder_that_has_a_workspace(root: Path) -> None:
    text = (root / "shoal.yaml").read_text()
    with pytest.raises(ConfigError, match="already"):
        propose_workspace(root, root.parent / "exports")
    assert (root / "shoal.yaml").read_text() == text


def test_another_time_zone_is_refused_with_the_way_out(root: Path) -> None:
    settings = root / "shoal.yaml"
    settings.write_text(settings.read_text().replace("timezone: UTC", "timezone: Africa/Nairobi"))
    with pytest.raises(StoreError, match="Put the old zone back"):
        open_workspace(root)


def test_an_instant_is_taken_in_each_form_that_python_has(shop: Workspace) -> None:
    """Breaks when a date or datetime ends in a traceback, or a day begins elsewhere than in the workspace's zone."""
    first = shop.instant("2025-01-01")
    nine = timezone(timedelta(hours=9))
    assert shop.instant(date(2025, 1, 1)) == first == shop.instant(datetime(2025, 1, 1))
    assert shop.instant(datetime(2025, 1, 1, 9, tzinfo=nine)) == first == shop.instant("2025-01-01T00:00:00Z")
    assert shop.instant(first) == first
    for wrong in ("yesterday", "2025-02-30", [1], True):
        with pytest.raises(DefinitionError, match="is not a date or an instant"):
            shop.instant(wrong)  # type: ignore[arg-type]


def test_the_nouns_behave_as_python_s_own(shop: Workspace) -> None:
    """Breaks when ``in`` and ``[]`` disagree, or a notebook shows an address in memory."""
    assert "lapsed-vips" in shop.segments
    assert "Lapsed VIPs" in shop.segments
    assert "lapsed" not in shop.segments
    assert repr(shop.segments) == "Segments(lapsed-vips)"
    for noun in (shop, shop.customers, shop.lists, shop.data, shop.reports):
        assert " at 0x" not in repr(noun)
    with pytest.raises(UnknownName, match="no customer '12'"):
        shop.segments.why(12, "Lapsed VIPs")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="of type NoneType"):
        shop.segments.preview(None)  # type: ignore[arg-type]


def test_a_definition_that_names_a_broken_one_says_so_and_both_can_be_removed(root: Path) -> None:
    """Breaks when the reader is sent after a segment that is there, or a broken file can't be got rid of."""
    (root / "segments" / "broken.yaml").write_text("name: Broken\nwher: orders > 3\n")
    (root / "segments" / "follower.yaml").write_text('name: Follower\nwhere: member of "broken"\n')
    with open_workspace(root) as shop:
        faults = shop.catalogue.faults
        assert 'Did you mean "where"' in str(faults["broken"])
        assert "isn't accepted itself" in str(faults["follower"])
        assert len(shop.data.faults()) == 2
        shop.segments.remove("follower")
        shop.segments.remove("broken")
        assert shop.data.faults() == ()


def test_revenue_of_an_event_that_is_not_there_is_told(root: Path) -> None:
    """Breaks when a typo under revenue: makes every figure zero without a word."""
    settings = root / "shoal.yaml"
    text = settings.read_text()
    line = 1 + text.splitlines().index("  orders: Order Completed")
    settings.write_text(text.replace("  orders: Order Completed", "  orders: Order Complete"))
    with pytest.raises(ConfigError, match='Did you mean "Order Completed"') as caught:
        open_workspace(root)
    assert str(caught.value).startswith(f"{settings}:{line}: revenue.orders: ")
    settings.write_text(text.replace("  orders: Order Completed", "  orders: Order Cancelled"))
    with open_workspace(root) as shop:
        (told,) = [note for note in shop.load().notes if "revenue.orders" in note]
    assert told.startswith(f"{settings}:{line}: ")
    assert 'Did you mean "Order Completed"' in told


def test_a_mapping_that_the_files_do_not_bear_out_is_named_with_its_line(root: Path) -> None:
    settings = root / "shoal.yaml"
    text = settings.read_text().replace("town: town", "town: twon")
    settings.write_text(text)
    line = next(number for number, said in enumerate(text.splitlines(), 1) if "twon" in said)
    with open_workspace(root) as shop, pytest.raises(ConfigError, match=f"shoal.yaml:{line}: .*twon"):
        shop.load()


def test_a_chart_shows_a_segment_that_was_just_added(shop: Workspace) -> None:
    """Breaks when figures that are kept for a notebook outlive a changed definition."""
    before = str(shop.reports.chart("segment-sizes").to_dict())
    assert str(shop.reports.chart("segment-sizes").to_dict()) == before
    shop.segments.add("Everywhere", "country is known")
    assert "Everywhere" in str(shop.reports.chart("segment-sizes").to_dict())


def test_a_source_that_lost_much_is_told(root: Path) -> None:
    """Breaks when a quarter of the rows in quarantine, or an export that came out empty, passes as a good load."""
    file = root.parent / "exports" / "survey.csv"
    head, *rows = file.read_text().splitlines()
    spoilt = [row.replace("-", "x", 1) if number % 4 == 0 else row for number, row in enumerate(rows)]
    file.write_text("\n".join([head, *spoilt]) + "\n")
    with open_workspace(root) as shop:
        done = shop.load()
        assert done.quarantined == len(rows[::4])
        (told,) = [note for note in done.notes if note.startswith("survey: ")]
        assert "of the rows are in quarantine" in told
    file.write_text(head + "\n")
    with open_workspace(root) as shop, pytest.raises(QualityStop, match="as if an export was cut off"):
        shop.load()
    settings = root / "shoal.yaml"
    settings.write_text(settings.read_text() + "\nquality: {stop: {shrinkage: 1}}\n")
    with open_workspace(root) as shop:
        assert any("hold no rows any more" in note for note in shop.load().notes)


def test_a_month_of_which_nothing_was_loaded_is_not_a_bad_month(shop: Workspace) -> None:
    """Breaks when the clock runs on into a new month and every chart of the report falls to zero."""
    before = shop.reports.facts()
    set_meta(shop.store, "clock_offset", str(shop.clock.offset + 3 * DAY))
    after = shop.reports.facts()
    assert after.at > before.at + 2 * DAY
    for table in ("kpis", "months", "cohorts"):
        assert getattr(after, table).equals(getattr(before, table)), table


def test_a_month_in_which_no_time_has_passed_is_not_a_bad_month(shop: Workspace) -> None:
    """Breaks when a report at the first instant of a month draws that month as a fall to zero, or May as running."""
    facts = shop.reports.facts(as_of="2025-06-01")
    months = {
        "kpis": [(row["period"], row["finished"]) for row in facts.kpis.to_pylist()],
        "months": [(row["month"], row["finished"]) for row in facts.months.to_pylist()],
        "cohorts": [(row["month"], row["finished"]) for row in facts.cohorts.to_pylist()],
    }
    for table, drawn in months.items():
        assert max(drawn) == (date(2025, 5, 1), True), table
    later = shop.reports.facts(as_of="2025-06-02")
    assert max(row["month"] for row in later.months.to_pylist() if not row["finished"]) == date(2025, 6, 1)


def test_the_grid_of_rfm_shows_the_groups_that_segments_have(shop: Workspace) -> None:
    """Breaks when days go by after a load, and the report counts other champions in its grid than in its table."""
    shop.segments.add("Champions", shop.segments.template("rfm-champions").where)
    set_meta(shop.store, "clock_offset", str(shop.clock.offset + 3 * DAY))
    facts = shop.reports.facts()
    assert facts.rfm is not None
    in_grid = sum(row["customers"] for row in facts.rfm.to_pylist() if row["name"] == "Champions")
    assert in_grid == sizes(shop)["champions"] > 0
