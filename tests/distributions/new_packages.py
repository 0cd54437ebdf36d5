"""Write a package of every kind with `cfft plugins new`, as tox env `examples` installs them.

python new_packages.py FOLDER     writes FOLDER/cfft-own-KIND, instead of what lay there
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from cfft.plugin.new_package import PACKAGE_KINDS


def write_all(folder: Path) -> list[Path]:
    """Write the packages with the command itself and return their folders."""
    shutil.rmtree(folder, ignore_errors=True)
    for kind in PACKAGE_KINDS:
        new = ["plugins", "new", f"own-{kind}", "--kind", kind, "--out", str(folder)]
        subprocess.run([sys.executable, "-m", "cfft", *new], check=True)
    return sorted(folder.iterdir())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
