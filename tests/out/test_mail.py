"""Mail over SMTP, against a real server: what arrives, and which error says what."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from threading import Event

import pytest

from out.smtp import Post, context, knows, serving
from shoal.cli import main
from shoal.clock import StoppedClock
from shoal.destinations import mail as sending
from shoal.destinations.mail import Mail, Mailer, MailSettings, address_of
from shoal.errors import ConfigError, MailDeferred, MailRefused

CLOCK = StoppedClock(instant=1_709_287_200_000_000)
ANN = Mail("ann@shop.example", "Hello", "Hello Ann.\n")


def test_a_mail_arrives_as_it_was_meant() -> None:
    """Breaks when a header is missing, broken over lines, or letters beyond ASCII are lost."""
    away = "https://shop.example/unsubscribe?token=" + "a" * 300
    mail = Mail(
        "Zoë <zoe@bücher.example>", "Grüße " * 30, "Schöne Grüße\n.\n" + "x" * 2_000, "<p>Grüße</p>", "run-1/zoe", away
    )
    with serving(Post()) as post, Mailer(post.settings(reply_to="help@shop.example"), clock=CLOCK) as mailer:
        mailer.send(mail)
        (got,) = post.taken
        assert got["From"] == "Shop <hello@shop.example>"
        assert got["To"] == "Zoë <zoe@xn--bcher-kva.example>"
        assert got["Subject"].strip() == ("Grüße " * 30).strip()
        assert got["Reply-To"] == "help@shop.example"
        assert got["Date"] == "Fri, 01 Mar 2024 10:00:00 +0000"
        assert got["Message-ID"] == "<run-1-zoe@shop.example>"
        assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert f"List-Unsubscribe: <{away}>\r\n".encode() in post.raw[0], "programs read it without decoding"
        assert got.get_content_type() == "multipart/alternative"
        text, html = got.iter_parts()
        assert text.get_content().replace("\r\n", "\n").startswith("Schöne Grüße\n.\nxxx")
        assert html.get_content().strip() == "<p>Grüße</p>"
        assert max(len(line) for line in post.raw[0].split(b"\r\n")) <= 998
        assert post.raw[0].isascii()


def test_each_mail_has_an_id_of_its_own_and_a_second_try_the_same() -> None:
    """Breaks when a mail that was tried twice counts as two, or two as one."""
    with serving(Post()) as post, Mailer(post.settings()) as mailer:
        other = Mail("ann@shop.example", "Hello", "Hello Ann.\n")
        for one in (ANN, ANN, other):
            mailer.send(one)
        first, again, second = [got["Message-ID"] for got in post.taken]
    assert first == again != second


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"of_recipient": lambda address: "550 5.1.1 <ann@shop.example>: no such user"}, MailRefused),
        ({"of_recipient": lambda address: "450 4.2.0 <Ann@shop.example>: come again"}, MailDeferred),
        ({"of_text": lambda address: "554 5.7.1 This is spam"}, MailRefused),
        ({"of_text": lambda address: "452 4.3.1 No room"}, MailDeferred),
        ({"of_text": lambda address: "421 4.3.2 Going down"}, MailDeferred),
        ({"of_recipient": lambda address: "hang up"}, MailDeferred),
    ],
)  # fmt: skip
def test_the_answer_decides_whether_a_later_try_may_do(answers: dict[str, object], kind: type[Exception]) -> None:
    """Breaks when a full mailbox is given up for ever, or a dead one is tried again and again."""
    with serving(Post(**answers)) as post, Mailer(post.settings()) as mailer:  # type: ignore[arg-type]
        with pytest.raises(kind) as caught:
            mailer.send(ANN)
        assert "ann@" not in str(caught.value).lower(), "errors are logged"
        assert not caught.value.everyone  # type: ignore[attr-defined]
        post.of_recipient = post.of_text = lambda address: None
        mailer.send(ANN)
        assert len(post.taken) == 1, "the connection is of use after an error"


def test_one_connection_is_kept_and_made_anew_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when each mail costs a handshake, or a connection that the server ended loses one."""
    with serving(Post()) as post, Mailer(post.settings()) as mailer:
        for _ in range(sending.PER_CONNECTION + 1):
            mailer.send(ANN)
        assert post.lines == 2
    monkeypatch.setattr(sending, "IDLE", 0.0)
    with serving(Post(), timeout=0.2) as post, Mailer(post.settings()) as mailer:
        mailer.send(ANN)
        time.sleep(0.6)
        mailer.send(ANN)
        assert (len(post.taken), post.lines) == (2, 2)


