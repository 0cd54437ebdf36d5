"""Check cfft against parity vectors: `python -m cfft.testing.parity FILE.safetensors [--json]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs
import torch
from torch import Tensor

from cfft.errors import CfftError, DataError
from cfft.plugin.registry import Registry
from cfft.testing.recompute import Recomputation
from cfft.testing.vectors import VectorFile

_NUMBERS = 1e-4
_NORMS = 1e-3
_FLOOR = 1e-6


@attrs.frozen
class ComparedQuantity:
    """Compare one quantity: `relative` has to stay within `tolerance`, 0 for masks.

    For masks `absolute` counts patches that differ and `relative` is their share; of a drawn mask
    the numbers of hidden patches per image are compared.
    """

    quantity: str
    absolute: float
    relative: float
    tolerance: float
    holds: bool


@attrs.frozen
class Report:
    """Hold the rows of a file, and the names of its inputs and of unknown quantities."""

    rows: tuple[ComparedQuantity, ...]
    inputs: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Tell whether every quantity is known and holds."""
        return not self.unknown and all(row.holds for row in self.rows)


def check(path: Path) -> Report:
    """Recompute every quantity of a vector file; raises CfftError where it cannot be used."""
    vectors = VectorFile.read(path)
    recomputation = Recomputation(vectors, Registry.installed())
    pairs = {name: recomputation.both(name) for name in vectors.quantities}
    rows = [compare(name, *pair) for name, pair in pairs.items() if pair]
    unknown = [name for name, pair in pairs.items() if not pair]
    return Report(tuple(rows), tuple(vectors.inputs), tuple(unknown))


def compare(quantity: str, computed: Tensor, expected: Tensor) -> ComparedQuantity:
    """Compare a recomputed quantity with the file's; raises DataError where shapes differ.

    Relative errors of tensors [B, ...] are the largest absolute error over the largest absolute
    expected value, as single elements may be 0. In a list of separate numbers (one axis: losses,
    norms) each is compared with its own expected value, but at least a millionth of the largest.
    """
    if computed.numel() != expected.numel():
        shapes = f"{list(expected.shape)} in the file, {list(computed.shape)} computed"
        raise DataError(f"{quantity} has another shape: {shapes}")
    computed = computed.detach().reshape(expected.shape)
    if not expected.is_floating_point():
        differ = int((computed != expected).sum())
        return ComparedQuantity(quantity, differ, differ / expected.numel(), 0.0, differ == 0)
    error, size = (computed - expected).abs().double(), expected.abs().double()
    share = _FLOOR if expected.ndim == 1 else 1.0
    least = (share * size.max()).clamp(min=torch.finfo(torch.double).tiny)
    relative = (error / size.clamp(min=least)).max().item()
    tolerance = _NORMS if quantity.endswith(".grad_norms") else _NUMBERS
    return ComparedQuantity(
        quantity, error.max().item(), relative, tolerance, relative <= tolerance
    )


def as_table(report: Report) -> str:
    """Format one line for each quantity, then unknown names and the number of inputs."""
    width = max((len(row.quantity) for row in report.rows), default=8)
    lines = [f"{'quantity':{width}}  {'max abs':>9}  {'max rel':>9}  {'allowed':>7}"]
    lines += [
        f"{row.quantity:{width}}  {row.absolute:9.2e}  {row.relative:9.2e}  {row.tolerance:7.0e}"
        f"  {'ok' if row.holds else 'FAILS'}"
        for row in report.rows
    ]
    lines += [f"unknown quantity: {name}" for name in report.unknown]
    held = sum(row.holds for row in report.rows)
    lines.append(f"{held} of {len(report.rows)} quantities hold; {len(report.inputs)} inputs")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Check the file named on the command line; return 0 (holds), 1 (does not) or 2 (unusable)."""
    parser = argparse.ArgumentParser(prog="python -m cfft.testing.parity", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args(words)
    try:
        report = check(options.file)
    except CfftError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    as_json = {"holds": report.holds, **attrs.asdict(report)}
    print(json.dumps(as_json, indent=2) if options.json else as_table(report))
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
