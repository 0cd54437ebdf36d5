"""What `cfft` exports can be imported and hides no module."""

import pkgutil

import pytest

import cfft

SUBMODULES = {module.name for module in pkgutil.iter_modules(cfft.__path__)}


@pytest.mark.parametrize("name", cfft.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(cfft, name) is not None


def test_no_public_name_is_called_like_a_module():
    assert SUBMODULES & set(cfft.__all__) == set()
