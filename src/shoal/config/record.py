"""The whole of ``shoal.yaml`` as one typed record."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from shoal.config.contracts import contracts_from
from shoal.config.costs import attribution_from, costs_from
from shoal.config.discovery import DiscoverySettings, discovery_from
from shoal.config.experiments import holdouts_from
from shoal.config.feedback import feedback_from, trials_from
from shoal.config.funnels import funnels_from
from shoal.config.jobs import jobs_from
from shoal.config.models import models_from, usual_models
from shoal.config.server import ServerSettings, server_from
from shoal.config.sessions import sessions_from
from shoal.customers.identity.rules import IdentityRules, rules_from
from shoal.customers.privacy.retention import Retention, retention_from
from shoal.errors import ConfigError, did_you_mean, nearest
from shoal.lang.calendar import zone
from shoal.lang.schema import Basis, Kind
from shoal.shapes import (
    AttributionRule,
    ContractRule,
    CostRule,
    FeedbackRule,
    FunnelRule,
    PurchaseRule,
    RevenueRule,
    SessionRule,
    Trial,
)
from shoal.sources.mapping import EventMap, SourceSpec, parse_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shoal.config.jobs import Job
    from shoal.destinations.mail import MailSettings
    from shoal.insight.experiments.assignment import Holdout
    from shoal.insight.models.model import Settings

FILE_NAME = "shoal.yaml"
FORMAT = 1
DEFAULT_MEMORY = "4GB"

_KEYS = {
    "shoal", "name", "timezone", "currency", "clock", "rates", "purposes", "purchases", "revenue", "quality", "traits", "sources",
    "store", "report", "default_purpose", "identity", "jobs", "models", "discovery", "mail", "server", "retention",
    "feedback", "trials", "contracts", "holdouts", "attribution", "costs", "sessions", "funnels",
}  # fmt: skip
_FLAT = ("csv", "tsv", "excel", "sqlite")
"""The types of files whose cells hold no objects."""
_MEMORY = re.compile(r"^\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)$")


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How much of the machine the store may take. ``memory`` as ``4GB``; ``threads`` None means all cores."""

    memory: str = DEFAULT_MEMORY
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What ``shoal.yaml`` says.

    Args:
        root: the workspace's folder; paths in the file are relative to it.
        name: the workspace's display name.
        zone: IANA name of the time zone in which days begin.
        currency: the currency that all money is reported in.
        clock: ``now``, or ``data-end``: the newest event's time was "now" when the workspace was made.
        purposes: the purposes that segments may serve, each with its basis.
        revenue: what counts as revenue, and what says what was bought.
        sources: where data comes from and what its rows mean.
        quality: thresholds that warn or stop, as written.
        traits: declared types of traits, over what is learned.
        rates: the dated rate file, if money comes in several currencies.
        store: limits of the store.
        report: settings of the report, as written.
        default_purpose: the purpose that a new segment gets where none is named.
        identity: the rules of who is one customer.
        retention: how long events are kept.
        jobs: what is done by itself, by name, in the order of the file.
        models: what is foretold, by name.
        discovery: how many micro-segments are looked for, of whom, from what.
        feedback: where scores and words of customers stand.
        trials: the campaigns whose receivers were drawn by lot.
        contracts: what says who is under contract, and who left; None where nothing does.
        holdouts: who is kept out of every experiment.
        attribution: which touches are credited with conversions; None where nothing names them.
        costs: what spend is held against.
        sessions: what makes a session, and an engaged one.
        funnels: those that have a name, in the order of the file.
        mail: the mail server that takes what is sent, if there is one.
        server: where and how the workspace is served.
    """

    root: Path
    name: str
    zone: str = "UTC"
    currency: str = "USD"
    clock: str = "now"
    purposes: Mapping[str, Basis] = field(default_factory=dict)
    revenue: RevenueRule = field(default_factory=RevenueRule)
    sources: Mapping[str, SourceSpec] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Kind] = field(default_factory=dict)
    rates: Path | None = None
    store: StoreSettings = field(default_factory=StoreSettings)
    report: Mapping[str, Any] = field(default_factory=dict)
    default_purpose: str | None = None
    identity: IdentityRules = field(default_factory=IdentityRules)
    retention: Retention = field(default_factory=Retention)
    jobs: Mapping[str, Job] = field(default_factory=dict)
    models: Mapping[str, Settings] = field(default_factory=usual_models)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    feedback: FeedbackRule = field(default_factory=FeedbackRule)
    trials: tuple[Trial, ...] = ()
    contracts: ContractRule | None = None
    holdouts: tuple[Holdout, ...] = ()
    attribution: AttributionRule | None = None
    costs: CostRule = field(default_factory=CostRule)
    sessions: SessionRule = field(default_factory=SessionRule)
    funnels: Mapping[str, FunnelRule] = field(default_factory=dict)
    mail: MailSettings | None = None
    server: ServerSettings = field(default_factory=ServerSettings)


def read_config(root: Path) -> Config:
    """Read ``shoal.yaml`` of a workspace.

    Raises:
        ConfigError: with file, line and fix.
    """
    path = root / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no {FILE_NAME} in {root}.", fix="Make a workspace with: shoal init my-shop --from FOLDER"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError("The file is not UTF-8.", place=str(path), fix=f"Byte {error.start} can't be read.") from None
    return parse_config(text, root=root, place=str(path))


def parse_config(text: str, *, root: Path, place: str = FILE_NAME) -> Config:
    """Read the text of a ``shoal.yaml``.

    Raises:
        ConfigError: with file, line and fix.
    """
    document, lines = read_yaml(text, place)
    try:
        return _config(document, root)
    except ConfigError as error:
        raise at_line(error, lines, place) from None


def located(error: ConfigError, root: Path) -> ConfigError:
    """The same error with file and line, where its place is the path of a key such as ``sources.orders.events[0]``."""
    path = root / FILE_NAME
    try:
        document, lines = read_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ConfigError):
        return error
    first = (error.place or "").split(".")[0]
    return at_line(error, lines, str(path)) if isinstance(document, dict) and first in document else error


def at_line(error: ConfigError, lines: Mapping[str, int], place: str) -> ConfigError:
    """The same error with the path of its key turned into file and line."""
    path = error.place or ""
    known = path
    while known and known not in lines:
        known = re.sub(r"(\.[^.\[]+|\[\d+\]|^[^.\[]+)$", "", known)
    line = lines.get(known)
    where = f"{place}:{line}" if line else place
    return ConfigError(f"{path}: {error.problem}" if path else error.problem, place=where, fix=error.fix)


def _config(document: object, root: Path) -> Config:
    if not isinstance(document, dict):
        raise ConfigError("The file holds no settings.", fix="Begin with: shoal: 1")
    _known(document, _KEYS, "")
    if document.get("shoal") != FORMAT:
        raise ConfigError(
            f"This file is of format {document.get('shoal')!r}.", place="shoal", fix=f"Write shoal: {FORMAT}"
        )
    config = Config(root=root, name=str(document.get("name") or root.resolve().name))
    for key, reader in _READERS.items():
        if document.get(key) is not None:
            config = replace(config, **reader(document[key], config))
    _purchases_are_there(document.get("purchases") or {}, config)
    _revenue_is_there(config)
    _revenue_currency = replace(config.revenue, currency=config.currency)
    return replace(config, revenue=_revenue_currency)


def _known(given: Mapping[str, Any], known: set[str], path: str) -> None:
    for key in given:
        if key not in known:
            spot = f"{path}.{key}" if path else str(key)
            raise ConfigError(
                f"{key!r} is not a setting.",
                place=spot,
                fix=did_you_mean(nearest(str(key), known)) or f"Known here: {', '.join(sorted(known))}.",
            )


def _mapping(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError("Expected settings, one a line as `key: value`.", place=path)
    return value


def _zone(value: object, _: Config) -> dict[str, Any]:
    try:
        zone(str(value))
    except ConfigError as error:
        raise ConfigError(error.problem, place="timezone", fix=error.fix) from None
    return {"zone": str(value)}


def _currency(value: object, _: Config) -> dict[str, Any]:
    if not (isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value)):
        raise ConfigError(f"{value!r} is not a currency.", place="currency", fix="Use three letters, as EUR.")
    return {"currency": value}


def _clock(value: object, _: Config) -> dict[str, Any]:
    if value not in ("now", "data-end"):
        raise ConfigError(f"{value!r} is not a clock.", place="clock", fix="Write now or data-end.")
    return {"clock": value}


def _purposes(value: object, _: Config) -> dict[str, Any]:
    found: dict[str, Basis] = {}
    for name, basis in _mapping(value, "purposes").items():
        words = [b.value for b in Basis]
        if basis not in words:
            raise ConfigError(
                f"{basis!r} is not a basis.", place=f"purposes.{name}", fix=f"Use one of: {', '.join(words)}."
            )
        found[str(name)] = Basis(basis)
    return {"purposes": found}


def _default_purpose(value: object, config: Config) -> dict[str, Any]:
    if value not in config.purposes:
        raise ConfigError(
            f"{value!r} is not one of the purposes.",
            place="default_purpose",
            fix=did_you_mean(nearest(str(value), config.purposes)) or "Name it under purposes: first.",
        )
    return {"default_purpose": value}


def _revenue(value: object, config: Config) -> dict[str, Any]:
    given = _mapping(value, "revenue")
    _known(given, {"events", "orders", "cost", "includes"}, "revenue")
    changed: dict[str, Any] = {
        key: {str(k): str(v) for k, v in _mapping(given[key], f"revenue.{key}").items()}
        for key in ("events", "cost", "includes")
        if given.get(key)
    }
    if given.get("orders"):
        changed["orders"] = str(given["orders"])
    return {"revenue": replace(config.revenue, **changed)}


def _purchases(value: object, config: Config) -> dict[str, Any]:
    given = _mapping(value, "purchases")
    _known(given, {spec.name for spec in fields(PurchaseRule)}, "purchases")
    rule = replace(config.revenue.purchases, **{key: _names(given[key], f"purchases.{key}") for key in given})
    return {"revenue": replace(config.revenue, purchases=rule)}


def _names(value: object, path: str) -> tuple[str, ...]:
    """A name, a list of names, or ``none``: nothing says it."""
    if value == "none":
        return ()
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"{value!r} is no name of a property.", place=path, fix="Write one name, a list of names, or none."
        )
    return tuple(names)


_SLIP = 0.85
"""Names as alike as this are one name with a slip of the pen; ``Order Cancelled`` is less like ``Order Completed``."""


def _revenue_is_there(config: Config) -> None:
    """Refuse the name of an event that is nearly one which the sources bring; others may come live, and aren't."""
    from difflib import SequenceMatcher

    known = sorted({event.event for source in config.sources.values() for event in source.events})
    for place, name in named_events(config.revenue):
        for near in [] if name in known else known:
            if SequenceMatcher(None, name.casefold(), near.casefold()).ratio() >= _SLIP:
                raise ConfigError(f'No source brings an event "{name}".', place=place, fix=did_you_mean([near]))


