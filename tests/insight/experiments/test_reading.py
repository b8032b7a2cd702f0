"""Experiment files: what they say, what is refused in which line, and that they are written as they are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.clock import DAY, HOUR
from shoal.errors import DefinitionError, UnknownName
from shoal.insight.experiments.assignment import Holdout
from shoal.insight.experiments.catalogue import read_experiments
from shoal.insight.experiments.definition import (
    Amount,
    AtStart,
    Belief,
    Experiment,
    Exposure,
    Guardrail,
    InFile,
    InTrait,
    Kind,
    Plan,
    Viewed,
)
from shoal.insight.experiments.reading import read_experiment, write_experiment
from shoal.insight.metrics.definition import Metric
from shoal.insight.metrics.reading import read_metric
from shoal.lang.nodes import Definition, MemberOf
from shoal.lang.parse import parse
from shoal.lang.schema import Kind as Type
from shoal.lang.schema import Schema

WHOLE = """\
name: Mail with free delivery
hypothesis: Free delivery brings them back.
why: Margin of the spring.
owner: crm@example.com
population: lapsed
unit: customer
arms: {mail: 30%, letter: 20%, nothing: 50%}
control: nothing
primary: repeat-purchase-rate
secondary: [revenue]
guardrails: [refund-rate, {unsubscribes: 2%}]
minimum_effect: 5%
plan: {kind: group sequential, looks: 4, days: 28, alpha: 0.1, power: 90%}
window: 14 days
layer: messages
share: 50%
holdouts: {spring: 5%}
exposure:
  event: Campaign Sent
  arm: kind
  only: {campaign: [spring, 2024]}
  assigned: elsewhere
  arms: {M: mail, L: letter, 0: nothing}
"""
SMALL = "name: Mail\narms: {control: 50%, mail: 50%}\nprimary: revenue\n"
LAPSED = Definition("lapsed", "Lapsed", parse('not did "Order Completed" in last 60 days'))
SCHEMA = Schema(traits={"age": Type.NUMBER}, events={"Order Completed": {}}, segments={"lapsed": LAPSED})


def read(text: str, schema: Schema | None = SCHEMA) -> Experiment:
    return read_experiment(text, slug="mail", place="experiments/mail.yaml", schema=schema)


def test_a_file_says_all_of_an_experiment() -> None:
    """Breaks when a key is passed over or misread."""
    told = read(WHOLE)
    assert told == Experiment(
        slug="mail",
        name="Mail with free delivery",
        hypothesis="Free delivery brings them back.",
        why="Margin of the spring.",
        owner="crm@example.com",
        population=MemberOf("lapsed"),
        arms={"nothing": 0.5, "mail": 0.3, "letter": 0.2},
        primary="repeat-purchase-rate",
        secondary=("revenue",),
        guardrails=(Guardrail("refund-rate"), Guardrail("unsubscribes", Amount(0.02, True))),
        effect=Amount(0.05, True),
        plan=Plan("group sequential", 4, 28, 0.1, 0.9),
        window=14 * DAY,
        layer="messages",
        share=0.5,
        holdouts=(Holdout("spring", 0.05),),
        exposure=Viewed(
            "Campaign Sent", ("kind",), (("campaign", ("spring", "2024")),), True,
            (("M", "mail"), ("L", "letter"), ("0", "nothing")),
        ),
    )  # fmt: skip
    assert (told.control, told.elsewhere) == ("nothing", True)
    assert told.metrics == ("repeat-purchase-rate", "revenue", "refund-rate", "unsubscribes")


def test_what_is_left_out_has_its_usual_value() -> None:
    told = read(SMALL)
    assert told == Experiment("mail", "Mail", {"control": 0.5, "mail": 0.5}, "revenue")
    assert told.exposure == Viewed("Experiment Viewed", ("variation_id", "variation_name"))
    assert told.plan == Plan("fixed", 1, None, 0.05, 0.8)


@pytest.mark.parametrize(
    ("weights", "arms"),
    [
        ("{a: 0.5, b: 0.5}", {"a": 0.5, "b": 0.5}),
        ("{a: 25, b: 75}", {"a": 0.25, "b": 0.75}),
        ("{no: 10%, yes: 90%}", {"no": 0.1, "yes": 0.9}),
        ("{1: 0.25, 2: 0.25, 3: 0.5}", {"1": 0.25, "2": 0.25, "3": 0.5}),
    ],
)
def test_weights_are_shares_or_percents(weights: str, arms: dict[str, float]) -> None:
    """Breaks when YAML makes an arm called no a false, or percents aren't scaled."""
    assert read(SMALL.replace("{control: 50%, mail: 50%}", weights)).arms == arms


