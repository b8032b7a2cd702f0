"""Mail out over SMTP: the one sender that everything uses, and the mails that it takes.

A mail that the server didn't take raises one of two errors: ``MailDeferred``, where a later try may do (an answer 4xx, a
broken connection), and ``MailRefused``, where it won't (an answer 5xx). A connection that breaks after the text was sent
leaves open whether it was taken; a later try bears the same Message-ID, so that receivers can tell it for the same mail.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
import uuid
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, formataddr
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.clock import Clock, from_instant, stopwatch
from shoal.errors import ConfigError, MailDeferred, MailError, MailRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

PORTS = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port of each way of securing a connection."""
SECURITIES = tuple(PORTS)
PER_SECOND = 10
TIMEOUT = 30.0
"""Seconds to wait for an answer of the server."""
IDLE = 20.0
"""Seconds after which a kept connection is tried before it is used."""
PER_CONNECTION = 100
"""Mails over one connection; many servers end it after about so many."""
_ADDRESS = re.compile(
    r'(?:"?(?P<name>[^"<>\x00-\x1f]*?)"?\s*<)?(?P<local>[^\s<>@,;:"()\\]+)@(?P<domain>[^\s<>@,;:"()\\]+)>?'
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_VERBATIM = {"list-unsubscribe", "list-unsubscribe-post"}
_LONGEST = 900


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server, and who writes.

    Args:
        host: of the server.
        sender: the address in From, as ``Shop <hello@shop.example>``.
        port: of the server.
        security: ``starttls``, ``tls`` from the first byte, or ``none``.
        user: who logs in; None for nobody.
        password: as written; ``${NAME}`` stands for an environment variable.
        reply_to: where answers go, if elsewhere.
        per_second: mails a second at most.
        ca: a file of certificates to trust instead of the system's.
    """

    host: str
    sender: str
    port: int = PORTS["starttls"]
    security: str = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    reply_to: str | None = None
    per_second: int = PER_SECOND
    ca: Path | None = None


class Part(NamedTuple):
    """Something that a mail bears.

    Args:
        name: of the file; of a picture that the HTML shows, the name in its ``cid:`` address.
        kind: its type, as ``image/png``.
        content: itself.
        shown: whether the HTML shows it.
    """

    name: str
    kind: str
    content: bytes
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one address.

    Args:
        to: the address, as ``ann@shop.example`` or ``Ann <ann@shop.example>``.
        subject: one line.
        text: the plain text.
        html: the same as HTML, if there is one.
        id: what tells this mail from all others, so that a later try is known for the same; random by default.
        unsubscribe: the https address where one click takes the reader off (RFC 8058).
        parts: files, and pictures that the HTML shows.
    """

    to: str
    subject: str
    text: str
    html: str | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    unsubscribe: str | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a mail: it was taken where ``error`` is None."""

    mail: Mail
    tries: int
    error: MailError | None = None


def address_of(text: str) -> tuple[str, str]:
    """The display name (or nothing) and the address, its domain in the ASCII form that servers understand.

    >>> address_of("Ann <ann@bücher.example>")
    ('Ann', 'ann@xn--bcher-kva.example')

    Raises:
        MailRefused: it isn't one address.
    """
    found = _ADDRESS.fullmatch(text.strip())
    domain = _ascii(found["domain"]) if found else None
    if found is None or domain is None or text.strip().endswith(">") != ("<" in text):
        raise MailRefused("This is not a mail address.", fix="Write it as ann@shop.example or Ann <ann@shop.example>.")
    if not found["local"].isascii():
        raise MailRefused(
            "Few servers take an address with letters beyond ASCII before the @, and Shoal sends to none."
        )
    return found["name"] or "", f"{found['local']}@{domain}"


def _ascii(domain: str) -> str | None:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None


class _Policy(EmailPolicy):
    """Lines as SMTP wants them; addresses of the web are never broken or encoded, since readers' programs take them raw."""

    def fold(self, name: str, value: Any) -> str:
        return f"{name}: {value}{self.linesep}" if name.lower() in _VERBATIM else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self.fold(name, value).encode("ascii", "surrogateescape")


_POLICY = _Policy(linesep="\r\n", cte_type="7bit")


def compose(mail: Mail, settings: MailSettings, now: int) -> EmailMessage:
    """The message that goes over the line.

    Args:
        mail: what to say to whom.
        settings: who writes.
        now: the instant in its Date.

    Raises:
        MailRefused: an address, the subject or the web address can't stand in a mail.
    """
    _, sender = address_of(settings.sender)
    if re.search(r"[\x00-\x1f\x7f]", mail.subject):
        raise MailRefused("The subject has more than one line.", fix="Keep it to one.")
    message = EmailMessage(policy=_POLICY)
    message["From"] = formataddr(address_of(settings.sender))
    message["To"] = formataddr(address_of(mail.to))
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(from_instant(now))
    message["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9._-]', '-', mail.id)}@{sender.partition('@')[2]}>"
    if settings.reply_to:
        message["Reply-To"] = formataddr(address_of(settings.reply_to))
    if mail.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{_web(mail.unsubscribe)}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    for part in mail.parts:
        main, _, sub = part.kind.partition("/")
        if part.shown and mail.html is not None:
            shown: Any = message.get_payload()[-1]  # type: ignore[index]
            shown.add_related(part.content, main, sub, cid=f"<{part.name}>")
    for part in mail.parts:
        if not part.shown:
            main, _, sub = part.kind.partition("/")
            message.add_attachment(part.content, main, sub, filename=part.name)
    return message


def _web(address: str) -> str:
    if not re.fullmatch(r"https://[!-;=?-~]+", address) or len(address) > _LONGEST:
        raise MailRefused(
            "The address for unsubscribing can't stand in a mail.", fix="Use https://…, in ASCII, and short."
        )
    return address


class Mailer:
    """Sends mails over one connection that is kept as long as it holds. A context manager; for one thread at a time.

    Args:
        settings: the server, and who writes.
        clock: for the mails' Date.
        environment: where ``${NAME}`` in the password is looked up.
        stop: set by whoever wants a wait between mails to end.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        clock: Clock | None = None,
        environment: Mapping[str, str] = os.environ,
        stop: Event | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        self._environment = environment
        self._stop = stop or Event()
        self._line: smtplib.SMTP | None = None
        self._sent, self._used, self._next = 0, 0.0, 0.0

    # ------------------------------------------------------------ sending

    def send(self, mail: Mail) -> None:
        """Send one mail, once; waits where the rate wants it.

        Raises:
            MailDeferred: it wasn't taken now.
            MailRefused: it won't be taken.
        """
        message = compose(mail, self.settings, self._clock.now())
        _, to = address_of(mail.to)
        _, sender = address_of(self.settings.sender)
        self._pace()
        line = self._connected()
        try:
            line.send_message(message, sender, [to])
        except (smtplib.SMTPException, OSError) as error:
            answered = isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused)
            if not answered or line.sock is None:
                self._drop()
            raise _told(error, to, self.settings) from None
        self._sent, self._used = self._sent + 1, stopwatch()

    def send_all(self, mails: Iterable[Mail], *, tries: int = 3, pause: float = 5.0) -> Iterator[Posted]:
        """Send many mails; those deferred are tried again after all others, up to ``tries`` times in all.

        Args:
            mails: what to send.
            tries: how often a mail is tried at most.
            pause: seconds before the second round, twice as many before each further one.

        Raises:
            MailError: one that would meet every mail (the server can't be reached or refuses the sender). Mails that
                nothing was yielded for weren't taken.
        """
        waiting: Iterable[Mail] = mails
        for number in range(1, tries + 1):
            deferred: list[Mail] = []
            for mail in waiting:
                posted = self._posted(mail, number, tries, pause)
                if isinstance(posted.error, MailDeferred) and number < tries:
                    deferred.append(mail)
                else:
                    yield posted
            if not deferred:
                return
            waiting = deferred
            self._stop.wait(pause * 2 ** (number - 1))

    def _posted(self, mail: Mail, number: int, tries: int, pause: float) -> Posted:
        """One try; while the server can't be reached at all, it is repeated in place."""
        for again in range(tries):
            try:
                self.send(mail)
                return Posted(mail, number)
            except MailError as error:
                if not error.everyone:
                    return Posted(mail, number, error)
                if isinstance(error, MailRefused) or again == tries - 1 or self._stop.is_set():
                    raise
                self._stop.wait(pause * 2**again)
        raise AssertionError("the last try returns or raises")

    def _pace(self) -> None:
        now = stopwatch()
        if self._next > now:
            self._stop.wait(self._next - now)
        self._next = max(self._next, now) + 1 / self.settings.per_second

    # ------------------------------------------------------------ the connection

    def _connected(self) -> smtplib.SMTP:
        if self._line is not None and not self._holds(self._line):
            self._drop()
        if self._line is None:
            try:
                self._line = self._open()
            except (smtplib.SMTPException, OSError) as error:
                raise _unreached(error, self.settings) from None
            self._sent = 0
        self._used = stopwatch()
        return self._line

    def _holds(self, line: smtplib.SMTP) -> bool:
        if self._sent >= PER_CONNECTION:
            return False
        if stopwatch() - self._used < IDLE:
            return True
        try:
            return line.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _open(self) -> smtplib.SMTP:
        settings = self.settings
        password = self._password()
        line: smtplib.SMTP
        if settings.security == "tls":
            line = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=self._trust())
        else:
            line = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
        try:
            if settings.security == "starttls":
                line.starttls(context=self._trust())
            if settings.user is not None:
                line.login(settings.user, password)
        except BaseException:
            line.close()
            raise
        return line

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.settings.ca)
        except OSError as error:
            raise ConfigError(
                f"Certificates can't be read: {error.strerror or error}.", place=str(self.settings.ca)
            ) from None

    def _password(self) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] not in self._environment:
                raise ConfigError(
                    f"The environment variable {match[1]} is not set.",
                    place="mail.password",
                    fix=f"Set it before you start shoal, as in: export {match[1]}=…",
                )
            return self._environment[match[1]]

        return _VARIABLE.sub(value, self.settings.password or "")

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def close(self) -> None:
        """Take leave of the server."""
        if self._line is not None:
            try:
                self._line.quit()
            except (smtplib.SMTPException, OSError):
                # Whoever is gone needs no leave taken.
                self._drop()
            self._line = None

    def __enter__(self) -> Mailer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# ------------------------------------------------------------ errors