def test_many_are_sent_and_those_deferred_come_again_last() -> None:
    """Breaks when a slow mailbox holds up the others, a refused one is tried again, or the rounds don't end."""
    asked: dict[str, int] = {}

    def answer(address: str) -> str | None:
        asked[address] = asked.get(address, 0) + 1
        if address.startswith("gone"):
            return "550 no such user"
        return (
            "450 come again"
            if address.startswith("full") or (address.startswith("grey") and asked[address] == 1)
            else None
        )

    mails = [Mail(f"{name}@shop.example", "Hello", "Hello.") for name in ("grey", "gone", "full", "ann")]
    with serving(Post(of_recipient=answer)) as post, Mailer(post.settings()) as mailer:
        done = {one.mail.to.split("@")[0]: one for one in mailer.send_all(mails, tries=3, pause=0.01)}
    assert [name for name, one in done.items() if one.error is None] == ["ann", "grey"]
    assert isinstance(done["gone"].error, MailRefused)
    assert isinstance(done["full"].error, MailDeferred)
    assert {name.split("@")[0]: times for name, times in asked.items()} == {"grey": 2, "gone": 1, "full": 3, "ann": 1}
    assert [one.tries for one in done.values()] == [1, 1, 2, 3]


def test_the_rate_is_held() -> None:
    """Breaks when a server that allows ten a second gets a hundred."""
    with serving(Post()) as post, Mailer(post.settings(per_second=20)) as mailer:
        begun = time.monotonic()
        for _ in range(7):
            mailer.send(ANN)
        assert time.monotonic() - begun >= 6 / 20


def test_who_stops_doesnt_wait() -> None:
    """Breaks when a graceful stop waits for the next round of deferred mails."""
    stop = Event()
    stop.set()
    with serving(Post(of_recipient=lambda _: "450 later")) as post, Mailer(post.settings(), stop=stop) as mailer:
        begun = time.monotonic()
        (one,) = mailer.send_all([ANN], tries=2, pause=60)
        assert isinstance(one.error, MailDeferred)
        assert time.monotonic() - begun < 30


def test_a_server_that_isnt_there_ends_the_sending_after_a_few_tries() -> None:
    """Breaks when a thousand mails each wait for a server that is down, or its absence counts as their refusal."""
    with socket.socket() as held:
        held.bind(("localhost", 0))
        settings = MailSettings("localhost", "hello@shop.example", held.getsockname()[1], "none")
        with Mailer(settings) as mailer, pytest.raises(MailDeferred, match="can't be reached") as caught:
            list(mailer.send_all([ANN] * 1_000, tries=3, pause=0.01))
    assert caught.value.everyone


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_over_tls(security: str, tmp_path: Path) -> None:
    """Breaks when a password crosses the net in the open, an untrusted server gets it, or a wrong one is tried on and on."""
    trust, ca = context(tmp_path)
    options = {"wrapped": trust} if security == "tls" else {"tls_context": trust, "require_starttls": True}
    options |= {"auth_require_tls": security == "starttls", "auth_required": security == "starttls"}
    with serving(Post(), authenticator=knows("shop", "s3cret"), **options) as post:  # type: ignore[arg-type]
        given = {"security": security, "user": "shop", "password": "${SMTP_PASSWORD}"}
        with Mailer(post.settings(**given, ca=ca), environment={"SMTP_PASSWORD": "s3cret"}) as mailer:
            mailer.send(ANN)
        assert len(post.taken) == 1
        with Mailer(post.settings(**given, ca=ca), environment={"SMTP_PASSWORD": "other"}) as mailer:
            with pytest.raises(MailRefused, match="refuses the login") as caught:
                list(mailer.send_all([ANN, ANN], pause=0.01))
            assert caught.value.everyone
        untrusting = Mailer(post.settings(**given), environment={"SMTP_PASSWORD": "s3cret"})
        with untrusting, pytest.raises(MailRefused, match="certificate isn't trusted"):
            untrusting.send(ANN)
        unknowing = Mailer(post.settings(**given, ca=ca), environment={})
        with unknowing, pytest.raises(ConfigError, match="SMTP_PASSWORD is not set"):
            unknowing.send(ANN)
        assert len(post.taken) == 1