@pytest.mark.parametrize(
    ("exposure", "told"),
    [
        ("at start", AtStart()),
        ("{assigned: at start}", AtStart()),
        ("{file: runs/spring.csv}", InFile("runs/spring.csv")),
        (
            "{file: s.parquet, customer: id, arm: group, at: sent, arms: {M: mail}}",
            InFile("s.parquet", "id", "group", "sent", (("M", "mail"),)),
        ),
        ("{trait: segment, arms: {Mens E-Mail: mail}}", InTrait("segment", (("Mens E-Mail", "mail"),))),
        ("{assigned: elsewhere}", Viewed(elsewhere=True)),
        ("{event: Sent, arm: [a, b]}", Viewed("Sent", ("a", "b"))),
    ],
)
def test_exposures_are_said_in_several_ways(exposure: str, told: Exposure) -> None:
    assert read(f"{SMALL}exposure: {exposure}\n").exposure == told


@pytest.mark.parametrize(
    ("line", "given", "at", "problem", "fix"),
    [
        ("arms: {control: 50%, mail: 50%}", "arms: {control: 50%, mail: 60%}", 2, "add up to 1.1", "percents up to 100"),
        ("arms: {control: 50%, mail: 50%}", "arms: {control: 50%, control: 50%}", 2, "stands twice", "Keep one"),
        ("arms: {control: 50%, mail: 50%}", "arms: {control: 100%}", 2, "fewer than two arms", "Name a control"),
        ("arms: {control: 50%, mail: 50%}", "arms: {control: 0, mail: 1}", 2, "has the weight 0", "above 0"),
        ("arms: {control: 50%, mail: 50%}", "arms: {control: 0.5, mail: 50%}", 2, "Some weights are percents", "one way"),
        ("arms: {control: 50%, mail: 50%}", "arms: [control, mail]", 2, "Expected 'key: value'", "{key: value}"),
        ("arms: {control: 50%, mail: 50%}", "arms: {control: half, mail: half}", 2, "'half' is no number", "5%"),
        ("name: Mail", "name: ' '", 1, "The name is empty", "people should see"),
        ("name: Mail", "name: Mail\nunit: session", 2, "Only customers", "unit: customer"),
        ("name: Mail", "name: Mail\ncontrol: contrl", 2, "no arm 'contrl'", 'Did you mean "control"?'),
        ("name: Mail", "name: Mail\nhypotesis: x", 2, "no key 'hypotesis'", 'Did you mean "hypothesis"?'),
        ("name: Mail", "name: Mail\npopulation: lapsd", 2, "no segment 'lapsd'", 'Did you mean "lapsed"?'),
        ("name: Mail", "name: Mail\npopulation: agee > 3", 2, "agee", 'Did you mean "age"?'),
        ("name: Mail", "name: Mail\npopulation: age >", 2, "", ""),
        ("name: Mail", "name: Mail\nminimum_effect: -5%", 2, "above 0", "5%"),
        ("name: Mail", "name: Mail\nwindow: 2 fortnights", 2, "no length of time", "14 days"),
        ("name: Mail", "name: Mail\nwindow: 0 days", 2, "no length of time", "14 days"),
        ("name: Mail", "name: Mail\nshare: 120%", 2, "up to 1", "5%"),
        ("name: Mail", "name: Mail\nholdouts: {all: 100%}", 2, "below 1", "5%"),
        ("name: Mail", "name: Mail\nplan: fixd", 2, "'fixd' can't stand here", 'Did you mean "fixed"?'),
        ("name: Mail", "name: Mail\nplan: {looks: 3}", 2, "no number of looks", "group sequential"),
        ("name: Mail", "name: Mail\nplan: {kind: group sequential, looks: 1}", 2, "from 2 to 100", ""),
        ("name: Mail", "name: Mail\nplan: {prior: {spread: 1}}", 2, "no prior", "bayesian"),
        ("name: Mail", "name: Mail\nplan: {kind: bayesian, prior: {mean: 1}}", 2, "no spread", "10%"),
        ("name: Mail", "name: Mail\nplan: {alpha: 2}", 2, "α lies above 0 and below 1", "5%"),
        ("name: Mail", "name: Mail\nplan: {days: 1.5}", 2, "whole number", ""),
        ("name: Mail", "name: Mail\nguardrails: bounce", 2, "Expected a list of metrics", "bounce-rate"),
        ("name: Mail", "name: Mail\nexposure: {file: a.csv, trait: b}", 2, "said by file and by trait", "Keep one"),
        ("name: Mail", "name: Mail\nexposure: {file: ../a.csv}", 2, "isn't within the workspace", "runs/"),
        ("name: Mail", "name: Mail\nexposure: {file: a.csv, only: {a: b}}", 2, "has no 'only'", "Leave it out"),
        ("name: Mail", "name: Mail\nexposure: {event: Sent}", 2, "which property", "arm: variant"),
        ("name: Mail", "name: Mail\nexposure: {trait: t, assigned: here}", 2, "'here' can't stand here", "elsewhere"),
        ("name: Mail", "name: Mail\nexposure: {trait: t, arms: {M: mal}}", 2, "no arm 'mal'", 'Did you mean "mail"?'),
    ],
)  # fmt: skip
def test_a_fault_is_shown_in_its_line_with_what_to_write(
    line: str, given: str, at: int, problem: str, fix: str
) -> None:
    """Breaks when a wrong file is taken, or its reader has to look for the fault."""
    with pytest.raises(DefinitionError) as caught:
        read(SMALL.replace(line, given))
    assert (caught.value.place or "").startswith(f"experiments/mail.yaml:{at}")
    assert problem in caught.value.problem
    assert fix in (caught.value.fix or "")