def named_events(rule: RevenueRule) -> list[tuple[str, str]]:
    """The events that ``revenue:`` names beside the usual ones, each with the path of its key."""
    usual = RevenueRule()
    found = [("revenue.orders", name) for name in {rule.orders} - {usual.orders}]
    found += [(f"revenue.events.{name}", name) for name in sorted(rule.events.keys() - usual.events.keys())]
    return found + [(f"revenue.cost.{name}", name) for name in sorted(rule.cost)]


def _purchases_are_there(given: Mapping[str, Any], config: Config) -> None:
    """Refuse a name that no order of the sources bears."""
    order = config.revenue.orders
    maps = [e for source in config.sources.values() for e in source.events if e.event == order]
    flat = {name for e in maps for name in e.properties}
    lists = {name: set(inner) for e in maps for name, inner in e.items.items()}
    if not maps or any(_may_nest(e, config) for e in maps):
        return
    for key in given:
        known = set(lists) if key == "items" else flat.union(*lists.values())
        folded = {name.casefold() for name in known}
        for name in getattr(config.revenue.purchases, key):
            if name.casefold() not in folded:
                where = "is no list of items" if key == "items" else "is neither a property nor a field of an item"
                raise ConfigError(
                    f'{name!r} {where} of "{order}" in the sources.',
                    place=f"purchases.{key}",
                    fix=did_you_mean(nearest(name, known)) or _there_are(known),
                )


