"""Heads of many prompts are computed once, and never taken for another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfft.model.kept_heads import FEWEST_PROMPTS, kept_head, kept_heads_folder

PROMPTS = [f"a photo of thing {number}" for number in range(FEWEST_PROMPTS)]
FACTS = {"architecture": "tiny"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return kept_heads_folder()


@pytest.fixture
def tower() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


class Computed:
    """Give a weight, and count how often it was computed."""

    def __init__(self, value: float = 1.5) -> None:
        self.weight, self.times = torch.full((4, 2), value), 0

    def __call__(self) -> Tensor:
        self.times += 1
        return self.weight


def test_it_is_computed_once(tower: nn.Module) -> None:
    compute = Computed()

    heads = [kept_head(tower, FACTS, PROMPTS, compute) for _ in range(2)]

    assert compute.times == 1
    assert all(torch.equal(head, compute.weight) for head in heads)


def _other_weights(tower: nn.Module) -> tuple[nn.Module, dict[str, str], list[str]]:
    tower.bias.data[0] += 1e-6
    return tower, FACTS, PROMPTS


def _other_prompt(tower: nn.Module) -> tuple[nn.Module, dict[str, str], list[str]]:
    return tower, FACTS, [*PROMPTS[:-1], "a photo of something else"]


def _other_order(tower: nn.Module) -> tuple[nn.Module, dict[str, str], list[str]]:
    return tower, FACTS, PROMPTS[::-1]


def _other_facts(tower: nn.Module) -> tuple[nn.Module, dict[str, str], list[str]]:
    return tower, {"architecture": "tiny-quickgelu"}, PROMPTS


Asked = tuple[nn.Module, dict[str, str], list[str]]


@pytest.mark.parametrize("change", [_other_weights, _other_prompt, _other_order, _other_facts])
def test_another_head_is_computed(tower: nn.Module, change: Callable[[nn.Module], Asked]) -> None:
    kept_head(tower, FACTS, PROMPTS, Computed(1.0))

    found = kept_head(*change(tower), Computed(2.0))

    assert torch.equal(found, torch.full((4, 2), 2.0))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [_cut, _flip, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_made_anew(
    tower: nn.Module, folder: Path, damage: Callable[[Path], object]
) -> None:
    kept_head(tower, FACTS, PROMPTS, Computed())
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    damage(path)
    compute = Computed()

    found = kept_head(tower, FACTS, PROMPTS, compute)

    assert torch.equal(found, compute.weight)
    assert path.read_bytes() == whole


def test_nothing_is_kept_where_nothing_can_be_written(tower: nn.Module, folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.touch()
    compute = Computed()

    assert torch.equal(kept_head(tower, FACTS, PROMPTS, compute), compute.weight)
    assert folder.is_file()


def test_few_prompts_are_not_worth_a_file(tower: nn.Module, folder: Path) -> None:
    kept_head(tower, FACTS, PROMPTS[:-1], Computed())

    assert not folder.exists()
