"""Random changes of training images, drawn anew for each image and epoch."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode

from cfft.errors import ConfigError, DataError, unknown_name
from cfft.records import Preprocessing
from cfft.runtime.randomness import generator

NO_AUGMENTATION = "none"
_SHORT = {"flip": "RandomHorizontalFlip", "crop": "RandomResizedCrop", "randaugment": "RandAugment"}
_LEAST_AREA = 0.9  # of a crop, as open_clip's transform for training has it
_TRIALS = 8
_FORM = "names of transforms with commas between, as in crop,flip or ColorJitter(brightness=0.4)"


@attrs.frozen
class TransformCall:
    """Hold a class of torchvision.transforms.v2 by name, with its arguments."""

    name: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Augmentation:
    """Turn a training image into a randomly changed tensor of the model's size.

    `text`: what the user asked for. `transform`: from an RGB image to [3, H, W], uint8, drawing
    from torch's global generator. `size`: (H, W). Every image is changed by draws from (`seed`,
    `purpose`, its number), whichever process reads it, and the global generator is left as it was.
    """

    text: str
    transform: Callable[[Any], Tensor]
    size: tuple[int, int]
    seed: int
    purpose: str = "augment"

    def __call__(self, image: Image.Image, number: int) -> Tensor:
        """Return [3, H, W], uint8; raises DataError where the transforms make something else.

        `number`: the image's place in the order of its epoch, counted through the run.
        """
        with _drawing_from(generator(self.seed, self.purpose, step=number)):
            made = self.transform(image)
        wanted = (3, *self.size)
        if not isinstance(made, Tensor) or made.dtype != torch.uint8 or made.shape != wanted:
            seen = f"{made.dtype} {list(made.shape)}" if isinstance(made, Tensor) else type(made)
            raise DataError(
                f"--augment {self.text} (training.augment) must keep images RGB and of their size, "
                f"uint8 {list(wanted)}, and made {seen}"
            )
        return made


def parse_augmentation(text: str) -> tuple[TransformCall, ...]:
    """Read what --augment says, nothing for `none`; raises ConfigError for anything else."""
    if text == NO_AUGMENTATION:
        return ()
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
        return tuple(map(_call, parsed.elts if isinstance(parsed, ast.Tuple) else [parsed]))
    except (SyntaxError, ValueError):
        raise ConfigError(
            f"--augment (training.augment): got {text!r:.80}, allowed: none, or {_FORM}"
        ) from None


def make_augmentation(text: str, preprocessing: Preprocessing, seed: int) -> Augmentation | None:
    """Return what changes training images, None for `none`.

    A crop takes the place of the model's own resizing; all others see images of the model's size.
    Raises ConfigError for transforms that do not exist, that cannot be made so, and that do not
    keep an image RGB and of its size.
    """
    calls = parse_augmentation(text)
    if not calls:
        return None
    from torchvision.transforms import v2  # a run without augmentation does not wait for it

    crops = [call for call in calls if call.name == _SHORT["crop"]]
    if len(crops) > 1:
        raise ConfigError(f"--augment {text} (training.augment): crop is given twice")
    others = [_made(text, call, preprocessing) for call in calls if call not in crops]
    sized = [_made(text, call, preprocessing) for call in crops] or _centred(preprocessing)
    transform = v2.Compose([*sized, *others, v2.PILToTensor()])
    found = Augmentation(text, transform, preprocessing.size, seed)
    _try(found)
    return found


def _call(node: ast.expr) -> TransformCall:
    """Read NAME or NAME(...) with literal arguments; raises ValueError for anything else."""
    arguments, keywords = (), {}
    if isinstance(node, ast.Call):
        arguments = tuple(map(ast.literal_eval, node.args))
        keywords = {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
        node = node.func
    if not isinstance(node, ast.Name):
        raise ValueError("no name")
    return TransformCall(_SHORT.get(node.id, node.id), arguments, keywords)


def _made(text: str, call: TransformCall, preprocessing: Preprocessing) -> Any:
    from torchvision.transforms import v2

    known = {name: found for name, found in vars(v2).items() if _is_transform(found)}
    if call.name not in known:
        message = unknown_name("transform", call.name, [*_SHORT, *known])
        raise ConfigError(f"--augment {text} (training.augment): {message}")
    try:
        return known[call.name](*call.arguments, **{**_usual(call, preprocessing), **call.keywords})
    except Exception as error:
        raise ConfigError(
            f"--augment {text} (training.augment): torchvision's {call.name} cannot be made so: "
            f"{_in_a_line(error)}"
        ) from error


def _is_transform(found: Any) -> bool:
    from torchvision.transforms import v2

    return isinstance(found, type) and issubclass(found, v2.Transform) and found is not v2.Transform


def _usual(call: TransformCall, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the arguments of short names that depend on the model."""
    grey = [round(255 * channel) for channel in preprocessing.mean]
    mode = InterpolationMode(preprocessing.interpolation)
    if call.name == _SHORT["crop"]:
        return {"size": preprocessing.size, "interpolation": mode, "scale": (_LEAST_AREA, 1.0)}
    if call.name == _SHORT["randaugment"]:
        return {"interpolation": InterpolationMode.BILINEAR, "fill": grey}
    return {}


def _centred(preprocessing: Preprocessing) -> list[Any]:
    from torchvision.transforms import v2

    mode = InterpolationMode(preprocessing.interpolation)
    return [v2.Resize(preprocessing.resize, mode), v2.CenterCrop(preprocessing.size)]


def _try(augmentation: Augmentation) -> None:
    """Change a grey image a few times, so that what cannot work stops a run early."""
    height, width = augmentation.size
    image = Image.new("RGB", (2 * width, 2 * height), (120, 130, 140))
    trial = attrs.evolve(augmentation, purpose="augment-trial")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torchvision warns where it lets an image through
            for number in range(_TRIALS):
                trial(image, number)
    except DataError as error:
        raise ConfigError(*error.problems) from None
    except Exception as error:
        raise ConfigError(
            f"--augment {augmentation.text} (training.augment) cannot change an RGB image: "
            f"{_in_a_line(error)}"
        ) from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _drawing_from(rng: torch.Generator) -> Iterator[None]:
    """Let torch's global CPU generator draw what `rng` would; it is put back afterwards."""
    before = torch.default_generator.get_state()
    try:
        torch.default_generator.set_state(rng.get_state())
        yield
    finally:
        torch.default_generator.set_state(before)


def described(calls: Sequence[TransformCall]) -> str:
    """Spell transforms by torchvision's names, for the plan of a run."""
    return ", ".join(call.name for call in calls)
