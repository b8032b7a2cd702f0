"""A part of a YAML document that knows where it stands, so that every fault can name its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from shoal.errors import ConfigError, did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

SPOKEN = {"on": True, "yes": True, "no": False}
"""Words that YAML 1.1 takes for true or false where they stand without quotes, as keys too."""


@dataclass(frozen=True, slots=True)
class Section:
    """Settings of one place.

    Args:
        values: what stands there, keys as texts.
        path: the place, as ``sources.orders.events[0]``.
    """

    values: dict[str, Any]
    path: str

    @classmethod
    def of(cls, value: object, path: str, known: set[str]) -> Section:
        """The settings in ``value``.

        Raises:
            ConfigError: if it is something else, or has a key that isn't in ``known``.
        """
        if not isinstance(value, dict):
            raise ConfigError("Expected settings, as `key: value`.", place=path)
        words = {SPOKEN[w]: w for w in SPOKEN if w in known}
        values = {words.get(k, str(k)) if isinstance(k, bool) else str(k): v for k, v in value.items()}
        for key in values:
            if key not in known:
                fix = did_you_mean(nearest(key, known)) or f"Known here: {', '.join(sorted(known))}."
                raise ConfigError(f"{key!r} is not a setting.", place=f"{path}.{key}", fix=fix)
        return cls(values, path)

    def at(self, key: str) -> str:
        """The place of a key."""
        return f"{self.path}.{key}"

    def fail(self, key: str, problem: str, fix: str | None = None) -> NoReturn:
        """Refuse the value of a key.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(problem, place=self.at(key) if key else self.path, fix=fix)

    def has(self, key: str) -> bool:
        """Whether a key stands there with a value."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str | None:
        """A text; numbers are taken as written."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool | dict | list):
            self.fail(key, f"Expected a text, not {_shown(value)}.", "Write it in quotes.")
        return str(value)

    def needed(self, key: str, why: str) -> str:
        """A text that must be there; ``why`` is the advice if it isn't."""
        value = self.text(key)
        if not value:
            self.fail("", f"`{key}` is missing.", why)
        return value

    def choice(self, key: str, words: tuple[str, ...], default: str) -> str:
        """One of some words."""
        value = self.values.get(key)
        if value is None:
            return default
        if value not in words:
            near = did_you_mean(nearest(str(value), words)) or f"Use one of: {', '.join(words)}."
            self.fail(key, f"{value!r} is not known here.", near)
        return str(value)

    def flag(self, key: str) -> bool | None:
        """Yes or no."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            self.fail(key, f"Expected yes or no, not {_shown(value)}.", "Write true or false.")
        return value

    def whole(self, key: str) -> int | None:
        """A whole number of at least 1."""
        value = self.values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            self.fail(key, f"Expected a whole number of 1 or more, not {_shown(value)}.")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts; one text is a list of one."""
        value = self.values.get(key)
        if value is None:
            return None
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if item is None or isinstance(item, dict | list):
                raise ConfigError("Expected a text.", place=f"{self.at(key)}[{index}]")
        return tuple(_as_text(item) for item in items)

    def pairs(self, key: str) -> dict[str, str]:
        """Texts by name, as ``{country: Country}``."""
        found = {}
        for name, value in self.names(key).items():
            if value is None or isinstance(value, dict | list):
                fix = "As country: Country" + ("; a place on earth takes two: [latitude, longitude]" if value else "")
                raise ConfigError("Expected the name of a column.", place=f"{self.at(key)}.{name}", fix=fix)
            found[name] = _as_text(value)
        return found

    def columns(self, key: str) -> dict[str, str]:
        """The column of each name: ``{country: Country}``, or ``[country, plan]`` where they are called alike."""
        if isinstance(self.values.get(key), dict):
            return self.pairs(key)
        return {column: column for column in self.texts(key) or ()}

    def names(self, key: str) -> dict[str, Any]:
        """Values by name."""
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(key, f"Expected names, as `name: column`, not {_shown(value)}.")
        return {_as_text(name): inner for name, inner in value.items()}

    def parts(self, key: str, known: set[str]) -> Iterator[Section]:
        """The sections of a list; one section is a list of one."""
        value = self.values.get(key)
        if value is None:
            return
        items = value if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            yield Section.of(item, f"{self.at(key)}[{index}]", known)


def _as_text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
