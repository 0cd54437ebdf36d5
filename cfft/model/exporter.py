"""What exporters are handed, and the interface of those who write models for other programs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cfft.plugin.interface import Interface, attribute

if TYPE_CHECKING:
    from torch import Tensor

    from cfft.encoder.encoder import Classifier
    from cfft.model.description import ModelDescription
    from cfft.model.pretrained import Pretrained
    from cfft.records import Encoded, Preprocessing


@attrs.frozen(eq=False)
class ExportSource:
    """Hold a model that is to be exported.

    `classifier`: on the CPU, in float32 and in evaluation mode; adapters are folded into its
    weights. `start`: the model as it was before fine-tuning, with its text tower (`text`) and the
    configuration of its library (`config`); None unless the exporter has `reads_text`.
    """

    classifier: Classifier
    description: ModelDescription
    start: Pretrained | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names by index."""
        return self.description.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """The size, resizing and colours that the encoder wants."""
        return self.description.preprocessing


class Exporter(Interface):
    """Write models in the format of another program."""

    @abstractmethod
    def export(self, model: ExportSource, folder: Path) -> None:
        """Write `model` into an existing folder that holds the file of its head already.

        Preprocessing goes along. What lies in the folder is published as it is: write no path of
        this machine. README.md, classes.json and head.safetensors are cfft's own. Raises
        WeightsError where the format has no place for the model.
        """

    @abstractmethod
    def reload(self, folder: Path) -> Callable[[Tensor], Encoded]:
        """Load what `export` wrote with the program that it is for.

        Return a function from images [B, 3, H, W], float32 in 0..1 and of the model's size, to
        features [B, D], un-normalised, and logits [B, K]. cfft compares them with the model's own
        for several B before it says that an export is done.
        """

    def require(self, description: ModelDescription) -> None:
        """Raise ConfigError or WeightsError where nothing can be exported, before weights are read.

        That is a package that is not installed, or a model of another family. Default: nothing.
        """

    def usage(self, model: ExportSource) -> str:
        """Return Python code for the model card that loads the export and labels an image.

        It begins with the folder of the card as its working directory. Default: none.
        """
        return ""

    @attribute
    def library(self) -> str:
        """What the Hugging Face hub calls the program that loads it. Default: nothing."""
        return ""

    @attribute
    def reads_text(self) -> bool:
        """Whether `export` needs the text tower. Default: False."""
        return False

    @attribute
    def tolerance(self) -> float:
        """Largest difference that `reload` may show, relative to the largest value.

        Default: 1e-4, which leaves room for another order of the same float32 sums.
        """
        return 1e-4
