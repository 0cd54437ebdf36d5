"""Choose the adversarial images: `python -m benchmarks.embedded.adversary`.

A small convolutional network is trained from scratch on the default training set of `shapes` and
then shown images whose backgrounds know nothing of the class, in both draws, until it has got 5,000
of each wrong. The suite's data file says how many that took and which ones it got right, which are
left out. The network is used for nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import cfft_suites.shapes
from cfft_suites.shapes.world import CLASS_NAMES, RULES, WORLD, SetRule, draw_image, measured_rule

_TRAIN, _WANTED, _AT_ONCE = 3000, 5000, 240
_EPOCHS, _BATCH, _RATE, _SEED = 12, 50, 2e-3, 0


def main() -> None:
    """Train, choose and write; one thread, so that sums come in the same order every time."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = _trained(*_drawn(RULES["train"], range(_TRAIN)))
    facts: dict[str, object] = {"world": WORLD}
    for draw in ("published", "development"):
        left_out, seen = _right(network, measured_rule("adversarial", draw))
        facts[draw] = {"seen": seen, "left_out": left_out}
        print(f"{draw}: {seen - len(left_out)} of the first {seen} images")
    file = Path(cfft_suites.shapes.__path__[0]) / "adversarial.json"
    file.write_text(json.dumps(facts) + "\n")


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
def _right(network: nn.Module, rule: SetRule) -> tuple[list[int], int]:
    """Return which images are predicted right and how many were seen until enough are wrong."""
    wrong: list[int] = []
    seen = 0
    while len(wrong) < _WANTED:
        images, labels = _drawn(rule, range(seen, seen + _AT_ONCE))
        wrong += (network(images).argmax(dim=1).ne(labels).nonzero()[:, 0] + seen).tolist()
        seen += _AT_ONCE
    last = wrong[_WANTED - 1]
    return sorted(set(range(last)) - set(wrong)), last + 1


def _drawn(rule: SetRule, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    drawn = [draw_image(rule, index, confounding=0.95) for index in indices]
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
