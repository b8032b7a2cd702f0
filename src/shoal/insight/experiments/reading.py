"""Experiment files: ``experiments/SLUG.yaml`` read, each fault at its place in the file, and written.

name: Mail with free delivery
hypothesis: Free delivery brings lapsed customers back.
population: lapsed
arms: {control: 50%, mail: 50%}
primary: repeat-purchase-rate
minimum_effect: 5%
plan: {kind: fixed, days: 28}
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, NoReturn

from shoal.clock import DAY, HOUR, MINUTE, WEEK
from shoal.errors import DefinitionError, Refused, ShoalError, did_you_mean, nearest
from shoal.insight.experiments.assignment import Assignment, Holdout
from shoal.insight.experiments.definition import (
    ARM_PROPERTIES,
    EVENT,
    KINDS,
    LOOKS,
    Amount,
    AtStart,
    Belief,
    Experiment,
    Exposure,
    Guardrail,
    InFile,
    InTrait,
    Plan,
    Viewed,
)
from shoal.lang.check import faults
from shoal.lang.nodes import MemberOf
from shoal.lang.parse import parse
from shoal.lang.show import show
from shoal.lang.slug import hold_slug
from shoal.lang.yaml_tree import Sheet
from shoal.stats.experiments.sequential import MOST_LOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from shoal.insight.metrics.definition import Metric
    from shoal.lang.nodes import Condition
    from shoal.lang.schema import Schema
    from shoal.lang.yaml_tree import Entry

KEYS = (
    "name", "hypothesis", "why", "owner", "population", "unit", "arms", "control", "primary", "secondary", "guardrails",
    "minimum_effect", "plan", "window", "layer", "share", "holdouts", "exposure", "randomised",
)  # fmt: skip
"""The keys of an experiment file, in the order in which they are written."""
_PLAN = ("kind", "looks", "days", "alpha", "power", "prior")
_EXPOSURE = ("event", "arm", "only", "assigned", "arms", "file", "customer", "at", "trait")
_EVERYONE = ("everyone", "everybody", "")
_MOST_ARMS = 50
_NEEDED = {"name": "name: …", "arms": "arms: {control: 50%, mail: 50%}", "primary": "primary: repeat-purchase-rate"}
_TIMES = {"minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK}
_TIME = re.compile(r"(\d{1,6})\s+(minute|hour|day|week)s?")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
AT_START = "at start"


def read_experiment(
    text: str, *, slug: str, place: str, schema: Schema | None = None, root: Path | None = None
) -> Experiment:
    """Read an experiment file.

    Args:
        text: what the file holds.
        slug: the file's name without its ending.
        place: the file's path, for messages.
        schema: what a population may name; without it a population that is one word with hyphens is a segment's slug.
        root: the workspace's folder, for a file of exposures.

    Raises:
        DefinitionError: with the file and the line of the fault.
    """
    hold_slug(slug, place)
    return _Reader(Sheet(text, place), slug, schema, root).experiment()


class _Reader:
    """One file on its way to a definition."""

    def __init__(self, sheet: Sheet, slug: str, schema: Schema | None, root: Path | None) -> None:
        self._sheet, self._slug, self._schema, self._root = sheet, slug, schema, root
        self._entries = sheet.entries(KEYS)

    def experiment(self) -> Experiment:
        for key, example in _NEEDED.items():
            if key not in self._entries:
                raise DefinitionError(f"The experiment has no '{key}'.", place=self._sheet.place, fix=f"Add: {example}")
        name = self._text("name").strip()
        if not name:
            self._fail("name", "The name is empty.", "Write the name that people should see.")
        self._hold_unit()
        arms = self._arms()
        exposure = self._read("exposure", lambda entry: self._exposure(entry, arms)) or Viewed()
        return Experiment(
            slug=self._slug,
            name=name,
            arms=arms,
            primary=self._text("primary"),
            population=self._population(),
            hypothesis=self._text("hypothesis"),
            why=self._text("why"),
            owner=self._text("owner"),
            secondary=self._sheet.texts(self._entries["secondary"]) if "secondary" in self._entries else (),
            guardrails=self._guardrails(),
            effect=self._read("minimum_effect", self._amount),
            plan=self._read("plan", self._plan) or Plan(),
            window=self._read("window", self._time),
            layer=self._text("layer") or None,
            share=self._share(),
            holdouts=self._holdouts(),
            exposure=exposure,
            randomised=self._randomised(exposure),
        )

    def _randomised(self, exposure: Exposure) -> bool:
        """Whether chance drew the arms: only where others drew them may it be otherwise."""
        said = (self._read("randomised", self._written) or "").casefold()
        if said not in ("", "yes", "true", "no", "false"):
            self._fail(
                "randomised", f"{said!r} is neither yes nor no.", "Write no where nobody drew the groups by lot."
            )
        if said in ("no", "false") and not exposure.elsewhere:
            self._fail(
                "randomised",
                "The arms are drawn here, by chance.",
                "Leave it out; or say in exposure: that they were assigned elsewhere.",
            )
        return said not in ("no", "false")

    # ------------------------------------------------------------ plain values

    def _read(self, key: str, read: Callable[[Entry], Any]) -> Any:
        """What a key holds; None where it isn't there or is empty."""
        entry = self._entries.get(key)
        return None if entry is None or self._sheet.is_null(entry) else read(entry)

    def _text(self, key: str) -> str:
        return self._sheet.text(self._entries[key]).strip() if key in self._entries else ""

    def _fail(self, key: str, problem: str, fix: str | None = None) -> NoReturn:
        raise self._sheet.fault(problem, self._entries[key], fix)

    def _written(self, entry: Entry) -> str:
        """A number or text as it stands there."""
        if not isinstance(getattr(entry, "value", None), str):
            raise self._sheet.fault("Expected one value here, not a list or a mapping.", entry)
        return str(entry.value).strip()

    def _number(self, entry: Entry) -> tuple[float, bool]:
        """A number, and whether it is written in percent."""
        text = self._written(entry)
        percent = text.endswith("%")
        try:
            # Decimal, since 14.3 / 100 isn't 0.143 in binary.
            value = float(Decimal(text.removesuffix("%")) / (100 if percent else 1))
        except (InvalidOperation, ValueError):
            value = nan
        if not isfinite(value):
            raise self._sheet.fault(f"{text!r} is no number.", entry, "Write it as 0.05, or as 5%.")
        return value, percent

    def _between(self, entry: Entry, what: str, *, closed: bool = False) -> float:
        """A share above 0 and below 1, or up to it."""
        value, _ = self._number(entry)
        if not (0 < value < 1 or (closed and value == 1)):
            end = "up to 1" if closed else "below 1"
            raise self._sheet.fault(f"{what} lies above 0 and {end}.", entry, "Write it as 0.05, or as 5%.")
        return value

    def _whole(self, entry: Entry, what: str, least: int, most: int) -> int:
        text = self._written(entry)
        if not text.isdecimal() or not least <= int(text) <= most:
            raise self._sheet.fault(f"{what} is a whole number from {least:,} to {most:,}.", entry)
        return int(text)

    def _time(self, entry: Entry) -> int:
        text = self._written(entry)
        found = _TIME.fullmatch(text)
        if found is None or found[1].strip("0") == "":
            raise self._sheet.fault(f"{text!r} is no length of time.", entry, "Write it as 14 days.")
        return int(found[1]) * _TIMES[found[2]]

    def _amount(self, entry: Entry) -> Amount:
        value, percent = self._number(entry)
        if value <= 0:
            raise self._sheet.fault(
                "A size of an effect is above 0.", entry, "Write 5% of the control's figure, or a number in its unit."
            )
        return Amount(value, percent)

    def _choice(self, entry: Entry, words: Sequence[str]) -> str:
        given = self._written(entry)
        if given not in words:
            fix = did_you_mean(nearest(given, words)) or f"Write one of: {', '.join(words)}."
            raise self._sheet.fault(f"{given!r} can't stand here.", entry, fix)
        return given

    # ------------------------------------------------------------ who

    def _hold_unit(self) -> None:
        if "unit" in self._entries and self._text("unit") != "customer":
            self._fail("unit", "Only customers are drawn into arms.", "Write unit: customer, or leave it out.")

    def _population(self) -> Condition | None:
        text = self._text("population")
        if text in _EVERYONE:
            return None
        entry = self._entries["population"]
        segments = self._schema.segments if self._schema is not None else {}
        if text in segments or (self._schema is None and _SLUG.fullmatch(text) and "-" in text):
            return MemberOf(text)
        try:
            condition = parse(text)
        except DefinitionError as error:
            self._hold_segment(text, entry)
            raise self._sheet.moved(error, entry, text) from None
        if self._schema is None:
            return condition
        for fault in faults(condition, self._schema, text=text):
            self._hold_segment(text, entry)
            raise self._sheet.moved(fault, entry, text)
        return condition

    def _hold_segment(self, text: str, entry: Entry) -> None:
        """One word that is no condition was meant as a segment."""
        if self._schema is not None and _SLUG.fullmatch(text):
            near = did_you_mean(nearest(text, self._schema.segments))
            raise self._sheet.fault(
                f"There is no segment {text!r}.", entry, near or "Write a segment's slug, a condition, or everyone."
            )

    def _arms(self) -> dict[str, float]:
        """The share of each arm, the control first."""
        entry = self._entries["arms"]
        given = {name: self._number(one) for name, one in self._sheet.entries(None, entry).items()}
        if len(given) > _MOST_ARMS:
            raise self._sheet.fault(f"An experiment has {_MOST_ARMS} arms at most.", entry)
        percents = {percent for _, percent in given.values()}
        if len(percents) > 1:
            raise self._sheet.fault("Some weights are percents and some aren't.", entry, "Write all in one way.")
        control = self._control(given)
        weights = {name: given[name][0] for name in (control, *(n for n in given if n != control))} if control else {}
        if any(not name.strip() for name in weights):
            raise self._sheet.fault("An arm has no name.", entry)
        try:
            Assignment(self._slug, weights)
        except Refused as refused:
            raise self._sheet.fault(refused.problem, entry, refused.fix) from None
        total = sum(weights.values())
        return {name: round(weight / total, 12) for name, weight in weights.items()}

    def _control(self, arms: Mapping[str, object]) -> str:
        if "control" not in self._entries:
            return next(iter(arms), "")
        name = self._written(self._entries["control"])
        if name not in arms:
            self._fail("control", f"There is no arm {name!r}.", did_you_mean(nearest(name, arms)))
        return name

    def _share(self) -> float:
        return self._read("share", lambda entry: self._between(entry, "The share of a layer", closed=True)) or 1.0

    def _holdouts(self) -> tuple[Holdout, ...]:
        entries = self._read("holdouts", lambda entry: self._sheet.entries(None, entry)) or {}
        return tuple(Holdout(name, self._between(one, "A holdout's share")) for name, one in entries.items())

    # ------------------------------------------------------------ by what

    def _guardrails(self) -> tuple[Guardrail, ...]:
        entry = self._entries.get("guardrails")
        if entry is None or self._sheet.is_null(entry):
            return ()
        if self._sheet.is_mapping(entry):
            return self._with_tolerance(entry)
        if not isinstance(entry.value, list):
            self._fail("guardrails", "Expected a list of metrics.", "Write [bounce-rate, {revenue: 2%}].")
        found: list[Guardrail] = []
        for item in entry.value:
            if self._sheet.is_mapping(item):
                found += self._with_tolerance(item)
            else:
                found.append(Guardrail(self._sheet.text(item)))
        return tuple(found)

    def _with_tolerance(self, entry: Entry) -> tuple[Guardrail, ...]:
        """Metrics with how much worse they may get; nothing is nothing at all."""
        return tuple(
            Guardrail(name, None if self._sheet.is_null(one) else self._amount(one))
            for name, one in self._sheet.entries(None, entry).items()
        )

    def _plan(self, entry: Entry) -> Plan:
        sheet = self._sheet
        if not sheet.is_mapping(entry):
            kind: Any = self._choice(entry, KINDS)
            return Plan(kind, LOOKS if kind == "group sequential" else 1)
        given = sheet.entries(_PLAN, entry)
        kind = self._choice(given["kind"], KINDS) if "kind" in given else "fixed"
        fields: dict[str, Any] = {"kind": kind, "looks": self._looks(given, kind)}
        if "days" in given:
            fields["days"] = self._whole(given["days"], "How long it takes in days", 1, 3660)
        for key, what in (("alpha", "α"), ("power", "The power")):
            if key in given:
                fields[key] = self._between(given[key], what)
        if "prior" in given:
            fields["prior"] = self._prior(given["prior"], kind)
        return Plan(**fields)

    def _looks(self, given: Mapping[str, Entry], kind: str) -> int:
        if "looks" not in given:
            return LOOKS if kind == "group sequential" else 1
        if kind != "group sequential":
            raise self._sheet.fault(
                f"A {kind} plan has no number of looks.",
                given["looks"],
                "Write kind: group sequential, or leave it out.",
            )
        return self._whole(given["looks"], "The number of looks", 2, MOST_LOOKS)

    def _prior(self, entry: Entry, kind: str) -> Belief:
        if kind != "bayesian":
            raise self._sheet.fault(f"A {kind} plan has no prior.", entry, "Write kind: bayesian, or leave it out.")
        given = self._sheet.entries(("mean", "spread"), entry)
        if "spread" not in given:
            raise self._sheet.fault("The prior has no spread.", entry, "Write {mean: 0, spread: 10%}.")
        mean = self._number(given["mean"])[0] if "mean" in given else 0.0
        spread, _ = self._number(given["spread"])
        if spread <= 0:
            raise self._sheet.fault("The spread of a prior is above 0.", given["spread"])
        return Belief(mean, spread)

    # ------------------------------------------------------------ exposures

    def _exposure(self, entry: Entry, arms: Mapping[str, float]) -> Exposure:
        if not self._sheet.is_mapping(entry):
            self._choice(entry, (AT_START,))
            return AtStart()
        given = self._sheet.entries(_EXPOSURE, entry)
        ways = [key for key in ("event", "file", "trait") if key in given]
        if len(ways) > 1:
            raise self._sheet.fault(f"Exposures are said by {' and by '.join(ways)}.", entry, "Keep one of them.")
        way = ways[0] if ways else "event"
        assigned = self._assigned(given, way)
        if assigned == AT_START:
            self._hold_keys(given, ("assigned",), "is assigned at its start")
            return AtStart()
        values = self._values(given["arms"], arms) if "arms" in given else ()
        if way == "file":
            return self._file(given, values)
        if way == "trait":
            self._hold_keys(given, ("trait", "arms", "assigned"), "has its arms in a trait")
            return InTrait(self._sheet.text(given["trait"]), values)
        self._hold_keys(given, ("event", "arm", "only", "arms", "assigned"), "has its exposures in an event")
        return self._viewed(given, values, elsewhere=assigned == "elsewhere")

    def _assigned(self, given: Mapping[str, Entry], way: str) -> str:
        usual = "here" if way == "event" else "elsewhere"
        if "assigned" not in given:
            return usual
        words = ("here", "elsewhere", AT_START) if way == "event" else ("elsewhere",)
        return self._choice(given["assigned"], words)

    def _hold_keys(self, given: Mapping[str, Entry], known: Sequence[str], what: str) -> None:
        for key, entry in given.items():
            if key not in known:
                raise self._sheet.fault(f"An experiment that {what} has no {key!r}.", entry, "Leave it out.")

    def _viewed(self, given: Mapping[str, Entry], values: tuple[tuple[str, str], ...], *, elsewhere: bool) -> Viewed:
        event = self._sheet.text(given["event"]) if "event" in given else EVENT
        arm = self._listed(given["arm"]) if "arm" in given else ARM_PROPERTIES
        only: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if "only" in given:
            only = tuple((name, self._listed(one)) for name, one in self._sheet.entries(None, given["only"]).items())
        if event != EVENT and "arm" not in given:
            raise self._sheet.fault(
                f'Nothing says which property of "{event}" names the arm.', given["event"], "Add: arm: variant"
            )
        return Viewed(event, arm, only, elsewhere, values)

    def _listed(self, entry: Entry) -> tuple[str, ...]:
        """One value or a list of them."""
        if isinstance(entry.value, list) and not self._sheet.is_mapping(entry):
            return tuple(self._written(one) for one in entry.value)
        return (self._written(entry),)

    def _file(self, given: Mapping[str, Entry], values: tuple[tuple[str, str], ...]) -> InFile:
        self._hold_keys(given, ("file", "customer", "arm", "at", "arms", "assigned"), "has its exposures in a file")
        columns: dict[str, Any] = {key: self._written(given[key]) for key in ("customer", "arm", "at") if key in given}
        path = self._sheet.text(given["file"])
        if not path or path.startswith(("/", "~")) or ".." in path.split("/"):
            raise self._sheet.fault(
                "The file isn't within the workspace.", given["file"], "Write it as runs/spring.csv."
            )
        return InFile(path, **columns, values=values, root=self._root)

    def _values(self, entry: Entry, arms: Mapping[str, float]) -> tuple[tuple[str, str], ...]:
        """What stands in the data for an arm."""
        found = []
        for text, one in self._sheet.entries(None, entry).items():
            arm = self._written(one)
            if arm not in arms:
                raise self._sheet.fault(f"There is no arm {arm!r}.", one, did_you_mean(nearest(arm, arms)))
            found.append((text, arm))
        return tuple(found)


