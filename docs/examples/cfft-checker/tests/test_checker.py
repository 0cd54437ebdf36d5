import torch
from cfft_checker import CheckerMask

import cfft
from cfft.testing import FixedView, check_strategy


def test_the_mask_keeps_the_rules_of_its_kind():
    check_strategy(CheckerMask, {"period": 3})


def test_every_second_patch_is_hidden_and_rows_are_shifted():
    batch = cfft.Batch(torch.zeros(2, 3, 4, 6), torch.tensor([0, 1]))

    hidden = CheckerMask(period=2).select(batch, FixedView(torch.zeros(2, 2, 3))).hidden

    board = [[True, False, True], [False, True, False]]
    assert hidden.tolist() == [board, board]