def _may_nest(event: EventMap, config: Config) -> bool:
    """Whether a column could bring objects whose fields only a load will tell."""
    from shoal.sources.files import type_of

    source = next(source for source in config.sources.values() if event in source.events)
    return not event.items and (source.format.type or type_of(source.from_)) not in _FLAT


def _there_are(known: set[str]) -> str:
    return f"There are: {', '.join(sorted(known))}." if known else "Name it under properties: or items: first."


def _traits(value: object, _: Config) -> dict[str, Any]:
    found: dict[str, Kind] = {}
    for name, kind in _mapping(value, "traits").items():
        words = [k.value for k in Kind if k is not Kind.OBJECTS]
        word = "yes/no" if kind is True else kind
        if word not in words:
            raise ConfigError(
                f"{kind!r} is not a type.", place=f"traits.{name}", fix=f"Use one of: {', '.join(words)}."
            )
        found[str(name)] = Kind(word)
    return {"traits": found}


def _store(value: object, _: Config) -> dict[str, Any]:
    given = _mapping(value, "store")
    _known(given, {"memory", "threads"}, "store")
    memory = str(given.get("memory", DEFAULT_MEMORY))
    if not _MEMORY.match(memory):
        raise ConfigError(f"{memory!r} is not an amount of memory.", place="store.memory", fix="Write it as 4GB.")
    threads = given.get("threads")
    if threads is not None and not (isinstance(threads, int) and threads >= 1):
        raise ConfigError(f"{threads!r} is not a number of threads.", place="store.threads", fix="Write 1 or more.")
    return {"store": StoreSettings(memory, threads)}


