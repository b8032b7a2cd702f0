"""The sections of ``shoal.yaml`` for a served workspace: jobs, mail, server, identity."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.config import parse_config
from shoal.customers.identity.rules import IdentityRules
from shoal.errors import ConfigError

WHOLE = """\
shoal: 1
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: who, at: day}]
identity:
  kinds: {email: {cap: 5}}
  region: GB
jobs:
  nightly: {run: load, every: "day at 06:00", only: [orders]}
  points: {run: recalibrate, every: month on 1 at 03:00}
  page: {run: report, every: monday at 07:30, to: "reports/{date}.html"}
  moves: {run: publish, every: 15 minutes}
  old: {run: expire, every: day at 02:00}
  copy: {run: backup, every: day at 03:00, to: /backup, keep: 30}
mail:
  host: smtp.shop.example
  user: shop
  password: ${SMTP_PASSWORD}
  from: Shop <hello@shop.example>
  reply_to: help@shop.example
  per_second: 5
  ca: certs/own.pem
server:
  host: 0.0.0.0
  port: 9000
  origins: [https://shop.example, "http://localhost:3000"]
  strict: yes
  keep_ip: true
  drop_bots: no
  rate_per_second: 20
  address: https://data.shop.example
"""


def test_all_four_become_typed_records(tmp_path: Path) -> None:
    """Breaks when a setting is read into the wrong place or dropped."""
    config = parse_config(WHOLE, root=tmp_path)
    assert list(config.jobs) == ["nightly", "points", "page", "moves", "old", "copy"]
    nightly, page, copy = (config.jobs[name] for name in ("nightly", "page", "copy"))
    assert (nightly.run, nightly.every.unit, nightly.every.minutes, nightly.options) == (
        "load", "day", 360, {"only": ("orders",)},
    )  # fmt: skip
    assert page.options == {"to": tmp_path / "reports/{date}.html"}
    assert copy.options == {"to": Path("/backup"), "keep": 30}
    assert config.mail is not None
    assert (config.mail.host, config.mail.port, config.mail.security) == ("smtp.shop.example", 587, "starttls")
    assert (config.mail.sender, config.mail.reply_to) == ("Shop <hello@shop.example>", "help@shop.example")
    assert (config.mail.per_second, config.mail.ca) == (5, tmp_path / "certs/own.pem")
    assert "SMTP" not in repr(config)
    server = config.server
    assert (server.host, server.port, server.rate_per_second) == ("0.0.0.0", 9000, 20)
    assert server.origins == ("https://shop.example", "http://localhost:3000")
    assert (server.strict, server.keep_ip, server.drop_bots) == (True, True, False)
    assert server.address == "https://data.shop.example"
    assert config.identity.region == "GB"
    assert config.identity.kind("email").cap == 5


def test_without_them_nothing_runs_nothing_is_sent_and_only_this_machine_is_served(tmp_path: Path) -> None:
    """Breaks when a workspace is opened to the world, or sends, without being told to."""
    config = parse_config("shoal: 1\n", root=tmp_path)
    assert config.jobs == {}
    assert config.mail is None
    assert (config.server.host, config.server.port, config.server.keep_ip) == ("127.0.0.1", 8000, False)
    assert config.identity == IdentityRules()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("jobs: nightly\n", 2, "Expected jobs"),
        ("jobs:\n  nightly: {every: hour}\n", 3, "Say what to do: load, recalibrate"),
        ("jobs:\n  nightly:\n    run: lod\n    every: hour\n", 4, 'Did you mean "load"?'),
        ("jobs:\n  nightly:\n    run: load\n", 3, 'as every: "day at 06:00"'),
        ("jobs:\n  nightly:\n    run: load\n    every: tuseday at 06:00\n", 5, 'Did you mean "tuesday"?'),
        ("jobs:\n  nightly:\n    run: load\n    evry: hour\n", 5, 'Did you mean "every"?'),
        ("jobs:\n  nightly:\n    run: load\n    every: hour\n    keep: 3\n", 6, "'load' has no setting 'keep'"),
        ("jobs:\n  nightly:\n    run: load\n    every: hour\n    only: orders\n", 6, "There is no source 'orders'"),
        ("jobs:\n  page:\n    run: report\n    every: hour\n", 3, "Name the file, as to:"),
        ("jobs:\n  page:\n    run: report\n    every: hour\n    to: a.pdf\n", 6, "End the name in .html"),
        ("jobs:\n  copy:\n    run: backup\n    every: hour\n", 3, "best on another disk"),
        ("jobs:\n  ../copy: {run: publish, every: hour}\n", 3, "can't be the name of a job"),
        ("mail:\n  from: a@shop.example\n", 2, "Name the mail server"),
        ("mail:\n  host: smtp.shop.example\n", 2, "Name who writes"),
        ("mail:\n  host: h\n  from: Shop\n", 4, "This is not a mail address"),
        ("mail:\n  host: h\n  from: a@b.example\n  reply_to: help\n", 5, "This is not a mail address"),
        ("mail:\n  host: h\n  from: a@b.example\n  security: ssl\n", 5, "starttls, tls, none"),
        ("mail:\n  host: h\n  from: a@b.example\n  port: 70000\n", 5, "Use 1 to 65535"),
        ("mail:\n  host: h\n  from: a@b.example\n  user: u\n", 2, "Write both, or neither"),
        ("mail:\n  host: h\n  from: a@b.example\n  user: u\n  password: hunter2\n", 6, "${SMTP_PASSWORD}"),
        (
            "mail:\n  host: h\n  from: a@b.example\n  user: u\n  password: ${P}\n  security: none\n",
            7,
            "starttls or tls",
        ),
        ("mail:\n  host: h\n  form: a@b.example\n", 4, 'Did you mean "from"?'),
        ("server:\n  prot: 80\n", 3, 'Did you mean "port"?'),
        ("server:\n  port: http\n", 3, "a whole number"),
        ("server:\n  origins:\n    - https://shop.example\n    - shop.example/\n", 5, "as https://shop.example"),
        ("server:\n  strict: perhaps\n", 3, "Write true or false"),
        ("server:\n  address: data.shop.example\n", 3, "https://data.shop.example"),
        ("identity:\n  kinds:\n    e-mail: {cap: 2}\n", 4, 'Did you mean "email"?'),
        ("identity:\n  region: uk\n", 3, "two capital letters"),
    ],
)
def test_a_fault_names_the_line_and_the_fix(tmp_path: Path, text: str, line: int, said: str) -> None:
    """Breaks when a fault points at another line, doesn't say how to mend it, or repeats a password."""
    with pytest.raises(ConfigError) as caught:
        parse_config(f"shoal: 1\n{text}", root=tmp_path, place="shoal.yaml")
    assert f"shoal.yaml:{line}" in str(caught.value)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_a_job_can_run_is_what_there_is_work_for() -> None:
    """Breaks when shoal.yaml accepts a kind of job that nothing does, or the other way round."""
    from shoal.config.jobs import OPTIONS
    from shoal.workspace.scheduling.work import WORK

    assert list(OPTIONS) == list(WORK)
