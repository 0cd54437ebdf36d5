"""Models in memory: a classifier with its description, and its predictions for single images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import torch
from PIL import Image
from torch import Tensor

from cfft.data.images import as_rgb, read_image
from cfft.data.transform import image_transform
from cfft.encoder.encoder import Classifier, Encoder, Head
from cfft.errors import DataError, WeightsError
from cfft.model.class_columns import class_columns
from cfft.model.description import ModelDescription
from cfft.records import Preprocessing
from cfft.scoring.predictions import not_finite

ImageSource = str | Path | Image.Image


@attrs.frozen(eq=False)
class PredictedClasses:
    """Hold the likeliest class of each image and the probabilities of all of them.

    `labels`: [B], class names. `probabilities`: [B, K], float32, in the order of the model's
    `classes`.
    """

    labels: tuple[str, ...]
    probabilities: Tensor


@attrs.frozen(eq=False)
class LoadedModel:
    """Hold a classifier and its description.

    It comes on the CPU and in float32; `model.classifier.to("cuda")` moves it. `columns`: [K],
    int64, the outputs of its head that its classes have; None: all, in the same order.
    """

    classifier: Classifier
    description: ModelDescription
    columns: Tensor | None = None

    @property
    def encoder(self) -> Encoder:
        """The encoder: images [B, 3, H, W] in 0..1 -> features [B, D]."""
        return self.classifier.encoder

    @property
    def head(self) -> Head:
        """The head: features [B, D] -> logits, one per output."""
        return self.classifier.head

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names by index."""
        return self.description.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """The size, resizing and colours that its encoder wants."""
        return self.description.preprocessing

    def for_classes(self, label: str, suite: str, classes: Sequence[str]) -> LoadedModel:
        """Return this model with `classes`, matched by name; `label` and `suite` are for messages.

        Raises DataError for classes that it does not know, ConfigError for preprocessing that
        cannot be done.
        """
        image_transform(self.preprocessing)  # raises for what cannot be done to images
        columns = class_columns(f"model '{label}'", self.classes, f"'{suite}'", classes)
        description = attrs.evolve(self.description, classes=tuple(classes))
        return LoadedModel(self.classifier, description, columns)

    def logits(self, images: Tensor) -> Tensor:
        """Return logits [B, K] of images [B, 3, H, W] in 0..1, in the dtype of autocast."""
        logits: Tensor = self.classifier(images).logits
        return logits if self.columns is None else logits[:, self.columns.to(logits.device)]

    def preprocess(self, image: Image.Image) -> Tensor:
        """Return an image of any size and mode as the model wants it: [3, H, W], float, 0..1.

        Mean and standard deviation are the encoder's business.
        """
        pixels = image_transform(self.preprocessing)(as_rgb(image))  # [3, H, W], uint8
        return pixels.float() / 255

    def predict(
        self, images: Tensor | Sequence[ImageSource], batch_size: int = 64
    ) -> PredictedClasses:
        """Label images: paths and PIL images, or a tensor as `preprocess` gives it, stacked.

        `images` as a tensor: [B, 3, H, W], float, 0..1. Computes where the model is, without
        gradients, `batch_size` images at a time. Raises DataError for anything else and for images
        that cannot be read, WeightsError for logits that are not finite.
        """
        _require_images(images)
        starts = range(0, len(images), batch_size)
        with torch.no_grad():
            logits = torch.cat([self._batch_logits(images[i : i + batch_size]) for i in starts])
        wrong = not_finite(logits, [f"image {index}" for index in range(len(logits))])
        if wrong is not None:
            raise WeightsError(f"the model's {wrong}: its weights are broken or values overflow")
        probabilities = logits.softmax(dim=1)  # [B, K]
        labels = tuple(self.classes[index] for index in probabilities.argmax(dim=1).tolist())
        return PredictedClasses(labels, probabilities)

    def _batch_logits(self, images: Tensor | Sequence[ImageSource]) -> Tensor:
        """Return logits [B, K] as float32 on the CPU."""
        batch = images if isinstance(images, Tensor) else torch.stack([*map(self._read, images)])
        return self.logits(batch.to(self.head.weight)).float().cpu()

    def _read(self, image: ImageSource) -> Tensor:
        opened = image if isinstance(image, Image.Image) else read_image(Path(image))
        return self.preprocess(opened)


def require_pixels(images: object) -> None:
    """Raise DataError unless `images` is a float tensor [B, 3, H, W] in 0..1."""
    if not isinstance(images, Tensor):
        raise DataError(f"images must be a tensor [B, 3, H, W], got {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise DataError(
            f"images must be float [B, 3, H, W] in 0..1, got {images.dtype} {list(images.shape)}"
        )
    if len(images) == 0:
        raise DataError("images must be at least one, got none")
    low, high = images.aminmax()
    if low < 0 or high > 1:
        raise DataError(
            f"images must be in 0..1, got {low:.3g} to {high:.3g}: divide by 255, and leave mean "
            "and std to the model"
        )


def _require_images(images: object) -> None:
    if isinstance(images, Tensor):
        require_pixels(images)
    elif isinstance(images, (str, Path, Image.Image)):
        raise DataError("predict takes a list of images: predict([image])")
    elif not isinstance(images, Sequence) or not images:
        raise DataError(f"predict takes a list of at least one image, got {images!r:.60}")
    else:
        for each in images:
            if not isinstance(each, (str, Path, Image.Image)):
                raise DataError(
                    "predict takes paths and PIL images, or one tensor [B, 3, H, W]; the list has "
                    f"a {type(each).__name__}"
                )