def test_a_server_without_starttls_is_told(tmp_path: Path) -> None:
    """Breaks when a mail goes in the open although the settings say otherwise."""
    with serving(Post()) as post, Mailer(post.settings(security="starttls")) as mailer:
        with pytest.raises(MailRefused, match="can't do this"):
            mailer.send(ANN)
        assert post.tried == []


@pytest.mark.parametrize(
    "mail",
    [
        Mail("ann", "Hello", "x"),
        Mail("ann@shop.example, bob@shop.example", "Hello", "x"),
        Mail("ann@shop.example>\r\nBcc: <bob@shop.example", "Hello", "x"),
        Mail("Ann\r\nBcc: bob@shop.example <ann@shop.example>", "Hello", "x"),
        Mail("ann@shop.example", "Hello\r\nBcc: bob@shop.example", "x"),
        Mail("ann@shop.example", "Hello", "x", unsubscribe="http://shop.example/u"),
        Mail("ann@shop.example", "Hello", "x", unsubscribe="https://shop.example/u>\r\nBcc: <bob@shop.example"),
        Mail("älice@shop.example", "Hello", "x"),
    ],
)
def test_what_cant_stand_in_a_mail_is_refused_before_it_is_sent(mail: Mail) -> None:
    """Breaks when data of customers can add recipients or headers of its own."""
    with serving(Post()) as post, Mailer(post.settings()) as mailer:
        with pytest.raises(MailRefused) as caught:
            mailer.send(mail)
        assert post.tried == []
        assert "@" not in caught.value.problem.replace("the @", "")


def test_addresses_are_read_with_or_without_a_name() -> None:
    assert address_of("ann@Shop.Example") == ("", "ann@shop.example")
    assert address_of('"Ann, of London" <ann@shop.example>') == ("Ann, of London", "ann@shop.example")
    for wrong in (
        "<ann@shop.example",
        "ann@shop.example>",
        "Ann ann@shop.example",
        "@shop.example",
        "ann@",
        "a@b@c",
        "",
    ):
        with pytest.raises(MailRefused):
            address_of(wrong)


def test_the_command_line_sends_a_test_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when an operator can't try the settings, or learns nothing from a fault."""

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["-w", str(tmp_path), "mail", "test", *args])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    (tmp_path / "shoal.yaml").write_text("shoal: 1\n")
    assert "There is no mail server" in run("ann@shop.example")[2]
    with serving(Post()) as post:
        said = f"mail: {{host: localhost, port: {post.port}, security: none, from: Shop <hello@shop.example>}}\n"
        (tmp_path / "shoal.yaml").write_text(f"shoal: 1\nname: My shop\n{said}")
        code, out, _ = run("ann@shop.example")
        assert (code, out.startswith("localhost took the mail")) == (0, True)
        assert "My shop" in post.taken[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
        post.of_recipient = lambda address: "550 no such user"
        code, _, err = run("ann@shop.example")
        assert (code, "The mail server says 550: no such user" in err) == (1, True)
