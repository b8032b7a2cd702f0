"""The laws that every kind of model keeps, derived from the registry: a kind that isn't told here fails, untested or not.

A shop of 250 customers stands on disk three times: as it is, with all that came later loaded behind it, and with other
ids and the rows of its files in another order. Each kind is fitted on all of them as of the same instant.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from shoal.clock import DAY
from shoal.insight.models.asof import AsOf
from shoal.insight.models.kinds import KINDS, kind
from shoal.insight.models.model import FRAMES, Evidence, Judged, Model, Score
from shoal.lang.schema import Kind
from shoal.workspace import Workspace

from .buyers import by_id, keys
from .every_kind import AT, SECRET, SETTINGS, TWINS, Shop, drawn, holds_its_values, later, opened

Values = dict[str, dict[str, Any]]
every_kind = pytest.mark.parametrize("name", list(KINDS))
NO_ORDERS = ("seen", "named")


@dataclass
class Fits:
    """A workspace with the models that were fitted on it, each at its first use.

    Args:
        workspace: open.
        made: by kind, the model with its scores by trait and customer's id.
    """

    workspace: Workspace
    made: dict[str, tuple[Model, tuple[Score, ...], Values]]

    def model(self, name: str) -> Model:
        return self._of(name)[0]

    def columns(self, name: str) -> tuple[Score, ...]:
        return self._of(name)[1]

    def values(self, name: str) -> Values:
        return self._of(name)[2]

    def _of(self, name: str) -> tuple[Model, tuple[Score, ...], Values]:
        if name not in self.made:
            model = fitted(self.workspace, name)
            columns = scored(self.workspace, model)
            self.made[name] = model, columns, told(self.workspace, columns)
        return self.made[name]


def fitted(workspace: Workspace, name: str) -> Model:
    with workspace.models.as_of(AT) as known:
        return kind(name).fitted(known, workspace.models.settings(name))


def scored(workspace: Workspace, model: Model) -> tuple[Score, ...]:
    with workspace.models.as_of(AT) as known:
        return model.scores(known)


def told(workspace: Workspace, columns: tuple[Score, ...]) -> Values:
    return {column.name: by_id(workspace, column) for column in columns}


@pytest.fixture(scope="module")
def drawing() -> Shop:
    return drawn()


@pytest.fixture(scope="module")
def plain(drawing: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fits]:
    """The shop as it is."""
    with opened(tmp_path_factory.mktemp("plain") / "shop", drawing) as workspace:
        yield Fits(workspace, {})


@pytest.fixture(scope="module")
def ahead(drawing: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fits]:
    """The shop with a second file of each source, of what came after."""
    root = tmp_path_factory.mktemp("ahead") / "shop"
    with opened(root, drawing) as workspace:
        later(drawing).write(root, part="-later")
        workspace.load()
        yield Fits(workspace, {})


@pytest.fixture(scope="module")
def other(drawing: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fits]:
    """The shop with other ids, whose order is another one too, and shuffled rows."""
    with opened(tmp_path_factory.mktemp("other") / "shop", drawing.renamed(renamed), seed=7) as workspace:
        yield Fits(workspace, {})


def renamed(who: str) -> str:
    return f"id {who[::-1]}"


def close(a: Any, b: Any) -> bool:
    """Whether two documents are the same, numbers to nine digits."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float | np.floating):
        return bool(np.isclose(float(a), float(b), rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool(a == b)


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same to the last bit; none equals none."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, float) and isinstance(b, float) and np.isnan(a):
        return bool(np.isnan(b))
    return bool(a == b)


def unpacked(state: Any) -> Any:
    """A state with what is packed in it, as base64 and as JSON in a text, as plain values."""
    if isinstance(state, dict):
        return {k: unpacked(v) for k, v in state.items() if k != "check"}
    if isinstance(state, list | tuple):
        return [unpacked(one) for one in state]
    if not isinstance(state, str) or len(state) < 60:
        return state
    try:
        return unpacked(json.loads(state))
    except json.JSONDecodeError:
        pass
    try:
        return unpacked(base64.b64decode(state, validate=True).decode())
    except ValueError:
        return state


# ---------------------------------------------------------------- the registry


def test_every_kind_is_told_what_to_fit() -> None:
    """Breaks if a kind is added to the registry, and no line here lets the laws of all kinds run on it."""
    assert set(SETTINGS) == set(KINDS)


@every_kind
def test_the_shop_bears_a_model_proper(name: str, plain: Fits) -> None:
    """Breaks if the laws below are held against a fallback only, or against columns without a value."""
    model = plain.model(name)
    # All its messages go out by one channel at one hour, so that reach tells what customers do; see test_answers for the rest.
    acts = name == "reach" and model.evidence.fallback.endswith("it is when and where customers act by themselves.")
    assert model.evidence.fallback == "" or name == "category" or acts
    assert model.evidence.customers > 50
    assert all(any(not missing(v) for v in column.values) for column in plain.columns(name))


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


# ---------------------------------------------------------------- the future, twins, order


@every_kind
def test_the_future_changes_nothing(name: str, plain: Fits, ahead: Fits) -> None:
    """Breaks if a fit or a score knows of an event, a trait, a consent or a customer from after its instant."""
    assert len(keys(ahead.workspace)) > len(keys(plain.workspace)) + 200
    mine, then = plain.model(name), ahead.model(name)
    assert then.evidence.document() == mine.evidence.document()
    assert close(unpacked(then.state()), unpacked(mine.state()))
    back = kind(name).restored(mine.settings, mine.evidence, mine.state())
    assert same(told(ahead.workspace, scored(ahead.workspace, back)), plain.values(name))


@every_kind
def test_equal_customers_get_equal_scores(name: str, plain: Fits) -> None:
    """Breaks if a score follows from a key, an id or a place in a table."""
    for trait, values in plain.values(name).items():
        for number in range(TWINS):
            one, two = f"zz-{number:03}", f"twin-{number:03}"
            assert (one in values) == (two in values), trait
            assert same(values.get(one), values.get(two)), (trait, one)


@every_kind
def test_neither_rows_order_nor_ids_matter(name: str, plain: Fits, other: Fits) -> None:
    """Breaks if a fit or a score depends on how files are sorted, or on which id a customer bears."""
    assert close(other.model(name).evidence.document(), plain.model(name).evidence.document())
    assert close(unpacked(other.model(name).state()), unpacked(plain.model(name).state()))
    mine = {
        trait: {renamed(who): value for who, value in values.items()} for trait, values in plain.values(name).items()
    }
    assert close(other.values(name), mine)


# ---------------------------------------------------------------- keeping


@every_kind
def test_a_state_comes_back_to_the_last_bit(name: str, plain: Fits) -> None:
    """Breaks if a version that is kept scores otherwise than the fit did, or is no JSON."""
    model = plain.model(name)
    document = json.loads(json.dumps({"state": model.state(), "evidence": model.evidence.document()}, allow_nan=False))
    evidence = Evidence.from_document(document["evidence"])
    assert evidence == model.evidence
    back = kind(name).restored(model.settings, evidence, document["state"])
    assert same(told(plain.workspace, scored(plain.workspace, back)), plain.values(name))
    assert json.dumps(back.state(), sort_keys=True) == json.dumps(model.state(), sort_keys=True)


@every_kind
def test_the_same_fit_again_is_the_same(name: str, plain: Fits) -> None:
    """Breaks if a draw isn't seeded, or a query's rows come in an order of chance: each run would be a new version."""
    again, first = fitted(plain.workspace, name), plain.model(name)
    assert again.evidence.fingerprint == first.evidence.fingerprint
    assert re.fullmatch("[0-9a-f]{16}", first.evidence.fingerprint)
    assert again.evidence.document() == first.evidence.document()
    assert json.dumps(again.state(), sort_keys=True) == json.dumps(first.state(), sort_keys=True)


@every_kind
def test_no_customer_stands_in_a_state(name: str, plain: Fits) -> None:
    """Breaks if an id, or a word of a customer's own, is kept with a model, where no erasure would find it."""
    model = plain.model(name)
    text = json.dumps([unpacked(model.state()), model.evidence.document()])
    assert SECRET not in text
    assert not [who for who in keys(plain.workspace) if who in text and who not in NO_ORDERS]


# ---------------------------------------------------------------- scores


@every_kind
def test_scores_are_named_and_sound(name: str, plain: Fits) -> None:
    """Breaks if a horizon isn't in a name, a score isn't explained, an owner comes twice, or a value is no number."""
    columns = plain.columns(name)
    assert len({column.name for column in columns}) == len(columns)
    with plain.workspace.models.as_of(AT) as known:
        existing = set(known.customers.tolist())
    for column in columns:
        owners = np.asarray(column.owners).tolist()
        assert len(set(owners)) == len(owners) == len(column.values)
        assert set(owners) <= existing
        holds_its_name(column)
        holds_its_values(column)


def holds_its_name(column: Score) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
    assert column.says.endswith(".")
    ahead = re.search(r"(?:next|within) (\d+) days", column.says)
    # What is said in words or is a date isn't an amount over a time; its sentence says which days were looked at.
    if ahead and column.kind is Kind.NUMBER:
        assert re.search(rf"_{ahead[1]}d(_|$)", column.name), column.says


@every_kind
def test_a_few_customers_are_scored_as_among_all(name: str, plain: Fits) -> None:
    """Breaks if what is worked out anew when a customer buys differs from a run over all: it would flip to and fro."""
    model = plain.model(name)
    driven = [column.name for column in plain.columns(name) if column.event_driven]
    assert bool(driven) == type(model).event_driven
    asked = ["zz-001", "twin-003", "zz-099", *NO_ORDERS]
    with plain.workspace.models.as_of(AT) as known, known.only(asked) as few:
        columns = [column for column in model.scores(few) if column.event_driven] if driven else []
    found = told(plain.workspace, tuple(columns))
    wanted = {trait: {who: v for who, v in plain.values(name)[trait].items() if who in asked} for trait in driven}
    assert close(found, wanted)


@every_kind
def test_reasons_are_sentences_for_anybody(name: str, plain: Fits) -> None:
    """Breaks if a profile can't be shown: of a buyer, of a twin, of who only looked, of who did nothing."""
    model, numbers = plain.model(name), keys(plain.workspace)
    with plain.workspace.models.as_of(AT) as known:
        found = {who: model.reasons(known, numbers[who]) for who in ("zz-001", "twin-001", "zz-100", *NO_ORDERS)}
    assert found["zz-001"] == found["twin-001"]
    for said in found.values():
        assert said
        for sentence in said:
            assert len(sentence.split()) >= 3
            assert not re.search(r"\b(nan|inf|None)\b", sentence)


def test_a_clock_that_ran_on_foretells_nobody(plain: Fits) -> None:
    """Breaks if who has been silent for five years is said to buy soon, at a date that has passed, or by habit."""
    with plain.workspace.models.as_of(AT + 5 * 365 * DAY) as known:
        today = known.today
        columns = [c for name in ("value", "churn", "replenish") for c in plain.model(name).scores(known)]
    found = {c.name: np.asarray(c.values, dtype=np.float64) for c in columns if c.kind is not Kind.TEXT}
    assert found["churn_45d"].min() > 0.95
    assert 0 <= found["orders_expected_60d"].max() < 0.1
    assert np.isnan(found["next_order_on"]).all()
    assert not (found["replenish_on"] < today).any()


# ---------------------------------------------------------------- judging


@pytest.fixture(scope="module")
def judged(plain: Fits) -> dict[str, tuple[Model, Judged]]:
    """Each kind, fitted a horizon before the instant and judged by what came until then."""
    found = {}
    for name in KINDS:
        made, told_ = kind(name), plain.workspace.models.settings(name)
        with plain.workspace.models.as_of(AT) as after, after.before(AT - made.horizon_of(told_) * DAY) as known:
            model = made.fitted(known, told_)
            found[name] = model, model.judged(known, after)
    return found


@every_kind
def test_a_judgement_has_the_model_first_and_a_baseline(name: str, judged: dict[str, tuple[Model, Judged]]) -> None:
    """Breaks if a model is praised alone, or the measure that decides isn't there to decide."""
    model, found = judged[name]
    whos = list(dict.fromkeys(m.who for m in found.measures))
    assert len(whos) > 1
    mine = {m.what for m in found.measures if m.who == whos[0]}
    assert type(model).by in mine
    assert whos[0] in ("model", name)
    assert any(m.what == type(model).by and m.who != whos[0] for m in found.measures)
    for m in found.measures:
        assert m.value is None or np.isfinite(m.value)
        assert m.what[0].islower()
        assert m.low is None or m.high is None or m.low <= m.high
    assert 30 < found.customers <= 254


@every_kind
def test_frames_have_their_columns(name: str, judged: dict[str, tuple[Model, Judged]]) -> None:
    """Breaks if a chart of one kind can't be drawn by what draws it of another."""
    _, found = judged[name]
    for frame, rows in found.frames.items():
        assert rows
        for row in rows:
            assert tuple(row) == FRAMES[frame]
            assert all(value is None or np.isfinite(value) for value in row.values())
    json.dumps(dict(found.frames), allow_nan=False)


def test_a_store_as_of_an_instant_is_the_only_door(plain: Fits) -> None:
    """Breaks if a kind's class takes more than what was known: a fit would find another way to the store."""
    for name in KINDS:
        made = kind(name)
        assert set(made.fitted.__annotations__) == {"known", "settings", "return"}
        assert made.fitted.__annotations__["known"] == AsOf.__name__
