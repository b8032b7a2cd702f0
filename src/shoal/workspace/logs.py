"""What the server tells its operator: a line an event on standard error, as JSON or for people, without personal data.

A value goes into a log only under the name of a field (``extra={"job": name}``), so that its name says whether it may.
Fields named after a person's data are left out, whoever logs them; mail addresses and telephone numbers are left out of
everything. An exception is told by its type and where it was raised; its text only where that speaks of files and settings.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import IO, TYPE_CHECKING, Any

from shoal.clock import SECOND, iso
from shoal.errors import ConfigError, MailError, SourceError, StatementError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

LEFT_OUT = "(left out)"
LEVELS = ("debug", "info", "warning", "error")
OURS = ("shoal", "uvicorn")
"""Whose lines are wanted below a warning; other libraries log addresses of requests, or worse."""

_WORDS = frozenset({
    "email", "mail", "phone", "telephone", "mobile", "msisdn", "address", "ip", "user", "anonymous", "customer", "person",
    "profile", "identifier", "device", "advertising", "external", "birthday", "birth", "latitude", "longitude", "trait",
    "property", "propertie", "context", "payload", "body", "cookie", "authorization", "password", "secret", "token", "recipient",
})  # fmt: skip
"""A field with one of these words in its name may be a person's."""
_WHOLE = frozenset({
    "name", "firstname", "lastname", "fullname", "tel", "to", "subject", "key", "userid", "customerid", "deviceid",
    "anonymousid", "accountid", "customerids", "userids",
})  # fmt: skip
_MAIL = re.compile(r"[^\s<>\"'(),;:=/]+(?:@|%40)[^\s<>\"'(),;:=/]+")
_PHONE = re.compile(r"(?<![\w.:-])(?:\+|%2B|00)\d(?:[\s().-]?\d){6,14}(?!\w)", re.IGNORECASE)
_PIECES = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_TOLD = (ConfigError, MailError, SourceError, StoreError)


def configure(level: str = "info", *, as_json: bool = True, stream: IO[str] | None = None) -> None:
    """Log to standard error in this form; called again, it takes the place of what was there.

    Args:
        level: the least level of our own lines, one of ``LEVELS``; others' are logged from ``warning`` on.
        as_json: a JSON object a line, or a line for people.
        stream: where to, instead of standard error.

    Raises:
        ConfigError: there is no such level.
    """
    if level not in LEVELS:
        raise ConfigError(f"There is no level {level!r}.", fix=f"Use {', '.join(LEVELS)}.")
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if as_json else PlainLines())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    number = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(max(number, logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(number)


class _Handler(logging.StreamHandler[IO[str]]):
    """Ours, told from those of others."""


class JsonLines(logging.Formatter):
    """A JSON object a line: time, level, logger, message, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return json.dumps(document(record), ensure_ascii=False, default=lambda value: type(value).__name__)


class PlainLines(logging.Formatter):
    """A line for people: time, level, logger, message, and the fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = document(record)
        head = [str(line.pop(key)) for key in ("time", "level", "logger", "message")]
        return " ".join([*head, *(f"{name}={value}" for name, value in line.items())])


def document(record: logging.LogRecord) -> dict[str, Any]:
    """What is told of a record."""
    error = record.exc_info[1] if record.exc_info else None
    head = {
        "time": iso(int(record.created * SECOND)),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": masked(record.getMessage()),
    }
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    told = {name: value for name, value in without_personal(fields).items() if name not in head}
    if error is not None:
        told |= {"error": said(error), "where": _frames(error.__traceback__)}
    return head | told


def without_personal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with what may be a person's left out, in objects inside them too.

    >>> without_personal({"userId": "ann", "seconds": 2, "why": "ann@shop.example wrote", "in": {"phone": "1"}})
    {'userId': '(left out)', 'seconds': 2, 'why': '(left out) wrote', 'in': {'phone': '(left out)'}}
    """
    return {name: LEFT_OUT if is_personal(name) else _inner(value) for name, value in fields.items()}


def is_personal(name: str) -> bool:
    """Whether a field of this name may hold a person's data.

    >>> [is_personal(name) for name in ("E-Mail", "phoneNumber", "anonymousId", "job", "position")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _PIECES.findall(name)]
    whole = "".join(words)
    return whole in _WHOLE or not _WORDS.isdisjoint(
        {whole, *words, *(word.removesuffix("s") for word in (whole, *words))}
    )


def _inner(value: object) -> object:
    if isinstance(value, dict):
        return without_personal({str(name): inner for name, inner in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [_inner(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked(value) if isinstance(value, str) else type(value).__name__


def masked(text: str) -> str:
    """A text without mail addresses and telephone numbers.

    >>> masked("bounced for ann@shop.example, +44 7400 123456, after 1234567 ms")
    'bounced for (left out), (left out), after 1234567 ms'
    """
    return _PHONE.sub(LEFT_OUT, _MAIL.sub(LEFT_OUT, text))


def said(error: BaseException) -> str:
    """An exception in words that hold nothing of a person: its text only where it speaks of files and settings."""
    kind = type(error).__name__
    if isinstance(error, _TOLD) and not isinstance(error, StatementError):
        return f"{kind}: {masked(str(error))}"
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    return kind


def _frames(trace: TracebackType | None) -> list[str]:
    """The calls that led to an exception, the innermost last: file, line and function."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{'/'.join(code.co_filename.split('/')[-3:])}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-20:]
