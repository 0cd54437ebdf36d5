"""Every installed strategy, cfft's own among them, keeps the rules of its kind."""

import pytest

from cfft.plugin.registry import Registry
from cfft.testing import check_declaration, check_strategy

STEP_KINDS = ("mask", "fill", "cam", "loss", "adaptation", "teacher")
INSTALLED = [provided.declaration for provided in Registry.installed().provided]


def name_of(declared) -> str:
    return f"{declared.kind}-{declared.name}"


@pytest.mark.parametrize("declared", INSTALLED, ids=name_of)
def test_every_installed_strategy_can_be_listed_and_configured(declared):
    check_declaration(declared.cls)


@pytest.mark.parametrize("declared", [d for d in INSTALLED if d.kind in STEP_KINDS], ids=name_of)
def test_every_installed_strategy_keeps_the_rules_of_its_kind(declared):
    check_strategy(declared.cls)


@pytest.mark.parametrize(
    ("mask", "values"),
    [("random", {"draw": "reference"}), ("random", {"draw": "reference", "refilled": False})],
)
def test_both_ways_of_drawing_keep_the_rules(mask: str, values: dict):
    check_strategy(Registry.installed().declaration("mask", mask).cls, values)


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        ("mask", "object", {"share": 0.5}),
        ("mask", "context", {"share": 0.5}),
        ("fill", "restyle", {"styles": "greyscale,posterise,original", "strength": 0.5}),
        ("cam", "relevance", {"of": "teacher"}),
        ("cam", "gradcam", {"of": "teacher"}),
    ],
)
def test_other_parameters_keep_the_rules(kind: str, name: str, values: dict):
    check_strategy(Registry.installed().declaration(kind, name).cls, values)
