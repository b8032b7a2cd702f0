"""``jobs:`` in ``shoal.yaml``: what is done by itself, and when."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shoal.config.schedule import Every, every_from
from shoal.errors import ConfigError, MailRefused, Refused, did_you_mean, nearest
from shoal.sources.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

DATE = "{date}"
"""In the path of a report: the local date of the run."""
DEFAULT_KEEP = 7
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as ``shoal.yaml`` names it.

    Args:
        name: its name.
        run: what is done; a key of ``OPTIONS``.
        every: when.
        options: what else the action needs, checked.
    """

    name: str
    run: str
    every: Every
    options: Mapping[str, Any] = field(default_factory=dict)


def jobs_from(value: object, root: Path, sources: Collection[str], place: str = "jobs") -> dict[str, Job]:
    """Read the section ``jobs:``.

    Args:
        value: what stands there.
        root: the workspace's folder; paths are relative to it.
        sources: the names of sources that a load may name.
        place: the path of the section, which errors begin with.

    Raises:
        ConfigError: with the path of the key at fault, and the fix.
    """
    if not isinstance(value, dict):
        raise ConfigError("Expected jobs, as `name: {run: load, every: day at 06:00}`.", place=place)
    return {str(name): _job(str(name), inner, f"{place}.{name}", root, sources) for name, inner in value.items()}


def _job(name: str, value: object, path: str, root: Path, sources: Collection[str]) -> Job:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} can't be the name of a job.", place=path, fix="Use letters, digits, - and _, as nightly-load."
        )
    every_option = {key for known, _ in OPTIONS.values() for key in known}
    section = Section.of(value, path, {"run", "every", *every_option})
    section.needed("run", f"Say what to do: {', '.join(OPTIONS)}.")
    run = section.choice("run", tuple(OPTIONS), "")
    known, reader = OPTIONS[run]
    for key in section.values:
        if key not in {"run", "every"} | known:
            section.fail(key, f"{run!r} has no setting {key!r}.", _has(known))
    every = every_from(section.needed("every", 'Say when, as every: "day at 06:00".'), section.at("every"))
    return Job(name, run, every, reader(section, root, sources))


def _has(known: Collection[str]) -> str:
    return f"It has: run, every, {', '.join(sorted(known))}." if known else "It has run and every."


def _none(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    return {}


def _load(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    only = section.texts("only")
    for name in only or ():
        if name not in sources:
            fix = did_you_mean(nearest(name, sources)) or f"There are: {', '.join(sorted(sources)) or 'none'}."
            section.fail("only", f"There is no source {name!r}.", fix)
    return {"only": only}


def _report(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    to = section.needed("to", f"Name the file, as to: reports/{DATE}.html.")
    if not to.endswith(".html"):
        section.fail("to", f"{to!r} is not a page.", "End the name in .html.")
    return {"to": root / to}


def _backup(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    to = section.needed("to", "Name a folder for the copies, best on another disk, as to: /backup/shop.")
    return {"to": root / to, "keep": section.whole("keep") or DEFAULT_KEEP}


def _predict(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    return {"models": section.texts("models"), "refit": bool(section.flag("refit"))}


def _alerts(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    # Imported here: most commands need none of the libraries for mail.
    from shoal.destinations.mail import address_of

    to = tuple(dict.fromkeys(section.texts("to") or ()))
    for address in to:
        try:
            address_of(address)
        except MailRefused as error:
            section.fail("to", f"{address!r}: {error.problem}", error.fix or "")
    return {"to": to}


def _dashboard(section: Section, root: Path, sources: Collection[str]) -> dict[str, Any]:
    from shoal.views.dashboards.periods import read_period

    name = section.needed("dashboard", "Name the dashboard, as dashboard: overview.")
    told = _alerts(section, root, sources)
    if not told["to"]:
        section.fail("", "`to` is missing.", "Say who gets it, as to: [ann@shop.example].")
    period = section.text("period") or ""
    if period:
        try:
            read_period(period)
        except Refused as error:
            section.fail("period", error.problem, error.fix)
    return {"dashboard": name, "segment": section.text("segment"), "period": period, **told}


OPTIONS: Mapping[str, tuple[set[str], Callable[[Section, Path, Collection[str]], dict[str, Any]]]] = {
    "load": ({"only"}, _load),
    "recalibrate": (set(), _none),
    "predict": ({"models", "refit"}, _predict),
    "assign": (set(), _none),
    "feedback": (set(), _none),
    "alerts": ({"to"}, _alerts),
    "report": ({"to"}, _report),
    "dashboard": ({"dashboard", "to", "segment", "period"}, _dashboard),
    "publish": (set(), _none),
    "expire": (set(), _none),
    "backup": ({"to", "keep"}, _backup),
}
"""What a job can run: the settings of each, and who reads them."""
