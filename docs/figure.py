"""Make the README's picture from two photographs that scikit-learn ships.

Run `python docs/figure.py WEIGHTS`, with ImageNet weights of timm's vit_tiny_patch16_224. The
photographs are "china" by danielbuechele and "flower" by vultilion (Flickr), CC BY 2.0.
"""

from pathlib import Path

import torch
import typer
from PIL import Image
from sklearn.datasets import load_sample_images

from cfft.data.loading import picture_transform, to_batch
from cfft.encoder import Classifier
from cfft.engine import TrainingStep
from cfft.heads import own_head
from cfft.randomness import generator
from cfft.registry import Registry
from cfft.sheet import draw_sheet

MODEL = "vit_tiny_patch16_224"
LABELS = {"china.jpg": 698, "flower.jpg": 985}  # palace and daisy, of ImageNet's classes
OUT = Path(__file__).parent / "images" / "counterfactual.png"


def main(weights: Path, threshold: float = 0.3, out: Path = OUT) -> None:
    """Write the picture: originals, maps, hidden patches, counterfactuals."""
    registry = Registry.installed()
    pretrained = registry.build("backbone", "timm", {}, {}).build(MODEL, str(weights))
    model = Classifier(pretrained.encoder, own_head(pretrained, 1000))
    chosen = {"backbone": "timm", "fill": "single"}
    step = TrainingStep(
        model,
        registry.build("mask", "object", {"threshold": threshold}, chosen),
        registry.build("fill", "single", {}, chosen),
        registry.build("cam", "relevance", {}, chosen),
        {"feature-mse": registry.build("loss", "feature-mse", {"scale": "raw"}, chosen)},
        {"clip": model},
    )
    transform = picture_transform(pretrained.preprocessing)
    images = [transform(Image.fromarray(image)) for image in load_sample_images().images]
    batch = to_batch(torch.stack(images), torch.tensor(list(LABELS.values())))
    draws = generator(0, "sheet-mask"), generator(0, "sheet-fill")
    draw_sheet(step.outputs(batch, *draws), ["palace", "daisy"]).savefig(out)


if __name__ == "__main__":
    typer.run(main)
