"""The core knows kinds of strategy, never a strategy."""

import ast
from pathlib import Path

import pytest

import cfft
from cfft.plugin.kinds import KINDS
from cfft.plugin.registry import Registry

CORE = Path(cfft.__file__).parent
MODULES = sorted(path.relative_to(CORE).as_posix() for path in CORE.rglob("*.py"))
BUILT_IN = {
    provided.declaration.name
    for provided in Registry.installed().provided
    if provided.plugin.distribution == "cfft"
} - set(KINDS)
ALLOWED = {
    # "none" is what the command line and messages call an absent value; "all", "head" and "mean"
    # are words
    "*": {"none", "all", "head", "mean"},
    # there they are the names of the libraries whose transformers that file reads
    "encoder/towers.py": {"open_clip", "timm"},
    # there it is what users write for weights that no training has made
    "training/starting_model.py": {"random"},
}


def strings_of(module):
    """Collect the string constants of a module; doc-strings are none of them in full."""
    tree = ast.parse((CORE / module).read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("module", MODULES)
def test_no_string_of_the_core_is_the_name_of_a_built_in(module):
    named = strings_of(module) & BUILT_IN

    assert named - ALLOWED["*"] - ALLOWED.get(module, set()) == set()


def test_the_search_knows_the_built_ins():
    assert {"object", "multi", "relevance", "feature-mse"} <= BUILT_IN
