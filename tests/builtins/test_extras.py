"""Suites that need a package of an extra can be listed and chosen without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cfft import ConfigError
from cfft_suites.extras import extra_module


def test_a_missing_package_is_answered_with_what_to_install() -> None:
    requires = {"no_such_module": "cfft[odd]"}

    with pytest.raises(ConfigError, match=r"suite 'odd' needs .*: pip install 'cfft\[odd\]'"):
        extra_module("odd", "no_such_module.part", requires)


def test_listing_suites_imports_none_of_the_packages() -> None:
    program = """if True:
        import sys
        from cfft.plugin.registry import Registry
        Registry.installed().of_kind("suite")
        print({"datasets", "webdataset", "wilds", "torch"} & sys.modules.keys())
    """

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout == "set()\n", done.stderr
