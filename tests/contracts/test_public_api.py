"""All names that `cfft` exports can be imported, and none hides a module."""

import inspect
import pkgutil
import subprocess
import sys

import pytest

import cfft

SUBMODULES = {module.name for module in pkgutil.iter_modules(cfft.__path__)}


@pytest.mark.parametrize("name", cfft.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(cfft, name) is not None


def test_no_public_name_is_called_like_a_module():
    assert SUBMODULES & set(cfft.__all__) == set()


def test_the_functions_are_there_before_torch_is():
    code = "import cfft, sys; cfft.run, cfft.evaluate; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", ["run", "evaluate", "starting_model", "training_step"])
def test_an_editor_shows_the_keywords_of_a_function_and_an_example(name):
    function = getattr(cfft, name)

    assert "parameters" in inspect.signature(function).parameters
    assert len(inspect.signature(function).parameters) > 5
    assert f"cfft.{name}(" in inspect.getdoc(function)
