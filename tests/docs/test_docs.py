"""Every code block of README and docs runs. A page's blocks run in order, in a folder that holds the corner shop's exports.

- ``console``: lines that begin with ``$ `` are run by a shell; the lines below one are what it prints, where ``…`` stands
  for anything. A command without lines below it must just succeed.
- ``python``: is executed; the blocks of a page share their names.
- ``shoal``: is read as a condition, printed and read again.
- ``yaml`` with ``where:`` is read as a definition, with ``of:`` as a metric, with ``arms:`` as an experiment, with
  ``shoal:`` as a workspace's settings, with the name of a tracking plan at the top as one.
- ``text``, ``json`` and blocks without a language are shown, not run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shoal.config import parse_config, parse_plan
from shoal.insight.experiments.reading import read_experiment
from shoal.insight.metrics.reading import read_metric
from shoal.insight.pilots.reading import read_pilot
from shoal.lang.files import read_definition
from shoal.lang.parse import parse
from shoal.lang.show import show

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = {"", "text", "json"}
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(text[: m.start()].count("\n") + 1, m.group(2), textwrap.dedent(m.group(3))) for m in FENCE.finditer(text)
    ]


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[None]:
    """Ends the server of a page that stopped in the middle."""
    yield
    for lock in tmp_path.rglob(".shoal/lock"):
        owner = re.search(r"process (\d+) .* serves", lock.read_text())
        if owner is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(owner[1]), signal.SIGKILL)


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks when a page shows what doesn't work, or output that isn't what a reader gets."""
    shutil.copytree(ROOT / "examples" / "corner-shop" / "exports", tmp_path / "exports")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "110")
    names: dict[str, object] = {}
    for block in blocks(page):
        place = f"{page.name}:{block.line}"
        if block.language == "console":
            run_console(block, place)
        elif block.language == "python":
            exec(compile(block.text, place, "exec"), names)
        elif block.language == "shoal":
            condition = parse(block.text, place=place)
            assert parse(show(condition)) == condition
        elif block.language == "yaml":
            read_yaml_block(block.text, place, tmp_path)
        else:
            assert block.language in SHOWN, f"{place}: a block of {block.language!r} isn't run by any test"


def run_console(block: Block, place: str) -> None:
    """Run each command and hold what it prints against the lines below it."""
    for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE):
        if not part.strip():
            continue
        lines = part.removeprefix("$ ").splitlines()
        command = [lines.pop(0)]
        while command[-1].endswith("\\"):
            command.append(lines.pop(0))
        done = subprocess.run(
            ["sh", "-c", "\n".join(command)], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, f"{place}: {command[0]}\n{done.stdout}{done.stderr}"
        expected = "\n".join(line.rstrip() for line in lines).strip()
        if expected:
            got = "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines()).strip()
            pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
            assert re.fullmatch(pattern, got, re.DOTALL), f"{place}: {command[0]} printed\n{got}\nnot\n{expected}"


def read_yaml_block(text: str, place: str, root: Path) -> None:
    if re.search(r"^where:", text, re.MULTILINE):
        read_definition(text, slug="example", place=place)
    elif re.search(r"^kpis:", text, re.MULTILINE):
        read_pilot(text, slug="example", place=place)
    elif re.search(r"^arms:", text, re.MULTILINE):
        read_experiment(text, slug="example", place=place)
    elif re.search(r"^of:", text, re.MULTILINE):
        read_metric(text, slug="example", place=place)
    elif text.startswith("# tracking-plan.yaml"):
        parse_plan(text, place=place)
    elif re.search(r"^shoal:", text, re.MULTILINE):
        parse_config(text, root=root, place=place)
    else:
        parse_config("shoal: 1\n" + text, root=root, place=place)


def test_the_pages_of_the_site_are_the_pages_there_are() -> None:
    """Breaks when a page can't be found from the site's navigation, or the navigation names one that isn't there."""
    named = set(re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {page.name for page in PAGES} - {"README.md"}