def test_whether_chance_drew_the_arms_may_be_denied_where_others_drew_them() -> None:
    """Breaks when YAML's own no isn't understood, or arms that are drawn here are called undrawn."""
    elsewhere = f"{SMALL}exposure: {{trait: segment}}\nrandomised: "
    assert [read(elsewhere + said).randomised for said in ("no", "'no'", "false", "yes", "")] == [False] * 3 + [
        True
    ] * 2
    again = read(elsewhere + "no")
    assert read(write_experiment(again)) == again
    for text, problem in (
        (f"{SMALL}randomised: no\n", "drawn here, by chance"),
        (elsewhere + "perhaps", "neither yes nor no"),
    ):
        with pytest.raises(DefinitionError, match=problem):
            read(text)


@pytest.mark.parametrize("key", ["name", "arms", "primary"])
def test_what_must_be_there_is_named(key: str) -> None:
    text = "\n".join(line for line in SMALL.splitlines() if not line.startswith(key)) + "\n"
    with pytest.raises(DefinitionError, match=f"The experiment has no '{key}'. Add: {key}: "):
        read(text)


def test_a_metric_that_there_is_not_is_shown_where_it_is_named(tmp_path: Path) -> None:
    """Breaks when an experiment can start that nothing could ever judge."""

    revenue = read_metric("name: Takings\nunit: count\nas: mean\nof: age\n", slug="revenue", place="m")

    def find(slug: str) -> Metric:
        if slug not in ("revenue", "Takings"):
            raise UnknownName("metric", slug, ["revenue"])
        return revenue

    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "good.yaml").write_text(SMALL, encoding="utf-8")
    (folder / "bad.yaml").write_text(SMALL + "guardrails: [revenu]\n", encoding="utf-8")
    (folder / "twice.yaml").write_text(SMALL + "secondary: [revenue]\n", encoding="utf-8")
    (folder / "named.yaml").write_text(SMALL.replace("revenue", "Takings"), encoding="utf-8")
    (folder / "latin.yaml").write_bytes(b"name: M\xe4il\n")
    found = read_experiments(tmp_path, SCHEMA, find)
    assert found.definitions.keys() == {"good"}
    said = {slug: str(fault) for slug, fault in found.faults.items()}
    assert said["bad"].startswith("experiments/bad.yaml:4: There is no metric 'revenu'. Did you mean \"revenue\"?")
    assert said["twice"].startswith("experiments/twice.yaml:4: The metric 'revenue' stands twice.")
    assert said["named"].startswith("experiments/named.yaml:3: 'Takings' is a metric's name. Write its slug: revenue.")
    assert "UTF-8" in said["latin"]
    assert found.find("good") is found.find("mail") is found.definitions["good"]
    with pytest.raises(DefinitionError):
        found.find("bad")
    with pytest.raises(UnknownName, match='Did you mean "good"'):
        found.find("god")


