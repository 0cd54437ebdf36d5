"""A mask for cfft by the spectral residual: what stands out, found without any model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    from torch import Tensor

_SIDE = 64
_SIGMA = 8.0  # pixels of the small image
_KERNEL = 33
_FLOOR = 1e-3  # of the mean amplitude
_SMALLEST = 1e-8


@cfft.mask("spectral")
class SpectralMask(cfft.MaskSelector):
    """Hide what stands out by the spectral residual, or all else.

    Saliency of Hou and Zhang 2007 (Eqs. 7 to 9): images of 64 x 64 grey pixels are rebuilt from
    their phase and from what their log spectrum has beyond its local mean. It looks at no model, so
    that it is the same in every epoch.
    """

    share: float = cfft.param(default=0.3, help="share of the patches to hide", ge=0, le=1)
    part: Literal["salient", "rest"] = cfft.param(
        default="salient", help="hide the most salient patches, or the least salient ones"
    )

    def hidden_per_image(self, patches: int) -> int:
        """Return how many of `patches` are hidden, the same number in every image."""
        return round(self.share * patches)

    def select(self, batch: cfft.Batch, view: cfft.StudentView) -> cfft.MaskSelection:
        """Return `hidden` and, as scores, the saliency of patches in 0..1: [B, gh, gw]."""
        from torch.nn.functional import adaptive_avg_pool2d

        found = adaptive_avg_pool2d(spectral_residual(batch.images), view.grid)[:, 0]
        scores = found / found.amax(dim=(1, 2), keepdim=True).clamp(min=_SMALLEST)
        wanted = scores if self.part == "salient" else -scores
        order = wanted.flatten(1).argsort(dim=1, descending=True, stable=True)
        count = self.hidden_per_image(order.shape[1])
        hidden = order.argsort(dim=1) < count  # [B, P]
        return cfft.MaskSelection(hidden.view_as(scores), scores, hidden_per_image=count)


def spectral_residual(images: Tensor) -> Tensor:
    """Return the saliency [B, 1, 64, 64] of images [B, 3, H, W], float32, not negative."""
    import torch
    from torch.nn.functional import avg_pool2d, interpolate, pad
    from torchvision.transforms.v2.functional import gaussian_blur

    grey = images.float().mean(dim=1, keepdim=True)
    small = interpolate(grey, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    spectrum = torch.fft.fft2(small)
    amplitude = spectrum.abs()
    # drawn images have frequencies of amplitude 0, whose phase says nothing
    floor = _FLOOR * amplitude.mean(dim=(2, 3), keepdim=True)
    log_amplitude = (amplitude + floor).clamp(min=_SMALLEST).log()
    local = avg_pool2d(pad(log_amplitude, (1, 1, 1, 1), mode="circular"), 3, stride=1)
    residual = torch.polar((log_amplitude - local).exp(), spectrum.angle())
    saliency = torch.fft.ifft2(residual).abs().square()
    blurred: Tensor = gaussian_blur(saliency, [_KERNEL, _KERNEL], [_SIGMA, _SIGMA])
    return blurred


@cfft.hookimpl
def cfft_masks() -> list[type]:
    """Return the masks of this package."""
    return [SpectralMask]
