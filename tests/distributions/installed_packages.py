"""Install every package of some folders with pip, all in one command.

    python installed_packages.py FOLDER ...     each holds packages

Without their dependencies: those are in the environment, and pip would ask an index for cfft.
"""

import subprocess
import sys
from pathlib import Path

packages = [
    str(path.parent) for place in sys.argv[1:] for path in Path(place).glob("*/pyproject.toml")
]
options = ["--no-deps", "--no-build-isolation", "--force-reinstall", "--quiet"]
subprocess.run([sys.executable, "-m", "pip", "install", *options, *packages], check=True)
