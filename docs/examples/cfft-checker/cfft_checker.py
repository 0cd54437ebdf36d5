import torch

import cfft


@cfft.mask("checker")
class CheckerMask:
    """Hide every n-th patch, as on a chessboard."""

    period: int = cfft.param(2, help="distance between hidden patches", ge=2)

    def select(self, batch, view):
        rows, columns = (torch.arange(n, device=batch.images.device) for n in view.grid)
        hidden = (rows[:, None] + columns) % self.period == 0
        return cfft.MaskSelection(hidden.expand(len(batch.images), -1, -1))


@cfft.hookimpl
def cfft_masks():
    return [CheckerMask]
