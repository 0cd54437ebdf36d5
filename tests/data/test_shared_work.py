"""Processes that share work out, go on together, or end together."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import attrs
import pytest
from PIL import Image

from cfft.data.check import Unreadable, find_unreadable
from cfft.errors import DataError, OtherProcessError
from cfft.runtime.processes import ALONE, Processes


@attrs.frozen(eq=False)
class Greys:
    """Grey images of which every 50th cannot be read; counts how often each is."""

    count: int
    name: str = "greys"
    classes: tuple[int, ...] = (0,)
    reads: Counter[int] = attrs.field(factory=Counter)

    @property
    def labels(self) -> tuple[int, ...]:
        return (0,) * self.count

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Image.Image:
        self.reads[index] += 1
        if index % 50 == 0:
            raise DataError(f"{index}: truncated")
        return Image.new("RGB", (1, 1))

    def identify(self, index: int) -> str:
        return f"{index}.png"


def two_processes() -> list[Processes]:
    """Return two processes that are threads."""
    met, said = Barrier(2), {}

    def joining(index: int) -> Any:
        def join(found: list[Any]) -> list[Any]:
            said[index] = found
            met.wait()
            joined = [*said[0], *said[1]]
            met.wait()
            return joined

        return join

    return [Processes(index, 2, joining(index)) for index in range(2)]


def on_both(action: Any) -> list[Any]:
    """Return what `action(processes)` returns or raises on each of two processes."""

    def attempt(processes: Processes) -> Any:
        try:
            return action(processes)
        except Exception as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(attempt, two_processes()))


def places(found: list[Unreadable]) -> list[tuple[str, int, str]]:
    return [(image.images.name, image.index, image.reason) for image in found]


def test_processes_decode_each_image_once_and_find_the_same() -> None:
    sets = [Greys(201), Greys(60, "others"), Greys(0)]

    first, second = on_both(lambda processes: find_unreadable(sets, processes=processes))

    assert (
        places(first)
        == places(second)
        == places(find_unreadable([Greys(201), Greys(60, "others")]))
    )
    assert sets[0].reads == Counter(range(201))
    assert sets[1].reads == Counter(range(60))


def test_progress_is_that_of_all_processes() -> None:
    heard: dict[int, list[int]] = {0: [], 1: []}

    on_both(
        lambda processes: find_unreadable([Greys(201)], heard[processes.index].append, processes)
    )

    assert heard == {0: [128, 201], 1: [128, 146]}


def test_the_main_process_acts_alone() -> None:
    assert on_both(lambda processes: processes.on_main(lambda: "written")) == ["written", None]
    assert ALONE.on_main(lambda: "written") == "written"


def test_what_the_main_process_finds_is_known_to_all() -> None:
    found = on_both(lambda processes: processes.from_main(lambda: processes.index))

    assert found == [0, 0]
    assert ALONE.from_main(lambda: "found") == "found"


def test_where_the_main_process_fails_all_end() -> None:
    def write() -> None:
        raise OSError("the disk is full")

    main, other = on_both(lambda processes: processes.on_main(write))

    assert isinstance(main, OSError)
    assert str(main) == "the disk is full"
    assert isinstance(other, OtherProcessError)


def test_an_error_in_the_work_of_one_process_ends_all_where_they_meet() -> None:
    def work(processes: Processes) -> None:
        list(processes.guarded(1 / (index - 2) for index in processes.share(range(4))))
        processes.agree()

    main, other = on_both(work)

    assert isinstance(main, ZeroDivisionError)
    assert isinstance(other, OtherProcessError)


def test_a_single_process_raises_what_went_wrong() -> None:
    with pytest.raises(ZeroDivisionError):
        ALONE.on_main(lambda: 1 / 0)
