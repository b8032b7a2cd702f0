"""``models:`` in shoal.yaml: what may stand there, and faults that name their place."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from shoal.config import parse_config
from shoal.config.models import OPTIONS
from shoal.errors import ConfigError
from shoal.insight.models.kinds import KINDS, kind
from shoal.insight.models.model import Model, Settings

HEAD = "shoal: 1\nname: shop\n"


def read(text: str, tmp_path: Path) -> dict[str, Settings]:
    return dict(parse_config(HEAD + text, root=tmp_path).models)


def test_the_usual_models_are_there_without_asking(tmp_path: Path) -> None:
    """Breaks if a new workspace foretells nothing, or a model that was switched off stays."""
    assert list(read("", tmp_path)) == [name for name, known in KINDS.items() if known.usual]
    found = read("models:\n  value: {horizon: 180 days, of: margin}\n  needs: {skip: true}\n", tmp_path)
    assert found["value"] == Settings("value", "value", 180, {"of": "margin"})
    assert "needs" not in found
    assert "churn" in found


def test_a_model_of_ones_own_names_its_outcome(tmp_path: Path) -> None:
    """Breaks if two models of one kind can't stand beside each other."""
    text = """\
models:
  likes_wine: {kind: outcome, predict: 'did "Order Completed"', horizon: 30 days}
  churn_long: {kind: churn, horizon: 365 days}
"""
    found = read(text, tmp_path)
    assert found["likes_wine"].options == {"predict": 'did "Order Completed"'}
    assert (found["churn"].horizon, found["churn_long"].horizon) == (90, 365)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("models: [value]", "models", "Expected models"),
        ("models: {value: {horizon: 3 months}}", "models.value.horizon", "not a number of days"),
        ("models: {value: {horizon: 99999 days}}", "models.value.horizon", "not a number of days"),
        ("models: {value: {discount: 1.5}}", "models.value.discount", "not a share"),
        ("models: {value: {half_life: 3 days}}", "models.value.half_life", "has no setting 'half_life'"),
        ("models: {wine: {horizon: 30 days}}", "models.wine", "`kind` is missing"),
        ("models: {wine: {kind: outcome}}", "models.wine", "`predict` is missing"),
        ("models: {wine: {kind: outcom}}", "models.wine.kind", 'Did you mean "outcome"'),
        ("models: {Likes Wine: {kind: churn}}", "models.Likes Wine", "can't be the name of a model"),
        ("models: {value: {horison: 30 days}}", "models.value.horison", 'Did you mean "horizon"'),
    ],
)
def test_a_fault_names_its_place_and_the_fix(text: str, place: str, says: str, tmp_path: Path) -> None:
    """Breaks if somebody who mistyped a setting has to guess where."""
    with pytest.raises(ConfigError) as caught:
        read(text + "\n", tmp_path)
    assert place in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_a_whole_model(name: str) -> None:
    """Breaks if a kind is listed and nobody wrote it, or it leaves out what every model says of itself."""
    made = kind(name)
    assert issubclass(made, Model)
    assert not getattr(made, "__abstractmethods__", None)
    assert made.title
    assert made.by
    assert isinstance(made.higher, bool)
    assert name in OPTIONS
    assert importlib.util.find_spec(made.__module__) is not None