# ------------------------------------------------------------ checking


def check_experiment(experiment: Experiment, find: Callable[[str], Metric], text: str, *, place: str) -> None:
    """Refuse a metric that there isn't, at its place in the file, and one that stands there twice.

    Args:
        experiment: what was read.
        find: gives the metric of a slug, or raises.
        text: what the file holds.
        place: the file's path.

    Raises:
        DefinitionError: for the first.
    """
    sheet = Sheet(text, place)
    entries = sheet.entries(KEYS)
    named = {"primary": [experiment.primary], "secondary": list(experiment.secondary)}
    named["guardrails"] = [one.metric for one in experiment.guardrails]
    seen: set[str] = set()
    for key, slugs in named.items():
        for slug in slugs:
            if slug in seen and key != "guardrails":
                raise sheet.fault(f"The metric {slug!r} stands twice.", entries[key], "Keep one of them.")
            seen.add(slug)
            try:
                found = find(slug)
            except ShoalError as error:
                raise sheet.fault(error.problem, entries[key], error.fix) from None
            if found.slug != slug:
                raise sheet.fault(f"{slug!r} is a metric's name.", entries[key], f"Write its slug: {found.slug}.")


# ------------------------------------------------------------ writing


def write_experiment(experiment: Experiment) -> str:
    """An experiment as a file; ``read_experiment`` reads the same from it."""
    import yaml

    held: dict[str, Any] = {
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "why": experiment.why,
        "owner": experiment.owner,
        "population": _population_text(experiment.population),
        "arms": dict(experiment.arms),
        "primary": experiment.primary,
        "secondary": list(experiment.secondary),
        "guardrails": [_guardrail_value(one) for one in experiment.guardrails],
        "minimum_effect": experiment.effect and experiment.effect.text,
        "plan": _plan_value(experiment.plan),
        "window": None if experiment.window is None else _time_text(experiment.window),
        "layer": experiment.layer,
        "share": None if experiment.share == 1 else experiment.share,
        "holdouts": {one.name: one.share for one in experiment.holdouts},
        "exposure": _exposure_value(experiment.exposure),
        "randomised": None if experiment.randomised else False,
    }
    kept = {key: value for key, value in held.items() if value not in (None, "", [], {})}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=100)


