"""The run's own settings: the tables [model] and [training]."""

from __future__ import annotations

from typing import Literal

from cfft.plugin.decorators import settings
from cfft.plugin.params import param


@settings("model")
class Model:
    """Choose the model to fine-tune."""

    name: str = param(help="architecture, such as ViT-B-32, a config FILE.json, or BACKBONE:NAME")
    pretrained: str | None = param(
        None,
        help="tag of published weights, a weight file (FILE:NEST for one set of it), or random",
    )
    head: Literal["auto", "zero-shot", "linear-probe", "own"] = param(
        "auto",
        help="head to start from; auto: zero-shot where there is a text tower, else linear-probe",
    )
    prompts: str | None = param(
        None,
        help="prompt templates: a list's name, a file with one template per line, or class-name; "
        "none: the backbone's first list",
    )


@settings("training")
class Training:
    """Set the training routine."""

    epochs: int = param(10, help="passes over images; 0 only evaluates", ge=0, le=100_000)
    batch_size: int = param(64, help="images per optimiser step, of all processes", ge=1)
    micro_batch: int | None = param(
        None,
        help="images per process and forward pass; none: no gradient accumulation",
        ge=1,
    )
    lr: float = param(3e-5, help="peak learning rate", gt=0)
    layer_decay: float = param(
        1.0,
        help="factor of the learning rate per layer below the head (BEiT); 1: one rate for all",
        gt=0,
        le=1,
    )
    weight_decay: float = param(0.1, help="AdamW weight decay, see --decay-on", ge=0)
    decay_on: Literal["all", "weights"] = param(
        "all",
        help="parameters that decay; all (paper), or weights: no norms, biases, class and "
        "positional embeddings",
    )
    beta1: float = param(0.9, help="AdamW beta1", ge=0, lt=1)
    beta2: float = param(0.999, help="AdamW beta2", ge=0, lt=1)
    schedule: Literal["cosine", "one-cycle", "constant"] = param(
        "cosine",
        help="cosine: linear warm-up, then cosine to 0 (paper); one-cycle: as in the reference",
    )
    warmup_steps: int | None = param(
        None, help="warm-up in optimiser steps; none: --warmup-share of all steps", ge=0
    )
    warmup_share: float = param(0.05, help="share of all steps spent on warm-up", ge=0, lt=1)
    clip_norm: float | None = param(
        1.0, help="L2 norm that gradients are clipped to; none: no clipping", gt=0
    )
    clip_at: Literal["step", "micro-batch"] = param(
        "step", help="clip once per optimiser step (paper) or after every micro-batch (reference)"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param(
        "auto", help="mixed precision; auto: bf16 where the GPU or CPU has it, else fp32"
    )
    freeze: tuple[str, ...] | None = param(
        None,
        help="pattern of parameters that stay as they are, by the names that open_clip and timm "
        "give them, as in 'transformer.resblocks.[0-5].*'; may be repeated",
    )
    augment: str = param(
        "none",
        help="random changes of images: crop, flip, randaugment ...",
    )
    sampling: Literal["shuffled", "balanced"] = param(
        "shuffled",
        help="shuffled: every image once an epoch; balanced: drawn so that all classes are as "
        "frequent, images of small classes repeatedly",
    )
    val_metric: Literal["top1", "class-mean", "loss"] = param(
        "top1", help="validation measure that chooses the epoch to keep"
    )
    keep_best: int = param(
        1, help="keep the weights of the N best epochs, to be merged or compared", ge=1, le=1000
    )
    patience: int | None = param(
        None, help="stop after N epochs without a better --val-metric", ge=1
    )
    ties: Literal["later", "earlier"] = param(
        "later", help="epoch to keep of those with equal --val-metric (earlier: paper)"
    )
    limit_train: int | None = param(None, help="train on at most N images, sampled per class", ge=1)
    limit_eval: int | None = param(
        None,
        help="measure on at most N images per set",
        ge=1,
    )
    no_before: bool = param(False, help="do not measure the model before fine-tuning")
    skip_unreadable: bool = param(
        False, help="leave unreadable images out and record them, instead of stopping"
    )
    workers: int | None = param(
        None,
        help="decoding workers per process; none: one per processor, at most 8; 0 decodes in the "
        "main process",
        ge=0,
    )
    keep_decoded: Literal["auto", "none"] = param(
        "auto",
        help="auto: images stay in memory once decoded, of sets that fit into a quarter of what is "
        "free",
    )
    checkpoint_every: str | None = param(
        None,
        help="checkpoints every N steps (N) or N minutes (Nm), besides one per epoch",
    )
    keep_gib: float = param(
        8.0,
        help="most GiB on disk, during the run, for maps and features of frozen teachers that are "
        "computed once for each training image; 0: compute them in every step",
        ge=0,
    )
    checkpoint_activations: bool = param(
        False,
        help="compute the activations of each block again in the backward pass instead of keeping "
        "them: less memory, more work, the same gradients",
    )
    log_every: int = param(10, help="optimiser steps per line of metrics.jsonl", ge=1)


@settings("evaluation")
class Evaluation:
    """Set the way models are measured."""

    label_space: Literal["subset", "full"] | None = param(
        None,
        help="subset: predict among the classes of each set; full: among all of the suite; "
        "none: subset, or with --from-predictions the stored one",
    )
    alphas: tuple[float, ...] | None = param(
        None,
        help="measure also the weight ensembles (1 - alpha) * start + alpha * fine-tuned of runs, "
        "as in 0,0.25,0.5,0.75,1 (WiSE-FT)",
    )
    baseline: str | None = param(
        None,
        help="model that all others are compared with, image by image; none: the model "
        "before fine-tuning, else the first",
    )
    baseline_line: str | None = param(
        None,
        help="models that effective robustness is measured against: a FILE.jsonl of accuracies by "
        "set, an earlier evaluation, or a pattern of models measured here",
    )
    batch_size: int = param(128, help="images per process and forward pass", ge=1)
    models_at_once: int = param(8, help="models in memory at once, sharing decoded images", ge=1)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = param(
        "auto", help="auto: bf16 where the GPU or CPU has it, else fp32"
    )
    workers: int | None = param(
        None,
        help="decoding workers per process; none: one per processor, at most 8; 0 decodes in the "
        "main process",
        ge=0,
    )
    skip_unreadable: bool = param(
        False, help="find unreadable images first, leave them out and record them"
    )