def test_names_and_owners_are_no_part_of_what_is_asked() -> None:
    """Breaks when a corrected owner stops an experiment, or a moved weight doesn't."""
    told = read(WHOLE)
    for change in ({"name": "N"}, {"why": "w"}, {"owner": "o"}):
        assert replace(told, **change).version == told.version  # type: ignore[arg-type]
    for other in (
        replace(told, arms={"nothing": 0.5, "mail": 0.2, "letter": 0.3}),
        replace(told, arms={"mail": 0.3, "nothing": 0.5, "letter": 0.2}),
        replace(told, hypothesis="Something else."),
        replace(told, window=HOUR),
        replace(told, population=None),
        replace(told, exposure=AtStart()),
        replace(told, guardrails=told.guardrails[:1]),
    ):
        assert other.version != told.version


names = st.text("abcdefgh -09_ä:{}#'\"", min_size=1, max_size=12).map(str.strip).filter(bool)
amounts = st.builds(Amount, st.integers(1, 900).map(lambda n: n / 1000), st.booleans())
kinds: st.SearchStrategy[Kind] = st.sampled_from(["fixed", "always valid", "bayesian", "group sequential"])
exposed: st.SearchStrategy[Exposure] = st.one_of(
    st.just(AtStart()),
    st.builds(InTrait, names, st.just((("M", "mail"),))),
    st.builds(InFile, st.just("runs/a.csv"), names, names, names),
    st.builds(
        Viewed,
        names,
        st.tuples(names),
        st.just(
            (("campaign", ("a", "b"))),
        ).map(lambda p: (p,)),
        st.booleans(),
    ),
    st.just(Viewed()),
)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    kind = draw(kinds)
    shares = draw(st.sampled_from([(0.5, 0.5), (0.9, 0.1), (0.25, 0.75)]))
    return Experiment(
        slug="mail",
        name=draw(names),
        hypothesis=draw(st.one_of(st.just(""), names)),
        owner=draw(st.one_of(st.just(""), names)),
        arms={"control": shares[0], "mail": shares[1]},
        primary="revenue",
        population=draw(st.sampled_from([None, MemberOf("lapsed"), parse("age > 3 and age < 9")])),
        secondary=draw(st.sampled_from([(), ("orders",)])),
        guardrails=tuple(draw(st.lists(st.builds(Guardrail, st.just("refunds"), st.one_of(st.none(), amounts)), max_size=1))),
        effect=draw(st.one_of(st.none(), amounts)),
        plan=Plan(
            kind, draw(st.integers(2, 9)) if kind == "group sequential" else 1, draw(st.one_of(st.none(), st.integers(1, 99))),
            draw(st.sampled_from([0.05, 0.01])), draw(st.sampled_from([0.8, 0.9])),
            Belief(0.0, 0.1) if kind == "bayesian" and draw(st.booleans()) else None,
        ),
        window=draw(st.one_of(st.none(), st.integers(1, 90).map(lambda n: n * HOUR))),
        layer=draw(st.one_of(st.none(), st.just("messages"))),
        share=draw(st.sampled_from([1.0, 0.25])),
        holdouts=draw(st.sampled_from([(), (Holdout("spring", 0.05),)])),
        exposure=draw(exposed),
    )  # fmt: skip


@given(experiments())
def test_what_is_written_reads_back_as_the_same(told: Experiment) -> None:
    """Breaks when the writer leaves a key out, or writes what the reader takes for something else."""
    again = read(write_experiment(told))
    assert again == told
    assert again.version == told.version
