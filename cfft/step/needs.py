"""Forward passes that the losses of a run need, known before training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cfft.errors import ConfigError, PluginError, unknown_name
from cfft.step.interfaces import NEEDS, RESERVED_LABELS, AuxLoss

CLASSIFICATION = "ce"


def all_needs(losses: Mapping[str, AuxLoss]) -> frozenset[str]:
    """Join what losses, keyed by label, look at; raises PluginError for names that do not exist."""
    return frozenset[str]().union(*(needs_of(label, loss) for label, loss in losses.items()))


def teacher_needs(teacher: str, losses: Mapping[str, AuxLoss]) -> frozenset[str]:
    """Join what losses look at in one teacher; a loss that names no teacher looks at each."""
    own = {k: loss for k, loss in losses.items() if AuxLoss.of(loss).teacher in (None, teacher)}
    return all_needs(own)


def needs_of(label: str, loss: AuxLoss) -> frozenset[str]:
    """Return what one loss looks at: everything, unless it says so in `needs`."""
    needs = frozenset(AuxLoss.of(loss).needs)
    for surplus in sorted(needs - NEEDS):
        raise PluginError(f"loss '{label}': {unknown_name('need', surplus, NEEDS)}")
    return needs


def check_losses(losses: Mapping[str, AuxLoss], teachers: Iterable[str]) -> None:
    """Raise ConfigError where a loss follows a teacher that is absent or has a reserved label.

    Raises PluginError for a loss without a weight.
    """
    labels = set(teachers)
    for label, loss in losses.items():
        followed = AuxLoss.of(loss).teacher
        if not hasattr(loss, "weight"):
            raise PluginError(
                f"loss '{label}' has no weight: declare weight: float = cfft.param(1.0, help=...)"
            )
        if label in RESERVED_LABELS:
            raise ConfigError(f"no loss can be labelled '{label}': the name is reserved")
        if followed is not None and followed not in labels:
            raise ConfigError(
                f"loss '{label}': {unknown_name('teacher', followed, labels, 'chosen')}"
            )