def _population_text(population: Condition | None) -> str:
    if isinstance(population, MemberOf) and not population.note:
        return population.segment
    return "" if population is None else show(population, width=100)


def _guardrail_value(one: Guardrail) -> object:
    return one.metric if one.tolerated is None else {one.metric: one.tolerated.text}


def _plan_value(plan: Plan) -> dict[str, Any]:
    usual = Plan()
    found: dict[str, Any] = {"kind": plan.kind}
    if plan.kind == "group sequential":
        found["looks"] = plan.looks
    found |= {
        key: getattr(plan, key) for key in ("days", "alpha", "power") if getattr(plan, key) != getattr(usual, key)
    }
    if plan.prior is not None:
        found["prior"] = {"mean": plan.prior.mean, "spread": plan.prior.spread}
    return found


def _time_text(micros: int) -> str:
    for name in ("week", "day", "hour", "minute"):
        if micros % _TIMES[name] == 0:
            return f"{micros // _TIMES[name]} {name}s"
    raise AssertionError("a window is whole minutes")


def _exposure_value(exposure: Exposure) -> object:
    if isinstance(exposure, AtStart):
        return AT_START
    arms = {"arms": dict(exposure.values)} if exposure.values else {}
    if isinstance(exposure, InTrait):
        return {"trait": exposure.trait, **arms}
    if isinstance(exposure, InFile):
        columns = {"customer": exposure.customer, "arm": exposure.arm, "at": exposure.at}
        return {"file": exposure.path, **columns, **arms}
    if exposure == Viewed():
        return None
    only = {"only": {name: list(values) for name, values in exposure.only}} if exposure.only else {}
    drawn = {"assigned": "elsewhere"} if exposure.elsewhere else {}
    return {"event": exposure.event, "arm": list(exposure.arm), **only, **drawn, **arms}