def _mail(value: object, config: Config) -> dict[str, Any]:
    # Imported here: most commands need none of the libraries for mail.
    from shoal.config.mail import mail_from

    return {"mail": mail_from(value, config.root)}


_READERS: dict[str, Callable[[Any, Config], dict[str, Any]]] = {
    "timezone": _zone,
    "currency": _currency,
    "clock": _clock,
    "purposes": _purposes,
    "default_purpose": _default_purpose,
    "revenue": _revenue,
    "purchases": _purchases,
    "traits": _traits,
    "store": _store,
    "rates": lambda value, config: {"rates": config.root / str(value)},
    "quality": lambda value, _: {"quality": _mapping(value, "quality")},
    "report": lambda value, _: {"report": _mapping(value, "report")},
    "sources": lambda value, _: {"sources": parse_sources(_mapping(value, "sources"))},
    "identity": lambda value, _: {"identity": rules_from(value)},
    "retention": lambda value, _: {"retention": retention_from(value)},
    "jobs": lambda value, config: {"jobs": jobs_from(value, config.root, config.sources)},
    "models": lambda value, _: {"models": models_from(value)},
    "discovery": lambda value, _: {"discovery": discovery_from(value)},
    "feedback": lambda value, _: {"feedback": feedback_from(value)},
    "trials": lambda value, _: {"trials": trials_from(value)},
    "contracts": lambda value, _: {"contracts": contracts_from(value)},
    "attribution": lambda value, _: {"attribution": attribution_from(value)},
    "costs": lambda value, _: {"costs": costs_from(value)},
    "sessions": lambda value, _: {"sessions": sessions_from(value)},
    "funnels": lambda value, _: {"funnels": funnels_from(value)},
    "holdouts": lambda value, _: {"holdouts": holdouts_from(value)},
    "mail": _mail,
    "server": lambda value, _: {"server": server_from(value)},
}


def read_yaml(text: str, place: str) -> tuple[object, dict[str, int]]:
    """The plain value of a YAML text and, for each path such as ``sources.orders.events[0]``, its line from 1.

    Raises:
        ConfigError: for what isn't YAML, and for a key that stands twice.
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[str, int] = {}
        if node is not None:
            _lines(node, "", lines, place)
        return yaml.safe_load(text), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = f"{place}:{mark.line + 1}" if mark else place
        raise ConfigError(
            f"This is not YAML: {error.problem or error.context}.",
            place=spot,
            fix="Look at the indentation, colons and quotes of this line and the one before.",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"This is not YAML: {error}.", place=place) from None


def _lines(node: Any, path: str, lines: dict[str, int], place: str) -> None:
    import yaml

    if path not in lines:
        lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _lines(item, f"{path}[{index}]", lines, place)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                raise ConfigError(
                    f"{name!r} stands twice, in lines {seen[name]} and {line}.",
                    place=f"{place}:{line}",
                    fix="Keep one of them.",
                )
            seen[name] = line
            inner = f"{path}.{name}" if path else name
            lines[inner] = line
            _lines(value, inner, lines, place)
