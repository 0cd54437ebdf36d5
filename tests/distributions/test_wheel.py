"""Wheel and sdist hold what they should, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    "cfft",
    "cfft_backbones",
    "cfft_exporters",
    "cfft_cams",
    "cfft_fills",
    "cfft_losses",
    "cfft_masks",
    "cfft_suites",
    "cfft_teachers",
]
SOURCES = [
    *(path.relative_to(ROOT) for path in ROOT.glob("cfft/**/*.*")),
    *(path.relative_to(ROOT / "plugins") for path in ROOT.glob("plugins/**/*.*")),
]
SHIPPED = sorted(path.as_posix() for path in SOURCES if path.suffix != ".pyc")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and the wheel from it, with the build back end that is installed."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        yield {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_holds_every_source_file_and_no_other(wheel):
    held = sorted(name for name in wheel.namelist() if ".dist-info/" not in name)

    assert held == SHIPPED


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(wheel, package):
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_wheel_holds_recipes_and_the_stub_of_the_public_api(wheel):
    assert {"cfft/__init__.pyi", "cfft/recipes/defaults.toml"} <= set(wheel.namelist())


def test_the_wheel_declares_its_command_its_licence_and_a_plug_in_a_package(wheel):
    (folder,) = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    points = wheel.read(f"{folder}/entry_points.txt").decode()
    metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())

    assert "cfft = cfft.cli:main" in points
    assert [p for p in PACKAGES if f"= {p}\n" not in points] == ["cfft"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()


@pytest.mark.parametrize("path", ["tests/contracts/test_docs.py", "docs/hooks.md", "tox.ini"])
def test_the_sdist_holds_tests_and_pages(sdist, path):
    assert path in sdist
