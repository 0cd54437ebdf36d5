"""The suite `domains`: one folder a domain, one of them in-distribution."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

from cfft import (
    ConfigError,
    Expected,
    FilePictures,
    PictureSet,
    SuiteSets,
    class_table,
    param,
    subfolders,
    suite,
    unknown,
)

from .benchmarks import Benchmark, complete_domains, names_of_numbers
from .domain_folders import class_roots, domain_pictures, listed
from .parts import Percentages, check_split, draw_parts, folders_in, open_parts


@suite("domains")
class DomainsSuite:
    """Train on one domain of DIR/<domain>/<class>/*, test on it and on all others.

    The domain `id` is split into train, val and test, each class for itself, drawn from the run's
    seed. The test part is called like the domain, the others are the OOD sets; they may lack
    classes but have no others. DIR may hold classes.txt or classes.toml with the class names.

    So PACS, Office-Home, VLCS and DomainNet unpack. Where a domain holds train, crossval, full or
    test and those hold the classes, as VLCS has it, they are read together, each picture once. With
    `lists`, the pictures of DIR/<domain>_train.txt are divided into train and val alone, and every
    domain is tested on those of its <domain>_test.txt, as DomainNet has them.
    """

    data: Path = param(help="folder that holds one folder a domain")
    id: str | None = param(
        None, help="required: in-distribution domain, trained on; the others are OOD"
    )
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="train/val/test of the domain id, in percent or shares"
    )
    lists: bool = param(
        False, help="take training and test pictures from DIR/<domain>_train.txt and _test.txt"
    )
    benchmark: Benchmark | None = param(
        None, help="what DIR holds, for cfft data verify to compare with its published counts"
    )
    known_sets: ClassVar[tuple[str, ...]] = ("the domain id", "every other domain")

    def __attrs_post_init__(self) -> None:
        check_split("domains", self.split)

    def expected(self) -> Mapping[str, Expected]:
        """Return the published counts of the benchmark's domains; lists of files check the rest."""
        if self.benchmark is None or self.lists:
            return {}
        there = subfolders(self.data) if self.data.is_dir() else []
        return complete_domains(self.benchmark, there)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises ConfigError for an unknown domain, DataError without classes."""
        domains = folders_in(self.data, "one folder a domain")
        chosen = self._chosen(domains)
        table = class_table(class_roots(self.data / chosen)[0], names_in=self.data)
        if all(folder == name for folder, name in table.items()):
            table |= names_of_numbers(domains, table)
        found, ood, refused = open_parts(
            {chosen: partial(domain_pictures, self.data / chosen, chosen, table)},
            {name: partial(self._shift, name, table) for name in domains if name != chosen},
        )
        train, val, test = self._parts(found[chosen], seed)
        return SuiteSets(tuple(table.values()), train, val, test, ood, refused)

    def _parts(self, pictures: FilePictures, seed: int) -> tuple[PictureSet, ...]:
        names = (f"{pictures.name}-train", f"{pictures.name}-val", pictures.name)
        shares = dict(zip(names, self.split, strict=True))
        if not self.lists:
            return tuple(draw_parts(pictures, shares, seed).values())
        del shares[pictures.name]
        drawn = draw_parts(listed(pictures, self.data, "train"), shares, seed)
        return (*drawn.values(), self._tested(pictures))

    def _shift(self, name: str, table: Mapping[str, str]) -> FilePictures:
        return self._tested(domain_pictures(self.data / name, name, table))

    def _tested(self, pictures: FilePictures) -> FilePictures:
        return listed(pictures, self.data, "test") if self.lists else pictures

    def _chosen(self, domains: list[str]) -> str:
        if self.id in domains:
            return self.id
        listing = f"domains in {self.data}"
        if self.id is None:
            raise ConfigError(f"no domain chosen (--id); {listing}: {', '.join(domains) or 'none'}")
        raise ConfigError(unknown("domain", self.id, domains, listing))
