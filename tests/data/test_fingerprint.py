"""Fingerprints of image sets; the literal ones are those of runs and evaluations that exist."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from cfft.data.fingerprint import fingerprint, set_fingerprint, sets_fingerprint


@attrs.frozen
class Listed:
    """Hold a set without pixels."""

    name: str
    names: Sequence[str]
    labels: Sequence[int]
    classes: Sequence[int] = (0, 1)

    def __len__(self) -> int:
        return len(self.names)

    def identify(self, index: int) -> str:
        return self.names[index]


def test_names_and_labels_have_the_fingerprint_that_they_always_had() -> None:
    found = fingerprint(["a/1.png", "b/ü.png"], [0, 1])

    assert found == "e3e4f1e2d74c6da1779f5451e8362198a34a00ff1444e40f421db5bb2e8fd6e7"


def test_originals_have_the_fingerprint_that_seeds_their_bootstrap() -> None:
    found = fingerprint(["x"], [])

    assert found == "446c872cd7d31cbfd7f1112ed134266a046c07362c812c94d43f034910a14d45"


def test_the_sets_of_a_run_have_the_fingerprint_that_its_checkpoint_holds() -> None:
    found = sets_fingerprint(
        [
            Listed("train", ["a/1.png", "b/2.png"], [0, 1]),
            Listed("val", ["a/3.png"], [0]),
            Listed("photo", ["b/ü.png"], [1]),
            Listed("art", ["c.png"], [1]),
        ]
    )

    assert found == "e201a28197cd5fc1e79d33e3888607a2f353768923ccf2a934d3bac591d40017"


def test_a_set_has_the_fingerprint_of_its_names_and_labels_whatever_it_is_called() -> None:
    one, other = (Listed(name, ["a/1.png"], [0]) for name in ("photo", "test"))

    assert set_fingerprint(one) == set_fingerprint(other) == fingerprint(["a/1.png"], [0])
    assert set_fingerprint(one) != set_fingerprint(Listed("photo", ["a/1.png"], [1]))
