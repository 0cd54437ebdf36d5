"""Workflows, citation and the list of licences agree with pyproject.toml and tox.ini."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
pytestmark = pytest.mark.skipif(
    not WORKFLOWS, reason="a source distribution, without the workflows of the repository"
)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_the_workflow_tests_every_python_that_is_promised() -> None:
    promised = [
        c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3[.]\d+$", c)
    ]

    tested = read(ROOT / ".github/workflows/tests.yml")["jobs"]["tests"]["strategy"]["matrix"]

    assert tested["python"] == promised == ["3.11", "3.12", "3.13"]


def test_every_environment_that_a_workflow_names_is_one_of_tox() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")

    asked = re.findall(r"tox -e ([\w,]+)", "".join(path.read_text("utf-8") for path in WORKFLOWS))
    named = {name for each in asked for name in each.split(",")}

    assert {"docs", "wheel", "reproducible", "lowest", "lint"} <= named
    assert {n for n in named if n != "py"} <= {s.removeprefix("testenv:") for s in tox.sections()}


def test_the_citation_names_the_paper_and_this_version() -> None:
    cited = read(ROOT / "CITATION.cff")
    paper = cited["preferred-citation"]

    assert (cited["cff-version"], cited["version"]) == ("1.2.0", version("cfft"))
    assert cited["license"] == PROJECT["license"]
    assert paper["title"] == ("Masked Images Are Counterfactual Samples for Robust Fine-tuning")
    assert paper["authors"][0] == {"family-names": "Xiao", "given-names": "Yao"}
    assert paper["year"] == 2023


def test_the_licence_of_every_direct_dependency_is_listed() -> None:
    extras = (line for own in PROJECT["optional-dependencies"].values() for line in own)
    direct = {canonicalize_name(Requirement(r).name) for r in (*PROJECT["dependencies"], *extras)}

    lines = (ROOT / "docs" / "licences.md").read_text("utf-8").splitlines()
    listed = {line.split(" | ")[0].removeprefix("| "): line for line in lines}

    assert sorted(direct - set(listed)) == []
    assert [name for name in direct if "see its files" in listed[name]] == []