def _told(error: Exception, to: str, settings: MailSettings) -> MailError:
    """The error of a mail that was on its way."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, reply = error.recipients[to]
        return _answered(code, reply, place, to, everyone=False)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _answered(error.smtp_code, error.smtp_error, place, to, everyone=error.smtp_code >= 500)
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(error.smtp_code, error.smtp_error, place, to, everyone=False)
    return MailDeferred(f"The connection broke: {_why(error)}.", place=place)


def _unreached(error: Exception, settings: MailSettings) -> MailError:
    """The error of a connection that didn't come about: it would meet every mail."""
    place = f"{settings.host}:{settings.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
        fix = "Check user and password under mail: in shoal.yaml."
        return MailRefused(f"The server refuses the login ({error.smtp_code}).", everyone=True, place=place, fix=fix)
    if isinstance(error, smtplib.SMTPResponseException):
        return _answered(error.smtp_code, error.smtp_error, place, "", everyone=True)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        fix = "Set security under mail: to what the server offers: starttls, tls or none."
        return MailRefused(f"The server can't do this: {_why(error)}.", everyone=True, place=place, fix=fix)
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "Name the certificate's own host, or the file that vouches for it as mail: {ca: …}."
        return MailRefused(
            f"The server's certificate isn't trusted: {error.verify_message}.", everyone=True, place=place, fix=fix
        )
    return MailDeferred(f"The mail server can't be reached: {_why(error)}.", everyone=True, place=place)


def _answered(code: int, reply: bytes | str, place: str, to: str, *, everyone: bool) -> MailError:
    said = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    said = " ".join(said.split())
    if to:
        # Errors are logged, and logs hold no addresses.
        said = re.sub(re.escape(to), "the address", said, flags=re.IGNORECASE)
    kind = MailRefused if code >= 500 else MailDeferred
    return kind(f"The mail server says {code}: {said[:300]}", everyone=everyone, place=place)


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str((isinstance(error, OSError) and error.strerror) or error).rstrip(".")
