"""Rows of several processes: in the images' order, each once, moved in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from cfft.scoring.gathering import GatheredRows, in_order, own_indices


@pytest.mark.parametrize(("images", "processes"), [(5, 1), (5, 2), (6, 3), (2, 4), (1, 3)])
def test_what_processes_share_out_comes_back_in_order_and_once(images: int, processes: int) -> None:
    shares = [torch.tensor(own_indices(images, p, processes)) for p in range(processes)]

    ordered = in_order(torch.cat(shares), processes)

    assert ordered[:images].tolist() == list(range(images))
    assert len({len(share) for share in shares}) == 1


def collect(collected: GatheredRows, batches: Iterable[Tensor]) -> list[int]:
    """Add all batches; return how many images were added after each."""
    heard = []
    for batch in batches:
        collected.add(batch)
        heard.append(collected.added)
    return heard


def counting(gathered: list[int]) -> Callable[[Tensor], Tensor]:
    """Return the gather of a single process, which notes how many rows it was given."""

    def gather(rows: Tensor) -> Tensor:
        gathered.append(len(rows))
        return rows

    return gather


@pytest.mark.parametrize(
    ("held_bytes", "pieces"), [(0, [2, 2, 1]), (32, [4, 1]), (33, [5]), (40, [5])]
)
def test_rows_move_once_so_many_bytes_of_them_wait(held_bytes: int, pieces: list[int]) -> None:
    rows, gathered = torch.arange(10.0).reshape(5, 2), []
    collected = GatheredRows(5, 1, counting(gathered), held_bytes)

    collect(collected, rows.split(2))  # 8 bytes a row

    assert torch.equal(collected.all(), rows)
    assert gathered == pieces


def test_rows_may_have_any_shape_and_are_counted_while_they_come() -> None:
    rows = torch.arange(12.0).reshape(2, 3, 2)
    collected = GatheredRows(2, 1, lambda rows: rows, held_bytes=0)

    assert collected.added == 0
    assert collect(collected, [rows]) == [2]
    assert torch.equal(collected.all(), rows)


def test_the_rows_of_two_processes_are_pieced_together() -> None:
    own, others = (
        torch.tensor([[0.0], [2.0], [4.0]]),
        iter(torch.tensor([[[1.0]], [[3.0]], [[4.0]]])),
    )
    collected = GatheredRows(5, 2, lambda rows: torch.cat([rows, next(others)]), held_bytes=0)

    heard = collect(collected, own.split(1))

    assert collected.all().flatten().tolist() == [0, 1, 2, 3, 4]
    assert heard == [2, 4, 5]


def test_without_rows_there_is_nothing_to_return() -> None:
    with pytest.raises(ValueError, match="no rows"):
        GatheredRows(5, 1, lambda rows: rows).all()
