"""New plug-in packages, complete and working, from the templates of each kind."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files
from importlib.util import find_spec
from string import Template
from typing import Any

import attrs

from cfft.errors import ConfigError, unknown_name
from cfft.plugin.kinds import KINDS
from cfft.plugin.params import is_taken
from cfft.plugin.registry import Registry

RUN_HOOKS = "run-hooks"
"""What a package may hold besides a strategy: functions called when a run starts and ends."""

PACKAGE_KINDS = (*KINDS, RUN_HOOKS)

_NAME = re.compile("[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")
_PREFIX = "cfft-"
_LONGEST = 30
_INDENT = " " * 4
# what is written, by the template that it is made from
_SHARED = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "tests.yml.txt": ".github/workflows/tests.yml",
    "gitignore.txt": ".gitignore",
}


@attrs.frozen
class NewPackage:
    """Describe a package with one strategy, or with run hooks.

    `name`: of the strategy, as users type it. Distribution, module and class are called after it.
    """

    name: str
    kind: str

    @classmethod
    def checked(cls, name: str, kind: str, registry: Registry) -> NewPackage:
        """Return the package; raises ConfigError for a name that cannot be used or is taken.

        `cfft-` at the beginning of `name` is left out of the strategy's name.
        """
        if kind not in PACKAGE_KINDS:
            raise ConfigError(unknown_name("kind", kind, PACKAGE_KINDS))
        made = cls(name.removeprefix(_PREFIX), kind)
        if not _NAME.fullmatch(made.name) or len(made.name) > _LONGEST:
            raise ConfigError(
                f"'{name}' is no name for a package: use letters, digits, - and _, first and last "
                f"a letter or digit, {_LONGEST} characters at most"
            )
        if (problem := next(_clashes(made, registry), None)) is not None:
            raise ConfigError(f"'{made.name}' is taken: {problem}; choose another name")
        return made

    @property
    def distribution(self) -> str:
        """Name what pip installs, in the normal form of package indices."""
        return _PREFIX + re.sub("[-_]+", "-", self.name).lower()

    @property
    def module(self) -> str:
        """Name what Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """Name the class of the strategy: SaliencyMask for the mask saliency."""
        words = "".join(part[:1].upper() + part[1:] for part in re.split("[-_]+", self.name))
        kind = self.kind.capitalize()
        if words[0].isdigit():
            return kind + words
        return words if words.endswith(kind) else words + kind

    def files(self) -> Mapping[str, str]:
        """Return the text of every file by its path within the package's folder."""
        about = tomllib.loads(_template(f"{self.kind}/about.toml"))
        words = self._words(about)
        own = {
            f"{self.kind}/module.py.txt": f"src/{self.module}/__init__.py",
            f"{self.kind}/test.py.txt": f"tests/test_{self.module.removeprefix('cfft_')}.py",
        }
        shared = {f"package/{name}": path for name, path in _SHARED.items()}
        made = {
            path: Template(_template(name)).substitute(words)
            for name, path in {**shared, **own}.items()
        }
        return {**made, f"src/{self.module}/py.typed": ""}

    def _words(self, about: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what stands for the names in the templates."""
        names = {
            "name": self.name,
            "kind": self.kind,
            "distribution": self.distribution,
            "module": self.module,
            "class_name": self.class_name,
            "plugin": self.module.removeprefix("cfft_"),
            "variable": f"{self.module.upper()}_TABLE",
        }
        needed = (f"cfft>={version('cfft')}", *about.get("dependencies", ()))
        commands = Template(about["commands"].strip()).substitute(names)
        return {
            **names,
            "summary": about["summary"],
            "what": about.get("what", f"the {self.kind}"),
            "dependencies": ", ".join(f'"{each}"' for each in needed),
            "overrides": _overrides(about.get("untyped", ())),
            "commands": textwrap.indent(commands, _INDENT),
        }


def _clashes(made: NewPackage, registry: Registry) -> Iterator[str]:
    """Go through what is installed under one of the package's names."""
    if made.kind in KINDS and is_taken(made.kind, made.name):
        article = "an" if made.kind[0] in "aeiou" else "a"
        yield f"{article} {made.kind} cannot be called so"
    for provided in registry.of_kind(made.kind):
        if provided.declaration.name == made.name:
            yield f"{made.kind} '{made.name}' is provided by {provided.plugin.origin}"
    with suppress(PackageNotFoundError):
        yield f"the package {made.distribution} {distribution(made.distribution).version} is there"
    if find_spec(made.module) is not None:
        yield f"a module {made.module} is installed"


def _template(name: str) -> str:
    return files("cfft.plugin").joinpath("templates", name).read_text("utf-8")


def _overrides(untyped: list[str]) -> str:
    """Spell what mypy is told of libraries without types."""
    if not untyped:
        return ""
    modules = ", ".join(f'"{module}"' for module in untyped)
    return f"\n[[tool.mypy.overrides]]\nmodule = [{modules}]\nignore_missing_imports = true\n"
