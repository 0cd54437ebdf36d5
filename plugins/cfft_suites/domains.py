"""The suite `domains`: one folder a domain, one of them in-distribution."""

from __future__ import annotations

from pathlib import Path

from cfft import (
    ConfigError,
    SuiteSets,
    class_folders,
    class_table,
    param,
    suite,
    unknown,
)

from .parts import Split, check_split, draw_parts, folders_in


@suite("domains")
class DomainsSuite:
    """Train on one domain of DIR/<domain>/<class>/*, test on it and on all others.

    The domain `id` is split into train, val and test, each class for itself, drawn from the run's
    seed. The test part is called like the domain, the others are the OOD sets; they may lack
    classes but have no others. DIR may hold classes.txt or classes.toml with the class names.
    """

    data: Path = param(help="folder that holds one folder a domain")
    id: str | None = param(
        None, help="required: in-distribution domain, trained on; the others are OOD"
    )
    split: Split = param(
        (70.0, 10.0, 20.0), help="train/val/test of the domain id, in percent or shares"
    )

    def __attrs_post_init__(self) -> None:
        check_split("domains", self.split)

    def open(self, seed: int) -> SuiteSets:
        """Return the sets; raises ConfigError for an unknown domain, DataError for bad folders."""
        domains = folders_in(self.data, "one folder a domain")
        chosen = self._chosen(domains)
        table = class_table(self.data / chosen, names_in=self.data)
        pictures = class_folders(self.data / chosen, chosen, table)
        names = (f"{chosen}-train", f"{chosen}-val", chosen)
        shares = dict(zip(names, self.split, strict=True))
        train, val, test = draw_parts(pictures, shares, seed).values()
        others = [domain for domain in domains if domain != chosen]
        ood = tuple(class_folders(self.data / domain, domain, table) for domain in others)
        return SuiteSets(tuple(table.values()), train, val, test, ood)

    def _chosen(self, domains: list[str]) -> str:
        if self.id in domains:
            return self.id
        listing = f"domains in {self.data}"
        if self.id is None:
            raise ConfigError(f"no domain chosen (--id); {listing}: {', '.join(domains) or 'none'}")
        raise ConfigError(unknown("domain", self.id, domains, listing))
