"""Build wheel and sdist twice, from copies that differ in place, times and umask; compare them.

    python tests/distributions/reproducible.py

Exit code 1: they are not the same, byte for byte. Needs build and hatchling.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".tox", ".venv", "*.pyc", "__pycache__", "dist", "runs", "evaluations"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache"),
)
EPOCH = "1700000000"


def build(folder: Path, umask: int, moment: int) -> dict[str, str]:
    """Return the SHA-256 of what is built from a copy whose files have other times and rights."""
    copy = folder / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    for path in copy.rglob("*"):
        os.utime(path, (moment, moment))
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", copy],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
    )
    built = sorted((folder / "dist").iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built}


def main() -> int:
    """Compare two builds and print their digests."""
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        one = build(Path(first), umask=0o022, moment=1_600_000_000)
        other = build(Path(second), umask=0o077, moment=1_650_000_000)
    for name in sorted({*one, *other}):
        print(f"{one.get(name)}  {other.get(name)}  {name}")
    return int(one != other or len(one) != 2)


if __name__ == "__main__":
    sys.exit(main())
