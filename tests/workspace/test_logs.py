"""What is logged, and above all what never is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shoal.errors import ConfigError, StatementError, StoreError, UnknownName
from shoal.workspace.logs import LEVELS, OURS, configure, is_personal

SECRETS = ("ann@shop.example", "ann%40shop.example", "+44 7400 123456", "0044-7400-123456")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Where the log goes; the loggers are as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, [logging.getLogger(name).level for name in OURS]
    yield io.StringIO()
    root.handlers[:], level, levels = before
    root.setLevel(level)
    for name, one in zip(OURS, levels, strict=True):
        logging.getLogger(name).setLevel(one)


def documents(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_its_fields(lines: io.StringIO) -> None:
    """Breaks when a log can't be read by a machine, or a line break forges a second line."""
    configure(stream=lines)
    logging.getLogger("shoal.jobs").info("job %s\nnow", "done", extra={"job": "nightly", "seconds": 1.5, "none": None})
    (line,) = documents(lines)
    assert list(line) == ["time", "level", "logger", "message", "job", "seconds", "none"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["logger"], line["message"]) == ("info", "shoal.jobs", "job done\nnow")
    assert (line["job"], line["seconds"], line["none"]) == ("nightly", 1.5, None)


def test_for_people_it_is_one_line(lines: io.StringIO) -> None:
    configure(stream=lines, as_json=False)
    logging.getLogger("shoal.jobs").warning("job failed", extra={"job": "nightly", "email": SECRETS[0]})
    assert lines.getvalue().endswith(" warning shoal.jobs job failed job=nightly email=(left out)\n")


@pytest.mark.parametrize(
    "name",
    ["email", "E-Mail", "customer_email", "emails", "phone", "phoneNumbers", "mobile", "userId", "user_id", "anonymous_id",
     "customer", "customer_ids", "identifier", "ip", "remote_ip_address", "name", "firstName", "traits", "properties",
     "password", "token", "authorization"],
)  # fmt: skip
def test_a_field_named_after_a_person_is_left_out(lines: io.StringIO, name: str) -> None:
    """Breaks when a value reaches the log because its field is spelt otherwise, or lies inside another."""
    configure(stream=lines)
    if name != "name":  # logging has a field of this name itself
        logging.getLogger("shoal.x").info("seen", extra={name: "Zanzibar"})
    logging.getLogger("shoal.x").info("seen", extra={"about": {name: "Zanzibar", "in": [{name: ("Zanzibar",)}]}})
    assert "Zanzibar" not in lines.getvalue()
    assert "(left out)" in lines.getvalue()


def test_what_an_operator_needs_is_told() -> None:
    """Breaks when the filter leaves nothing to look at."""
    for name in (
        "job",
        "run",
        "seconds",
        "position",
        "segment",
        "path",
        "port",
        "status",
        "waiting",
        "event",
        "bytes",
        "host",
    ):
        assert not is_personal(name)


@pytest.mark.parametrize("secret", SECRETS)
def test_addresses_and_telephone_numbers_are_left_out_of_everything(lines: io.StringIO, secret: str) -> None:
    """Breaks when a message that somebody put together from data tells who it was."""
    configure(stream=lines)
    logger = logging.getLogger("shoal.x")
    logger.info("bounced: %s.", secret)
    logger.info("seen", extra={"why": f"<{secret}> wrote", "list": [secret], "thing": Exception(secret)})
    try:
        raise StoreError(f"No room for {secret}.")
    except StoreError:
        logger.exception("failed")
    assert secret not in lines.getvalue()
    assert len(documents(lines)) == 3


def test_numbers_and_paths_stay(lines: io.StringIO) -> None:
    """Breaks when the filter takes positions, instants or file names for telephone numbers."""
    text = (
        "entry 1234567890 at 2024-03-01T10:00:00Z of log/00000000000000000001.log took 0012345 us, 10.0.0.1:8000 v1.2.3"
    )
    configure(stream=lines)
    logging.getLogger("shoal.x").info(text)
    assert documents(lines)[0]["message"] == text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyError("ann"), "KeyError"),
        (ValueError("Ann Smith"), "ValueError"),
        (UnknownName("customer", "ann", ["ann-marie"]), "UnknownName"),
        (StatementError("Could not convert string 'Ann Smith'"), "StatementError"),
        (StoreError("The disk is full.", place="/data"), "StoreError: /data: The disk is full."),
        (OSError(28, "No space left on device"), "OSError: No space left on device"),
    ],
)
def test_an_exception_is_told_by_its_place_and_its_text_only_where_that_is_safe(
    lines: io.StringIO, error: Exception, said: str
) -> None:
    """Breaks when the text of an exception carries data into the log, or a fault can't be found from it."""
    configure(stream=lines)
    try:
        raise error
    except type(error) as caught:
        logging.getLogger("shoal.x").error("failed", exc_info=caught)
    (line,) = documents(lines)
    assert line["error"] == said
    assert line["where"][-1].startswith("tests/workspace/test_logs.py:")
    assert "Ann" not in lines.getvalue()
    assert "ann" not in lines.getvalue().replace("channel", "")


def test_others_are_heard_from_a_warning_on_and_ours_from_the_level_asked_for(lines: io.StringIO) -> None:
    """Breaks when a library's chatter, with addresses in it, fills the log."""
    configure("debug", stream=lines)
    for name in ("shoal.x", "uvicorn.error", "httpx", "asyncio"):
        for level in LEVELS:
            getattr(logging.getLogger(name), level)("said")
    heard = [(line["logger"], line["level"]) for line in documents(lines)]
    assert [name for name, _ in heard].count("shoal.x") == 4
    assert [level for name, level in heard if name == "httpx"] == ["warning", "error"]


def test_configured_twice_each_line_comes_once(lines: io.StringIO) -> None:
    configure(stream=lines)
    configure("warning", stream=lines)
    logging.getLogger("shoal.x").info("said")
    logging.getLogger("shoal.x").warning("said")
    assert len(documents(lines)) == 1


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="debug, info, warning, error"):
        configure("loud")


def test_the_error_log_of_the_server_goes_through_it(lines: io.StringIO) -> None:
    """Breaks when uvicorn prints a traceback with data in it beside our log."""
    import httpx
    import uvicorn

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raise RuntimeError("for ann@shop.example")

    async def ask() -> int:
        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, access_log=False, loop="asyncio")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as client:
            status = (await client.get(f"http://127.0.0.1:{port}/")).status_code
        server.should_exit = True
        await task
        return status

    configure(stream=lines)
    assert asyncio.run(ask()) == 500
    (line,) = [line for line in documents(lines) if line["level"] == "error"]
    assert (line["logger"], line["error"]) == ("uvicorn.error", "RuntimeError")
    assert "ann@" not in lines.getvalue()
