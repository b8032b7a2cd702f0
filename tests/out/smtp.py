"""A real SMTP server that a test starts, which says what it is told to say and keeps what it took."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from shoal.destinations.mail import MailSettings

Answer = Callable[[str], str | None]


@dataclass
class Post:
    """What came in, and what the server answers.

    Args:
        of_recipient: the answer to RCPT TO, by address; None takes it.
        of_text: the answer to DATA, by address; None takes it.
    """

    of_recipient: Answer = lambda address: None
    of_text: Answer = lambda address: None
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    lines: int = 0
    """Connections so far."""

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, name: str, said: list[str]
    ) -> list[str]:
        session.host_name = name
        self.lines += 1
        return said

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried.append(address)
        answer = self.of_recipient(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
            return "250 OK"
        if answer == "hang up":
            server.transport.close()
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.of_text(envelope.rcpt_tos[0])
        if answer is None:
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return answer or "250 OK"

    def settings(self, **changes: Any) -> MailSettings:
        """Settings that reach this server."""
        given = {"host": "localhost", "port": self.port, "security": "none", "sender": "Shop <hello@shop.example>"}
        return MailSettings(**{**given, "per_second": 10_000, **changes})


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


def context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server needs for TLS, and the file that vouches for it."""
    made, key = certificate(folder)
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.load_cert_chain(made, key)
    return found, made


@contextmanager
def serving(post: Post, *, wrapped: ssl.SSLContext | None = None, **options: Any) -> Iterator[Post]:
    """The server, running on a loop of its own.

    Args:
        post: what it answers.
        wrapped: for TLS from the first byte.
        options: as of aiosmtpd's SMTP.
    """
    loop = asyncio.new_event_loop()
    lines: list[SMTP] = []

    def line() -> SMTP:
        lines.append(SMTP(post, hostname="localhost", loop=loop, **options))
        return lines[-1]

    server = loop.run_until_complete(loop.create_server(line, "127.0.0.1", 0, ssl=wrapped))
    post.port = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield post
    finally:
        asyncio.run_coroutine_threadsafe(_end(server, lines), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _end(server: asyncio.Server, lines: list[SMTP]) -> None:
    server.close()
    for line in lines:
        if line.transport is not None:
            line.transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)


def knows(user: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator for one user."""

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (user.encode(), password.encode()), handled=False)

    return check
