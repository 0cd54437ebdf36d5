"""The examples of docs/python.md, run one after another on a tiny CLIP and a tiny world."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def examples(
    world: Path, clip: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Return the page's examples with the tiny model in the place of the published one."""
    shutil.copytree(world / "sunny", tmp_path / "images" / "train")
    shutil.copytree(world / "dark", tmp_path / "images" / "ood" / "dark")
    monkeypatch.chdir(tmp_path)
    config, weights = map(str, clip)
    text = PAGE.read_text("utf-8").replace('"ViT-B-32"', repr(config))
    return BLOCK.findall(text.replace('"openai"', repr(weights)))


@pytest.mark.filterwarnings("ignore:.*27 training images:UserWarning")
@pytest.mark.filterwarnings("ignore:mine does not say:UserWarning")
def test_the_examples_of_the_page_run_in_their_order(
    examples: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    namespace: dict[str, Any] = {}

    for example in examples:
        exec(compile(example, str(PAGE), "exec"), namespace)

    printed = capsys.readouterr()
    assert "unknown option 'treshold'; did you mean 'threshold'?" in printed.out
    assert "['a', 'mine']" in printed.out
    assert printed.err == ""
    assert set(namespace["found"].labels) <= set(namespace["results"]["classes"])
    assert namespace["results"]["sets"].keys() == {"test", "dark"}
