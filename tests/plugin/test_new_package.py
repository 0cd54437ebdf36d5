"""`cfft plugins new`: packages of every kind are listed, checked, run and tested untouched."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from cfft.plugin.new_package import PACKAGE_KINDS, NewPackage
from cfft.plugin.registry import Registry
from cfft.testing.complaints import complaints

Command = Callable[..., Any]
Install = Callable[..., Distribution]
NONE = Registry([], [], None)
METHOD = """
[suite]
use = "own-suite"
[model]
name = "own-backbone:tiny"
pretrained = "random"
[mask]
use = "own-mask"
[fill]
use = "own-fill"
[task]
use = "own-task"
[adaptation]
use = "own-adaptation"
[average]
use = "own-average"
[merge]
use = "own-merge"
[[teacher]]
use = "own-teacher"
[[loss]]
use = "own-loss"
teacher = "own-teacher"
[[loss]]
use = "own-loss"
label = "seen"
teacher = "own-teacher"
view = "seen"
[[view]]
label = "seen"
mask = { use = "object", threshold = 0.5 }
fill = "none"
cam = "own-cam"
[training]
epochs = 1
batch_size = 16
workers = 0
"""


def register(folder: Path) -> Path:
    """Write what an installer would write about a package beside its module; return the place."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    site = folder / "src"
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    name, version = project["name"], project["version"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["cfft"].items())
    (info / "entry_points.txt").write_text(f"[cfft]\n{points}")
    return site


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Write a package of every kind, called own-KIND, and put all of them on the path."""
    root = tmp_path_factory.mktemp("packages")
    made = {}
    for kind in PACKAGE_KINDS:
        package = NewPackage.checked(f"own-{kind}", kind, NONE)
        made[kind] = root / package.distribution
        for path, text in package.files().items():
            (made[kind] / path).parent.mkdir(parents=True, exist_ok=True)
            (made[kind] / path).write_text(text, "utf-8")
    sites = [str(register(folder)) for folder in made.values()]
    sys.path[:0] = sites
    yield made
    sys.path[:] = [place for place in sys.path if place not in sites]
    for name in [name for name in sys.modules if name.startswith("cfft_own_")]:
        del sys.modules[name]


def test_the_tests_of_new_packages_pass_untouched(packages: dict[str, Path]) -> None:
    folders = [str(folder / "tests") for folder in packages.values()]
    sites = os.pathsep.join(str(folder / "src") for folder in packages.values())
    options = ["-v", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *folders],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": sites},
        cwd=packages["mask"].parent,
    )

    assert done.returncode == 0, done.stdout
    passed = Counter(re.findall(r"test_own_(\w+)\.py::.* PASSED", done.stdout))
    assert set(passed) == {kind.replace("-", "_") for kind in packages}
    assert min(passed.values()) >= 2


@pytest.mark.parametrize("kind", [kind for kind in PACKAGE_KINDS if kind != "run-hooks"])
def test_a_new_strategy_is_listed_with_a_parameter_and_keeps_the_rules(
    packages: dict[str, Path], kind: str
) -> None:
    provided = Registry.installed().find(kind, f"own-{kind}")

    assert provided.plugin.distribution == f"cfft-own-{kind}"
    assert provided.plugin.version == "0.1.0"
    assert provided.declaration.params
    assert list(complaints([provided])) == []


def test_a_method_of_new_strategies_alone_is_trained_and_its_hooks_are_called(
    packages: dict[str, Path], cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "method.toml").write_text(METHOD)
    out = tmp_path / "RUN"

    ended = cfft_command("run", "--config", str(tmp_path / "method.toml"), "--out", str(out))

    assert ended.code == 0, ended.err
    results = json.loads((out / "results.json").read_text("utf-8"))
    chosen = {kind: results["config"][kind] for kind in ("mask", "fill", "average", "merge")}
    assert {kind: table["use"] for kind, table in chosen.items()} == {
        kind: f"own-{kind}" for kind in chosen
    }
    assert list(results["sets"]) == ["light", "dark"]
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["run"] == str(out)
    assert float(line["ood_average"]) == results["ood_average"]


@pytest.mark.parametrize("kind", PACKAGE_KINDS)
def test_a_package_is_complete(packages: dict[str, Path], kind: str) -> None:
    folder = packages[kind]
    module = f"cfft_own_{kind.replace('-', '_')}"
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]

    assert {
        "pyproject.toml",
        "README.md",
        ".gitignore",
        ".github/workflows/tests.yml",
        f"src/{module}/__init__.py",
        f"src/{module}/py.typed",
        f"tests/test_{module.removeprefix('cfft_')}.py",
    } <= written
    assert project["entry-points"]["cfft"] == {module.removeprefix("cfft_"): module}
    assert {"build", "twine"} <= set(project["optional-dependencies"]["dev"])


def test_the_command_writes_a_package_and_says_how_to_go_on(
    cfft_command: Command, tmp_path: Path
) -> None:
    ended = cfft_command("plugins", "new", "saliency", "--kind", "mask", "--out", str(tmp_path))

    folder = tmp_path / "cfft-saliency"
    assert (ended.code, ended.err) == (0, "")
    assert f"{folder}: the package cfft-saliency with the mask 'saliency'" in ended.out
    assert f"cd {folder}" in ended.out
    assert 'pip install -e ".[dev]"' in ended.out
    module = folder / "src" / "cfft_saliency" / "__init__.py"
    assert '@cfft.mask("saliency")\nclass SaliencyMask' in module.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["cfft-saliency"]


def test_a_folder_that_exists_is_left_as_it_is(cfft_command: Command, tmp_path: Path) -> None:
    (tmp_path / "cfft-saliency").mkdir()

    ended = cfft_command("plugins", "new", "saliency", "--kind", "mask", "--out", str(tmp_path))

    assert ended.code == 2
    assert ended.err == (
        f"error: {tmp_path}/cfft-saliency exists: give another NAME, or another folder with --out\n"
    )
    assert list((tmp_path / "cfft-saliency").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("saliency", "maks", "unknown kind 'maks'; did you mean 'mask'?"),
        ("sali ency", "mask", "'sali ency' is no name for a package: use letters, digits, - and _"),
        ("../saliency", "mask", "is no name for a package"),
        ("-saliency", "mask", "unknown option -saliency"),
        ("saliency-", "mask", "is no name for a package"),
        ("cfft-", "mask", "is no name for a package"),
        ("s" * 31, "mask", "30 characters at most"),
        ("object", "mask", "'object' is taken: mask 'object' is provided by masks (cfft 0.1.0)"),
        ("cfft-object", "mask", "'object' is taken: mask 'object' is provided by masks"),
        ("none", "merge", "'none' is taken: a merge cannot be called so"),
        ("none", "average", "'none' is taken: an average cannot be called so"),
        ("masks", "mask", "'masks' is taken: a module cfft_masks is installed"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_one_line(
    cfft_command: Command, tmp_path: Path, name: str, kind: str, words: str
) -> None:
    ended = cfft_command("plugins", "new", "--kind", kind, "--out", str(tmp_path), name)

    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_installed_is_not_begun_again(
    cfft_command: Command, install: Install, tmp_path: Path
) -> None:
    install("cfft-saliency", "", "2.1")

    ended = cfft_command("plugins", "new", "Saliency", "--kind", "fill", "--out", str(tmp_path))

    assert ended.code == 2
    assert "'Saliency' is taken: the package cfft-saliency 2.1 is there" in ended.err


@pytest.mark.parametrize(
    ("name", "kind", "distribution", "module", "class_name"),
    [
        ("saliency", "mask", "cfft-saliency", "cfft_saliency", "SaliencyMask"),
        ("cfft-two_words", "fill", "cfft-two-words", "cfft_two_words", "TwoWordsFill"),
        ("late-average", "average", "cfft-late-average", "cfft_late_average", "LateAverage"),
        ("3d", "suite", "cfft-3d", "cfft_3d", "Suite3d"),
    ],
)
def test_names_follow_from_one(
    name: str, kind: str, distribution: str, module: str, class_name: str
) -> None:
    package = NewPackage.checked(name, kind, NONE)

    assert (package.distribution, package.module) == (distribution, module)
    assert package.class_name == class_name
