"""The example that each hook carries is a working plug-in."""

import ast
import doctest
import re
import sys
from pathlib import Path

import pytest

from cfft.data.verification.verify import verify
from cfft.plugin import hookspecs
from cfft.plugin.kinds import KINDS
from cfft.plugin.new_package import NewPackage
from cfft.plugin.params import declaration
from cfft.testing import check_strategy

DOCS = Path(__file__).parents[2] / "docs"
CHECKER = DOCS / "examples" / "cfft-checker" / "cfft_checker.py"
HOOKS = [name for name in vars(hookspecs) if name.startswith("cfft_")]


def example_of(hook):
    (found,) = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, hook), hook)
    return found


def run(example):
    failures = doctest.DocTestRunner().run(example, clear_globs=False)
    return failures, example.globs


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_an_example_that_runs_and_implements_it(hook):
    failures, names = run(example_of(hook))

    assert failures.attempted > 0
    assert failures.failed == 0
    assert hasattr(names[hook], "cfft_impl")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_example_of_a_collecting_hook_returns_strategies_of_its_kind(kind):
    _, names = run(example_of(kind.hook))

    (strategy,) = names[kind.hook]()

    assert declaration(strategy).kind == kind.name


@pytest.mark.parametrize(
    "hook",
    [
        "cfft_masks",
        "cfft_fills",
        "cfft_cams",
        "cfft_teachers",
        "cfft_losses",
        "cfft_adaptations",
        "cfft_exporters",
    ],
)
def test_the_example_of_a_hook_keeps_the_rules_of_its_kind(hook):
    _, names = run(example_of(hook))

    (strategy,) = names[hook]()

    check_strategy(strategy)


def written_example(start: str = "from PIL"):
    """Return what the one example of hooks.md that begins so defines."""
    page = (DOCS / "hooks.md").read_text("utf-8")
    (source,) = re.findall(rf"```python\n({start} .*?)```", page, re.DOTALL)
    names = {}
    exec(source, names)
    return names


def test_the_suite_of_the_page_keeps_the_rules_of_its_kind():
    (suite,) = written_example()["cfft_suites"]()

    check_strategy(suite)


def test_the_loss_of_the_page_that_reads_prompts_keeps_the_rules_of_its_kind():
    (loss,) = written_example("from torch.nn.functional")["cfft_losses"]()

    check_strategy(loss)


def test_the_suite_of_the_page_is_complete():
    (suite,) = written_example()["cfft_suites"]()

    found = verify(suite(), 0)

    assert (found.problems, found.absent) == ((), {})
    assert [each.name for each in found.sets if each.expected] == ["light"]


ADAPTATIONS = re.findall(
    r"```python\n(.*?def cfft_adaptations.*?)```",
    (DOCS / "write-an-adaptation.md").read_text("utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize("source", ADAPTATIONS)
def test_the_adaptations_of_their_page_keep_the_rules(source):
    names = {}
    exec(source, names)
    (strategy,) = names["cfft_adaptations"]()

    check_strategy(strategy)


def test_the_page_on_masks_ends_with_a_package_that_passes_its_own_test(tmp_path, monkeypatch):
    page = (DOCS / "write-a-mask.md").read_text("utf-8")
    mask, test = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    package = NewPackage("checker", "mask")
    (tmp_path / f"{package.module}.py").write_text(mask)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {}

    exec(test, names)

    tests = [each for name, each in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for each in tests:
        each()
    assert names["CheckerMask"].__module__ == package.module
    assert f"src/{package.module}/__init__.py" in package.files()
    assert 'checker = "cfft_checker"' in package.files()["pyproject.toml"]
    sys.modules.pop(package.module)


@pytest.mark.parametrize("path", NewPackage("checker", "mask").files())
def test_the_page_on_masks_lists_the_files_of_a_new_package(path):
    page = (DOCS / "write-a-mask.md").read_text("utf-8")

    assert path == ".gitignore" or f"\n      {path}" in page


def test_the_example_package_is_the_example_of_its_hook():
    shown = "".join(part.source for part in example_of("cfft_masks").examples)

    assert ast.dump(ast.parse(shown)) == ast.dump(ast.parse(CHECKER.read_text("utf-8")))
