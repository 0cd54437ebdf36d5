"""The pre-training itself: open_clip's model and loss, a plain loop, resumable at any step."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.loss import ClipLoss
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .judge import Judge
from .network import export, new_model, normalised, tokenizer
from .pools import open_pools
from .schedule import Settings, difficulty, rate
from .stream import Pairs, Stream


class Training:
    """Train in `folder`, from the last checkpoint there or from the beginning."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        templates = [fill("{}") for fill in open_clip.OPENAI_IMAGENET_TEMPLATES]
        pools = open_pools(folder, settings.objects, settings.scenes, settings.processes)
        self.settings, self.folder = settings, folder
        self.tokenize = tokenizer()
        self.stream = Stream(pools, templates, settings.seed)
        self.judge = Judge(settings.judged, self.tokenize, templates)
        self.model = new_model(settings.seed)
        self.optimizer = _optimizer(self.model, settings)
        self.loss = ClipLoss()
        self.first = self._resume()

    def run(self) -> None:
        """Train to the last step; judge, log, save and export on the way."""
        started = time.monotonic()
        for step in range(self.first, self.settings.steps):
            loss = self._step(step)
            if (step + 1) % self.settings.judge_every == 0 or step + 1 == self.settings.steps:
                self._log(step + 1, loss, time.monotonic() - started)
                self._save(step + 1)
                export(self.model, self.folder / "cfft-mini")

    def _step(self, step: int) -> float:
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = rate(settings, step)
        self.model.train()
        whole = step >= settings.steps - settings.whole
        self.model.visual.patch_dropout.prob = 0.0 if whole else settings.dropped
        torch.manual_seed(settings.seed * 1_000_003 + step)  # which patches are dropped
        loss = self._loss(self.stream.draw(step, settings.batch, difficulty(settings, step)))
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, 4.6)
        return loss.item()

    def _loss(self, pairs: Pairs) -> Tensor:
        tokens = self.tokenize([*pairs.captions, *pairs.names])
        bf16 = torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16)
        # PyTorch's fused attention made a step slower than the plain one on the CPU, in bfloat16
        with bf16, sdpa_kernel(SDPBackend.MATH):
            images = self.model.encode_image(normalised(pairs.images))
        texts = self.model.encode_text(tokens)  # so narrow that bfloat16 only costs
        images, texts = (
            torch.nn.functional.normalize(part.float(), dim=-1) for part in (images, texts)
        )
        scale = self.model.logit_scale.exp()
        said, named = texts.chunk(2)
        return (self.loss(images, said, scale) + self.loss(images, named, scale)) / 2

    def _log(self, step: int, loss: float, seconds: float) -> None:
        accuracies: Mapping[str, float] = self.judge.accuracies(self.model)
        line = {"step": step, "loss": loss, "seconds": round(seconds), **accuracies}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    def _save(self, step: int) -> None:
        state = {
            "step": step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        partial = self.folder / "last.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "last.pt")

    def _resume(self) -> int:
        file = self.folder / "last.pt"
        if not file.exists():
            return 0
        state: dict[str, Any] = torch.load(file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def _optimizer(model: Any, settings: Settings) -> torch.optim.Optimizer:
    plain = [p for p in model.parameters() if p.ndim < 2]
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=0.0, betas=(0.9, 0.98), weight_decay=settings.weight_decay, foreach=True
    )
