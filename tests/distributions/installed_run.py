"""Run the installed `cfft` once on a tiny world; the wheel environment of tox calls this.

    python -I installed_run.py

Needs nothing but what the wheel brings. Writes into the current folder; the exit code is 1 if the
run fails, leaves no results, or if `cfft` comes from anywhere but this Python's site-packages.
"""

import json
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
COUNTS = {"train": 10, "ood/dark": 2}


def main() -> None:
    """Lay everything out, run, and look at what the run left."""
    require_installed("cfft", "cfft_masks")
    draw_images(Path("images"))
    Path("tiny.json").write_text(json.dumps(CLIP))
    fine_tune(Path("images"), Path("tiny.json"), Path("RUN"))
    measured = json.loads(Path("RUN/results.json").read_text())["sets"]
    if measured.keys() != {"test", "dark"}:
        sys.exit(f"results.json: got sets {sorted(measured)}, expected dark and test")


def require_installed(*packages: str) -> None:
    """Exit unless every package is imported from this Python's site-packages."""
    site = Path(sysconfig.get_path("purelib"))
    origins = {package: find_spec(package).origin for package in packages}
    elsewhere = {p: o for p, o in origins.items() if not Path(o).is_relative_to(site)}
    if elsewhere:
        sys.exit(f"not imported from {site}: {elsewhere}")


def draw_images(root: Path) -> None:
    """Draw noise of two classes, laid out for the suite `folder`."""
    rng = np.random.default_rng(0)
    for place, count in COUNTS.items():
        for name in ("cat", "dog"):
            folder = root / place / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


def fine_tune(images: Path, model: Path, run: Path) -> None:
    """Call the console script that the wheel brought; exit if it fails."""
    script = Path(sysconfig.get_path("scripts")) / "cfft"
    words = f"run --recipe quick --suite folder --data {images} --out {run}"
    model_words = f"--model {model} --pretrained random --workers 0"
    done = subprocess.run([script, *words.split(), *model_words.split()])
    if done.returncode:
        sys.exit(f"cfft run: exit code {done.returncode}, expected 0")


if __name__ == "__main__":
    main()
