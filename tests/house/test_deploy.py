"""What the Dockerfile and the systemd unit promise. The image itself isn't built by any test: see docs/operations.md."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from shoal.cli.live import serve

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "shoal.service"


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage, with their arguments on one line."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    found: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            if word == "FROM":
                found.append([])
            found[-1].append((word, rest.strip()))
    return found


def only(word: str) -> str:
    """The argument of an instruction that stands once in the last stage."""
    (argument,) = [rest for name, rest in stages()[-1] if name == word]
    return argument


def test_the_image_runs_as_nobody_in_particular_with_one_volume() -> None:
    """Breaks when the server runs as root, or data lands outside the volume."""
    user, _, group = only("USER").partition(":")
    assert int(user) >= 1000 <= int(group)
    words = [name for name, _ in stages()[-1]]
    assert "RUN" not in words[words.index("USER") :], "what runs after USER would run at the server's rights"
    assert only("VOLUME") == "/workspace"
    assert "SHOAL_WORKSPACE=/workspace" in only("ENV").split()
    assert f"--uid {user}" in only("RUN")


def test_the_image_is_made_of_the_wheel_alone() -> None:
    """Breaks when sources, build tools or data get into the image."""
    first, last = stages()
    assert [rest for name, rest in last if name in ("COPY", "ADD")] == ["--from=build /wheels /wheels"]
    for rest in (rest for name, rest in first if name == "COPY"):
        *sources, _ = rest.split()
        assert all((ROOT / source).exists() for source in sources)
        allowed = (ROOT / ".dockerignore").read_text().splitlines()
        assert "*" in allowed
        assert all(f"!{source}" in allowed for source in sources)


def test_its_command_is_one_that_shoal_knows_and_ends_gracefully() -> None:
    """Breaks when an option of serve is renamed, or the container is killed in the middle of a write."""
    assert json.loads(only("ENTRYPOINT")) == ["shoal"]
    command, *options = json.loads(only("CMD"))
    assert command == "serve"
    context = serve.make_context("serve", options)
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", int(only("EXPOSE")))
    assert only("STOPSIGNAL") == "SIGTERM"


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that gives every request this status; yields its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_tells_a_well_server_from_an_ill_one(status: int, healthy: bool) -> None:
    """Breaks when a container that can't take events counts as healthy, or a well one is started anew again and again."""
    _, _, command = only("HEALTHCHECK").partition("CMD ")
    python, *rest = json.loads(command)
    assert python == "python"
    with answering(status) as port:
        asked = [part.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for part in rest]
        assert (subprocess.run([sys.executable, *asked], capture_output=True, check=False).returncode == 0) is healthy


def test_the_unit_keeps_what_the_docs_say_of_it() -> None:
    """Breaks when the service is no longer started anew after a crash, or gets rights that it doesn't need."""
    said = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"\w+=", line))
    assert (said["Restart"], said["KillSignal"], said["User"]) == ("on-failure", "SIGTERM", "shoal")
    assert said["EnvironmentFile"] == "-/etc/shoal/environment"
    assert (said["ProtectSystem"], said["NoNewPrivileges"], said["CapabilityBoundingSet"]) == ("strict", "yes", "")
    program, *words = said["ExecStart"].split()
    assert program.endswith("/shoal")
    assert words == ["serve"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's own check of units")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Breaks when a setting is misspelt: systemd would ignore it, and with it the protection."""
    copy = tmp_path / "shoal.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT.read_text(), flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    mine = [line for line in done.stderr.splitlines() if "shoal" in line]
    assert (done.returncode, mine) == (0, [])
    exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(copy)]
    done = subprocess.run(exposure, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1]
