"""A private PostgreSQL server for tests, from the programs that Debian installs; the system's own isn't touched."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "p@ss/wörd"
INSTALL = "PostgreSQL isn't installed; install it with: apt-get install postgresql"


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Start a server on a free port; give its address (with the password, encoded), stop it and remove all at the end.

    Raises:
        FileNotFoundError: no PostgreSQL is installed.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="shoal-postgres-"))
    prefix = _as_ordinary_user(folder)
    secret = folder / "secret"
    secret.write_text(PASSWORD, encoding="utf-8")
    secret.chmod(0o644)
    data, port = folder / "data", _free_port()
    init = ["--auth=scram-sha-256", f"--pwfile={secret}", "--username=shoal", "--encoding=UTF8", "--locale=C.UTF-8"]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*prefix, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    try:
        _run([*prefix, str(programs / "initdb"), "-D", str(data), *init])
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"])
        yield f"postgresql://shoal:p%40ss%2Fw%C3%B6rd@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """The address of a server of this test session's own; skips where PostgreSQL isn't installed."""
    pytest.importorskip("psycopg")
    try:
        _programs()
    except FileNotFoundError:
        pytest.skip(INSTALL)
    with running_server() as address:
        yield address


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise FileNotFoundError(INSTALL)
    return Path(on_path).parent


def _as_ordinary_user(folder: Path) -> list[str]:
    """How to run a program as somebody else than root, to whom the server refuses to start."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    # The server keeps what it inherits open, so its output must not be a pipe that we wait for.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", check=False)
        output.seek(0)
        assert done.returncode == 0, output.read().decode(errors="replace")
