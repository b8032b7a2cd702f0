"""Makes the frozen example of the log's and the snapshot's current format: ``python tests/frozen/make_log.py``.

Run it when a release raises a format, and commit what it writes; never again for an older one. It takes the files as a
killed process leaves them, an unfinished write at the end included.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from shoal.log import Log, snapshot
from shoal.log.frames import FORMAT

HERE = Path(__file__).parent


def main() -> None:
    """Write the files, and what they hold, beside this one."""
    target = HERE / f"log_{FORMAT}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        log = Log.open(Path(folder), segment_bytes=600)
        for i in range(12):
            log.wait(log.append(i * 5000, f"entry {i} ".encode() * (i + 1)))
        log.rewrite(lambda e: None if e.position == 3 else b"changed" if e.position == 4 else e.payload)
        log.drop_before(2)
        log.append(1, b"after the rewrite")
        log.wait(log.append(2, b""))
        has = [[e.position, e.kind, e.payload.decode()] for e in log.read()]
        for path in Path(folder).glob("*.log"):
            shutil.copy(path, target)
        log.close()
    last = max(target.glob("*.log"))
    last.write_bytes(last.read_bytes() + last.read_bytes()[32:60])
    (target / "holds.json").write_text(json.dumps(has, indent=1) + "\n")
    arrays = {
        "counts": np.arange(10, dtype="<u4"),
        "seen": np.array([[True, False]]),
        "ids": np.array([b"ann", b"bob"]),
    }
    snapshot.save(target, 14, {"made by": "make_log.py"}, arrays)


if __name__ == "__main__":
    main()
