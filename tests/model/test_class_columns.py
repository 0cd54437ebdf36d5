"""Models and suites whose classes are alike, permuted, or not."""

import pytest

from cfft.errors import DataError
from cfft.model.class_columns import class_columns


def columns(known, wanted):
    return class_columns("model 'a'", known, "'folder'", wanted)


def test_the_same_classes_in_the_same_order_need_no_change_even_where_two_share_a_name() -> None:
    assert columns(("crane", "cat", "crane"), ("crane", "cat", "crane")) is None


def test_classes_in_another_order_are_found_by_name() -> None:
    assert columns(("cat", "dog", "cow"), ("cow", "cat", "dog")).tolist() == [2, 0, 1]


def test_a_suite_may_have_fewer_classes() -> None:
    assert columns(("cat", "dog", "cow"), ("cow",)).tolist() == [2]


def test_unknown_classes_are_listed_with_both_label_spaces() -> None:
    with pytest.raises(DataError, match=r"model 'a' knows 2 .*'cat', 'dog'.*'folder' has 2.*'cow'"):
        columns(("cat", "dog"), ("cat", "cow"))


def test_a_name_of_two_classes_in_another_order_is_refused() -> None:
    with pytest.raises(DataError, match=r"'crane' is the name of two"):
        columns(("crane", "cat", "crane"), ("cat", "crane", "crane"))


def test_accents_may_be_stored_in_two_ways() -> None:
    assert class_columns("model", ["caf\u00e9", "dog"], "suite", ["cafe\u0301", "dog"]) is None
