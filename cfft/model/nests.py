"""State dictionaries inside checkpoints: which there are, and which one is taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from torch import Tensor

from cfft.errors import WeightsError, shortened_list, unknown_name

Tensors = Mapping[str, Tensor]
# the first of these that a checkpoint has is taken
_USUAL = (
    *("state_dict", "model", "model_state_dict", "module", "net", "network", "weights"),
    *("teacher", "student", "state_dict_ema", "model_ema"),
)
_OPTIMIZER = "optim"  # its state has names and tensors too
_AROUND = ("module.", "model.", "net.")  # DataParallel, programs that hold the model, Lightning
_INSIDE = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_COUNTER = "n_averaged"  # beside the weights of torch's AveragedModel


@attrs.frozen(eq=False)
class Nest:
    """Hold one state dictionary of a checkpoint, without the prefixes of what wrapped the model.

    `name`: its keys in the checkpoint, joined by dots; empty where the file is nothing else.
    `beside`: other weights of such a model that were passed over without being asked.
    """

    name: str
    tensors: Tensors
    beside: tuple[str, ...] = ()


def chosen_nest(content: Any, path: Path, asked: str = "") -> Nest:
    """Return the state dictionary that is `asked` for, else the usual one.

    `asked`: a nest, or a prefix of names of tensors. Raises WeightsError where there is none, or
    several of which none is usual.
    """
    found = dict(_state_dicts(content)) if isinstance(content, Mapping) else {}
    if not found:
        raise WeightsError(f"{path}: {_why_none(content)}")
    if asked:
        return _asked(found, path, asked)
    ranks = {name: [_rank(part) for part in name.split(".")] for name in found}
    best = [name for name in found if ranks[name] == min(ranks.values())]
    usual = len(best) == 1 and _rank(best[0].split(".")[0]) < len(_USUAL)
    if len(found) > 1 and not usual:
        raise WeightsError(
            f"{path}: holds several state dicts ({shortened_list(found)}): choose one, as in "
            f"{path}:{best[0]}"
        )
    taken = unwrapped(found[best[0]])
    beside = (name for name in found if name != best[0] and _alike(taken, found[name]))
    return Nest(best[0], taken, tuple(beside))


def unwrapped(tensors: Tensors) -> dict[str, Tensor]:
    """Cut off what DataParallel, torch.compile and the like put around all names."""
    plain = {_without_compile(name): tensor for name, tensor in tensors.items()}
    if len(plain) < len(tensors):  # not the names of one model
        return dict(tensors)
    counted = {name: tensor for name, tensor in plain.items() if name != _COUNTER}
    prefix = _shared(counted)
    while prefix:
        counted = {name.removeprefix(prefix): tensor for name, tensor in counted.items()}
        plain, prefix = counted, _shared(counted)
    return plain


def _state_dicts(content: Mapping[Any, Any], place: str = "") -> Iterator[tuple[str, Tensors]]:
    if content and not _not_tensors(content):
        yield place, content
        return
    for key, value in content.items():
        if isinstance(key, str) and isinstance(value, Mapping) and not key.startswith(_OPTIMIZER):
            yield from _state_dicts(value, f"{place}.{key}" if place else key)


def _not_tensors(content: Mapping[Any, Any]) -> list[str]:
    return [
        str(key)
        for key, value in content.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]


def _why_none(content: Any) -> str:
    for key in _USUAL:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        return "holds no state dict of named tensors"
    return f"holds no state dict: {shortened_list(_not_tensors(content))} are not named tensors"


def _rank(part: str) -> int:
    return _USUAL.index(part) if part in _USUAL else len(_USUAL)


def _asked(found: Mapping[str, Tensors], path: Path, asked: str) -> Nest:
    """Return the nest, or else the tensors under a prefix, that is called `asked`."""
    full = {f"{place}.{name}": t for place, held in found.items() for name, t in held.items()}
    bare = {f"{place}.{name}": t for place, held in found.items() for name, t in _bare(held)}
    inner = {name: t for held in reversed([*found.values()]) for name, t in _bare(held)}
    for names in (full, bare, inner):
        start = f"{asked.rstrip('.')}."
        under = {
            name.lstrip(".").removeprefix(start): tensor
            for name, tensor in names.items()
            if name.lstrip(".").startswith(start)
        }
        if under:
            return Nest(asked, unwrapped(under))
    nests = [*filter(None, found)]
    if nests:
        raise WeightsError(f"{path}: {unknown_name('nest', asked, nests, 'it has')}")
    parts = dict.fromkeys(name.split(".")[0] for name in inner)
    unknown = unknown_name("part", asked, parts, "the file is one state dict with the parts")
    raise WeightsError(f"{path}: {unknown}: leave ':{asked}' out to take all of it")


def _bare(tensors: Tensors) -> list[tuple[str, Tensor]]:
    return list(unwrapped(tensors).items())


def _alike(taken: Tensors, other: Tensors) -> bool:
    """Tell whether two state dictionaries share at least half of their names."""
    return 2 * len(taken.keys() & unwrapped(other).keys()) >= len(taken)


def _without_compile(name: str) -> str:
    for wrapper in _INSIDE:
        name = name.replace(wrapper, "")
    return name


def _shared(names: Tensors) -> str:
    """Return what wraps every name; empty where nothing does."""
    found = (prefix for prefix in _AROUND if all(name.startswith(prefix) for name in names))
    return next(found, "") if names else ""
