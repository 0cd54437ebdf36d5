"""The core is fourteen rooms and four modules; each room says what it is for."""

import ast
from pathlib import Path

import pytest

import cfft

CORE = Path(cfft.__file__).parent
ROOMS = sorted(path.parent for path in CORE.glob("*/__init__.py"))


def test_no_module_stands_beside_the_rooms() -> None:
    modules = {path.name for path in CORE.glob("*.py")}

    assert len(ROOMS) == 14
    assert modules == {"__init__.py", "__main__.py", "errors.py", "records.py"}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_says_what_it_is_for_and_what_it_leaves_to_others(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    purpose, _, limits = said.partition("\n\n")

    assert 20 < len(purpose) < 100
    assert len(limits.split()) > 5
