"""Check new packages of every kind, and docs/examples, with ruff and mypy --strict.

mypy reads the settings of cfft's own pyproject.toml, so that its cache is used again; the
packages' own are as strict.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cfft.plugin.new_package import PACKAGE_KINDS, NewPackage

ROOT = Path(__file__).parents[2]
UNTYPED = "cfft-checker"  # the smallest complete package has no types
NAMES = ("own-{}", "x", "a-name_of-thirty-characters_30")


def written(package: NewPackage, folder: Path) -> Path:
    """Write a package without asking what is installed."""
    for path, text in package.files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


def main() -> int:
    """Return 0 where neither tool finds anything."""
    with TemporaryDirectory() as place:
        made = [
            written(NewPackage(name.format(kind), kind), Path(place, str(number), kind))
            for kind in PACKAGE_KINDS
            for number, name in enumerate(NAMES)
        ]
        linted = [
            subprocess.run(["ruff", *words, place]).returncode
            for words in (["check"], ["format", "--check"])
        ]
        named = [folder for folder in made if folder.parent.name == "0"]
        examples = [p for p in (ROOT / "docs" / "examples").iterdir() if p.name != UNTYPED]
        typed = [part for folder in (*named, *examples) for part in folder.glob("*/*")]
        sources = [
            part
            for part in typed
            if part.parent.name in ("src", "tests") and part.name != "__pycache__"
        ]
        paths = os.pathsep.join(str(folder / "src") for folder in (*named, *examples))
        mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
        checked = subprocess.run(
            [*mypy, *map(str, sources)], env={**os.environ, "MYPYPATH": paths}, cwd=ROOT
        ).returncode
    return max(*linted, checked)


if __name__ == "__main__":
    sys.exit(main())
