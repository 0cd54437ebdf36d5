"""The suite `domains`: one folder per domain, one of them in-distribution."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from cfft import (
    ConfigError,
    Expected,
    ImageFiles,
    ImageSet,
    Suite,
    SuiteSets,
    list_subfolders,
    param,
    shortened_list,
    suite,
    training_class_names,
    unknown_name,
)
from cfft_suites.example import write_images
from cfft_suites.parts import Percentages, check_split, draw_parts, folders_in, open_parts

from .benchmarks import Benchmark, complete_domains, names_of_numbers
from .folders import class_roots, domain_images
from .lists import DomainLists, holds_lists, listed, read_lists


@suite("domains")
class DomainsSuite(Suite):
    """Train on one domain of DIR/<domain>/<class>/*, test on it and on all others.

    The domain `id` is split into train, val and test, each class separately, drawn from the run's
    seed. The test part has the name of the domain, the other domains are the OOD sets; they may
    lack classes but not add any. DIR may hold classes.txt or classes.toml with the class names.

    So PACS, Office-Home, VLCS and DomainNet unpack. Where a domain holds train, crossval, full or
    test and those hold the classes, as VLCS has it, they are read together, each image once. With
    `lists`, the images of DIR/<domain>_train.txt are divided into train and val alone, and every
    domain is tested on those of its <domain>_test.txt, as DomainNet has them. Lists of PACS end in
    _kfold.txt; its test lists hold whole domains, so that the ID test set is <domain>_crossval.
    """

    data: Path = param(help="folder that holds one folder per domain")
    id: str | None = param(
        None, help="required: the in-distribution domain, which is trained on; the others are OOD"
    )
    split: Percentages = param(
        (70.0, 10.0, 20.0), help="shares of train/val/test in the domain `id`"
    )
    lists: bool = param(
        False, help="divide by DIR/<domain>_train.txt and _test.txt, or the _kfold.txt of PACS"
    )
    benchmark: Benchmark | None = param(
        None, help="published benchmark in DIR: cfft data verify compares its image counts"
    )
    known_sets: ClassVar[tuple[str, ...]] = ("the domain id", "every other domain")
    only_measured: ClassVar[tuple[str, ...]] = ("benchmark",)

    def __attrs_post_init__(self) -> None:
        check_split("domains", self.split)

    @classmethod
    def example(cls, folder: Path) -> Mapping[str, Any]:
        """Write two domains."""
        for shade, domain in ((0, "light"), (60, "dark")):
            write_images(folder / domain, shade)
        return {"data": folder, "id": "light"}

    def expected(self) -> Mapping[str, Expected]:
        """Return the published counts of the benchmark's domains; lists of files check the rest."""
        if self.benchmark is None or self.lists:
            return {}
        there = list_subfolders(self.data) if self.data.is_dir() else []
        return complete_domains(self.benchmark, there)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises ConfigError for an unknown domain, DataError without classes."""
        folders = folders_in(self.data, "one folder per domain")
        of_lists = [folder for folder in folders if holds_lists(self.data / folder)]
        domains = [folder for folder in folders if folder not in of_lists]
        chosen = self._chosen(domains)
        table = self._table(chosen, domains)
        lists = self._lists(chosen, of_lists) if self.lists else None
        found, ood, refused = open_parts(
            {chosen: partial(domain_images, self.data / chosen, chosen, table)},
            {name: partial(self._shift, name, table, lists) for name in domains if name != chosen},
        )
        train, val, test = self._parts(found[chosen], lists, seed)
        return SuiteSets(tuple(table.values()), train, val, test, ood, refused)

    def _table(self, chosen: str, domains: Collection[str]) -> dict[str, str]:
        table = training_class_names(class_roots(self.data / chosen)[0], names_in=self.data)
        unnamed = all(folder == name for folder, name in table.items())
        return {**table, **names_of_numbers(domains, table)} if unnamed else table

    def _lists(self, chosen: str, folders: Sequence[str]) -> DomainLists:
        return read_lists(chosen, [self.data, *(self.data / folder for folder in folders)])

    def _parts(
        self, images: ImageFiles, lists: DomainLists | None, seed: int
    ) -> tuple[ImageSet, ...]:
        names = (f"{images.name}-train", f"{images.name}-val", images.name)
        shares = dict(zip(names, self.split, strict=True))
        if lists is None:
            return tuple(draw_parts(images, images.class_names, shares, seed).values())
        del shares[images.name]
        drawn = draw_parts(listed(images, lists.train), images.class_names, shares, seed)
        return (*drawn.values(), listed(images, lists.test))

    def _shift(self, name: str, table: Mapping[str, str], lists: DomainLists | None) -> ImageFiles:
        images = domain_images(self.data / name, name, table)
        return images if lists is None else listed(images, lists.of_shift(name))

    def _chosen(self, domains: list[str]) -> str:
        if self.id in domains:
            return self.id
        listing = f"domains in {self.data}"
        if self.id is None:
            raise ConfigError(
                f"no domain chosen (--id); {listing}: {shortened_list(domains) or 'none'}"
            )
        raise ConfigError(unknown_name("domain", self.id, domains, listing))
