"""The head that training starts from: from prompts, from features, or the backbone's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cfft.encoder.encoder import Head
from cfft.errors import ConfigError
from cfft.model.kept_heads import kept_head
from cfft.model.pretrained import Pretrained
from cfft.model.prompts import class_prompt

_ROWS_AT_ONCE = 16384
_LINE_SEARCHES = 200
_COLUMNS_AT_ONCE = 1024
_ALIKE = 1e-5  # a text tower's rounding depends on what else is in the batch


def chosen_head(asked: str, pretrained: Pretrained) -> str:
    """Return what "auto" stands for: zero-shot where there is a text tower, else linear-probe."""
    if asked != "auto":
        return asked
    return "linear-probe" if pretrained.encode_text is None else "zero-shot"


def starting_head(
    asked: str,
    pretrained: Pretrained,
    class_names: Sequence[str],
    templates: Sequence[str],
    training_features: Callable[[], tuple[Tensor, Tensor]],
) -> Head:
    """Return the head called `asked`: auto, zero-shot, linear-probe or own.

    `training_features`: called for a linear probe alone, gives features [N, D] and labels [N].
    Raises ConfigError where the backbone cannot give that head.
    """
    kind = chosen_head(asked, pretrained)
    if kind == "zero-shot":
        require_words(class_names)
        return zero_shot_head(pretrained, class_names, templates)
    if kind == "own":
        return own_head(pretrained, len(class_names))
    features, labels = training_features()
    return linear_probe_head(features, labels, len(class_names), pretrained.normalised)


def zero_shot_head(
    pretrained: Pretrained, class_names: Sequence[str], templates: Sequence[str]
) -> Head:
    """Return the head that compares images with prompts (CLIP, Radford et al. 2021, 3.1.4).

    Per class: the normalised mean over templates of normalised text features, times
    exp(logit_scale); the bias is 0. Classes may share a name. Heads of many prompts are kept on
    disk (`kept_head`). Raises ConfigError where the backbone has no text tower.
    """
    if pretrained.encode_text is None or pretrained.logit_scale is None:
        raise ConfigError(
            "head 'zero-shot' needs a text tower, which this model or its weight file lacks; "
            "use --head linear-probe"
        )
    parts = (pretrained.encode_text, pretrained.logit_scale, class_names, templates)
    if pretrained.text is None:
        return prompts_head(*parts)
    prompts = _class_prompts(class_names, templates)
    facts = {**pretrained.identity, "name": pretrained.rebuild}
    facts |= {"classes": str(len(class_names)), "scale": repr(pretrained.logit_scale)}
    weight = kept_head(pretrained.text, facts, prompts, lambda: prompts_head(*parts).weight)
    return Head(weight, torch.zeros(len(class_names)), normalised=True)


@torch.no_grad()
def prompts_head(
    encode_text: Callable[[Sequence[str]], Tensor],
    logit_scale: float,
    class_names: Sequence[str],
    templates: Sequence[str],
) -> Head:
    """Return the head that a text tower makes of prompts, as `zero_shot_head` does.

    `encode_text`: list of n prompts -> [n, D]. `logit_scale`: the learnt logarithm.
    """
    prompts = _class_prompts(class_names, templates)
    features = F.normalize(encode_text(prompts), dim=-1)  # [K * templates, D]
    means = features.unflatten(0, (len(class_names), len(templates))).mean(dim=1)  # [K, D]
    scale = torch.tensor(logit_scale, dtype=means.dtype).exp()
    weight = scale.to(means.device) * F.normalize(means, dim=-1)
    return Head(weight, torch.zeros(len(class_names)), normalised=True)


def _class_prompts(class_names: Sequence[str], templates: Sequence[str]) -> list[str]:
    return [class_prompt(template, name) for name in class_names for template in templates]


@torch.no_grad()
def alike_columns(head: Head) -> list[tuple[int, ...]]:
    """Group the classes that a head cannot tell apart: equal weights and biases, up to rounding.

    Groups are in the order of their first members. Prompts make such columns of names that the
    tokeniser reads as one, or cuts before they differ.
    """
    columns = torch.cat([head.weight, head.bias[:, None].to(head.weight)], dim=1).float()
    first = list(range(len(columns)))
    for one, other in _near_pairs(F.normalize(columns, dim=-1)):
        gap = (columns[one] - columns[other]).abs().amax()
        if gap <= _ALIKE * columns[one].abs().amax():
            first[other] = min(first[other], first[one])
    groups: dict[int, list[int]] = {}
    for index, leader in enumerate(first):
        groups.setdefault(leader, []).append(index)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _near_pairs(directions: Tensor) -> Iterator[tuple[int, int]]:
    """Go through the pairs of rows [K, D] that point the same way, in order."""
    for start in range(0, len(directions), _COLUMNS_AT_ONCE):
        near = directions[start : start + _COLUMNS_AT_ONCE] @ directions.T > 1 - _ALIKE
        for row, other in near.nonzero().tolist():
            if start + row < other:
                yield start + row, other


def require_words(
    class_names: Sequence[str],
    who: str = "head 'zero-shot'",
    instead: str = "--head linear-probe",
) -> None:
    """Raise ConfigError where all classes are called by numbers, which prompts cannot describe.

    `who` needs words, and `instead` is what does without.
    """
    if class_names and all(name.strip().isdecimal() for name in class_names):
        raise ConfigError(
            f"{who} describes classes in words, got only numbers: {class_names[0]} to "
            f"{class_names[-1]}; name them (classes.toml beside the images, or --classes FILE "
            f"where the suite has it), or use {instead}"
        )


def own_head(pretrained: Pretrained, classes: int) -> Head:
    """Return the backbone's classifier; raises ConfigError unless it has that many classes."""
    own = pretrained.own_head
    if own is None:
        raise ConfigError(
            "head 'own' needs weights that come with a classifier, which these do not; "
            "use --head linear-probe"
        )
    if own.out_features != classes:
        raise ConfigError(
            f"head 'own' has {own.out_features} classes, the data have {classes}; "
            "use --head linear-probe"
        )
    bias = torch.zeros(classes) if own.bias is None else own.bias
    return Head(own.weight, bias, normalised=False)


