"""Choose the adversarial images: `python -m benchmarks.embedded.adversary`.

A small convolutional network is trained from scratch on the default training set of `shapes` and
then shown images whose backgrounds know nothing of the class; the numbers of the first ones it
gets wrong are written to the suite's data file. The network is used for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cfft_suites.shapes
from cfft_suites.shapes.world import CLASS_NAMES, RULES, WORLD, draw_image

_TRAIN, _WANTED, _AT_ONCE = 3000, 1000, 240
_EPOCHS, _BATCH, _RATE, _SEED = 12, 50, 2e-3, 0


def main() -> None:
    """Train, choose and write; one thread, so that sums come in the same order every time."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = _trained(*_drawn("train", range(_TRAIN)))
    chosen, seen = _mistakes(network)
    facts = {"world": WORLD, "seen": seen, "mistaken": len(chosen) / seen, "indices": chosen}
    file = Path(cfft_suites.shapes.__path__[0]) / "adversarial.json"
    file.write_text(json.dumps(facts) + "\n")
    print(f"{file}: {len(chosen)} of the first {seen} images")


def _trained(images: Tensor, labels: Tensor) -> nn.Module:
    torch.manual_seed(_SEED)
    network = _network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.05)
    steps = _EPOCHS * len(images) // _BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(_EPOCHS):
        hits = 0
        for part in torch.randperm(len(images)).split(_BATCH):
            logits = network(images[part])
            loss = F.cross_entropy(logits, labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            hits += int(logits.argmax(dim=1).eq(labels[part]).sum())
        print(f"epoch {epoch + 1}: {hits / len(images):.3f} of the training images", flush=True)
    return network.eval()


@torch.no_grad()
def _mistakes(network: nn.Module) -> tuple[list[int], int]:
    """Return the numbers of the first mistaken images and how many were looked at."""
    chosen: list[int] = []
    seen = 0
    while len(chosen) < _WANTED:
        images, labels = _drawn("adversarial", range(seen, seen + _AT_ONCE))
        wrong = network(images).argmax(dim=1).ne(labels).nonzero()[:, 0]
        chosen += (wrong + seen).tolist()
        seen += _AT_ONCE
    return chosen[:_WANTED], chosen[_WANTED - 1] + 1


def _drawn(name: str, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    drawn = [draw_image(RULES[name], index, confounding=0.95) for index in indices]
    images = torch.stack([torch.from_numpy(image.pixels) for image in drawn])
    return images.permute(0, 3, 1, 2).float() / 255, torch.tensor([p.label for p in drawn])


def _network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for entering, leaving in ((3, 24), (24, 48), (48, 96), (96, 128)):
        layers += [
            nn.Conv2d(entering, leaving, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(leaving),
            nn.ReLU(),
        ]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, len(CLASS_NAMES))
    )


if __name__ == "__main__":
    main()
