"""A fill for cfft that continues the surroundings into hidden patches, by OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cfft

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_BRIGHTEST = 255


@cfft.fill("inpaint")
class InpaintFill(cfft.Refiller):
    """Continue the surroundings into hidden patches, by OpenCV.

    Telea 2004 (fast marching), or Bertalmio et al. 2001 (`ns`, Navier-Stokes), image by image on
    the host, in 256 levels of brightness. An image that is hidden whole has no surroundings: it
    becomes its mean colour.
    """

    radius: float = cfft.param(default=5.0, help="pixels around each that are looked at", gt=0)
    method: Literal["telea", "ns"] = cfft.param(default="telea", help="algorithm")

    def refill(
        self, batch: cfft.Batch, selection: cfft.MaskSelection, rng: torch.Generator
    ) -> cfft.Counterfactual:
        """Return new images; pixels outside hidden patches keep their values exactly."""
        import torch
        from torch.nn.functional import interpolate

        images = batch.images
        hidden = interpolate(selection.hidden[:, None].float(), images.shape[-2:]).bool()
        pairs = zip(images.detach().cpu(), hidden[:, 0].cpu(), strict=True)
        painted = torch.stack([self._painted(image, where) for image, where in pairs])
        return cfft.Counterfactual(torch.where(hidden, painted.to(images), images))

    def _painted(self, image: Tensor, hidden: Tensor) -> Tensor:
        """Return a new image [3, H, W] of `image` and `hidden` [H, W]."""
        import cv2
        import torch

        if hidden.all():
            return image.mean(dim=(1, 2), keepdim=True).expand_as(image)
        levels = (image.float() * _BRIGHTEST).round().clamp(0, _BRIGHTEST).byte()
        flag = cv2.INPAINT_TELEA if self.method == "telea" else cv2.INPAINT_NS
        found = cv2.inpaint(
            levels.permute(1, 2, 0).contiguous().numpy(), hidden.byte().numpy(), self.radius, flag
        )
        return torch.from_numpy(found).permute(2, 0, 1).to(image.dtype) / _BRIGHTEST


@cfft.hookimpl
def cfft_fills() -> list[type]:
    """Return the fills of this package."""
    return [InpaintFill]