def linear_probe_head(
    features: Tensor, labels: Tensor, classes: int, normalised: bool, decay: float = 1e-2
) -> Head:
    """Return the head of a multinomial logistic regression on features.

    `features`: [N, D] as the encoder gives them. `labels`: [N], int64, 0 <= label < `classes`; a
    class without examples gets a head that says no. `normalised`: whether the head is to act on
    L2-normalised features. The mean cross-entropy plus `decay` / 2 times the squared weights is
    minimised by L-BFGS from zero, without randomness, on features of mean 0 and overall variance
    1, so that `decay` means the same for every backbone; that is folded into weight and bias.
    Directions keep their proportions, which carries over to other domains better than bringing
    each feature to variance 1. Raises ConfigError where N is 0.
    """
    if len(features) == 0:
        raise ConfigError("head 'linear-probe' needs at least one training image")
    inputs = F.normalize(features, dim=-1) if normalised else features
    inputs = inputs.detach().float()
    centre = inputs.mean(dim=0)  # [D]
    spread = (inputs - centre).square().mean().sqrt()
    spread = torch.where(spread > 0, spread, torch.ones_like(spread))
    weight, bias = _regress((inputs - centre) / spread, labels, classes, decay)
    weight = weight / spread  # [K, D]
    return Head(weight, bias - weight @ centre, normalised)


def _regress(inputs: Tensor, labels: Tensor, classes: int, decay: float) -> tuple[Tensor, Tensor]:
    weight = inputs.new_zeros(classes, inputs.shape[1], requires_grad=True)
    bias = inputs.new_zeros(classes, requires_grad=True)
    search = torch.optim.LBFGS(
        [weight, bias], max_iter=_LINE_SEARCHES, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        search.zero_grad()
        total = 0.5 * decay * weight.square().sum()
        total.backward()
        for rows, targets in zip(
            inputs.split(_ROWS_AT_ONCE), labels.split(_ROWS_AT_ONCE), strict=True
        ):
            part = F.cross_entropy(F.linear(rows, weight, bias), targets, reduction="sum")
            part = part / len(inputs)
            part.backward()  # part by part: the logits of all images at once may not fit
            total = total.detach() + part.detach()
        return total.detach()

    with torch.enable_grad():
        search.step(objective)
    return weight.detach(), bias.detach()
