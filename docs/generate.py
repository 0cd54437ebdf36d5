"""Write the generated parts of the pages from the code; with --check only compare.

A page marks them by `<!-- generated: NAME -->` and `<!-- end -->`. Exit code 1: a page was stale.
"""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from configparser import ConfigParser
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

import cfft
from cfft.cli.application import COMMANDS
from cfft.cli.commands.eval import eval_options
from cfft.cli.commands.export import export_options
from cfft.cli.options.options import Option, run_options
from cfft.config.layers import recipe_names, recipe_summary
from cfft.plugin import hookspecs
from cfft.plugin.interface import Strategy
from cfft.plugin.interface import members as members_of
from cfft.plugin.kinds import KINDS, Kind
from cfft.plugin.params import Declaration, Param
from cfft.plugin.registry import GROUP, Registry

DOCS = Path(__file__).parent
CORE = DOCS.parent / "cfft"
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
CHECKER = DOCS / "examples" / "cfft-checker" / "cfft_checker.py"
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
INTERFACES = {
    "mask": cfft.MaskSelector,
    "fill": cfft.Refiller,
    "cam": cfft.Cam,
    "teacher": cfft.Teacher,
    "task": cfft.Task,
    "loss": cfft.AuxLoss,
    "adaptation": cfft.Adaptation,
    "average": cfft.Average,
    "merge": cfft.Merge,
    "backbone": cfft.Backbone,
    "suite": cfft.Suite,
    "exporter": cfft.Exporter,
}
BASES = (
    *(cfft.MaskSelector, cfft.Refiller, cfft.Cam, cfft.Teacher, cfft.Task, cfft.AuxLoss),
    *(cfft.Adaptation, cfft.Average, cfft.Merge, cfft.Suite, cfft.ImageSet),
    cfft.Exporter,
)


def kinds() -> Iterator[str]:
    """Describe every kind of strategy: its hook and its one method."""
    yield "| kind | hook | purpose | its method |"
    yield "|---|---|---|---|"
    for kind in KINDS.values():
        method = f"`{kind.method}{_signature(_method(kind))}`".replace("|", "\\|")
        yield f"| {kind.name} | [`{kind.hook}`](#{kind.hook}) | {kind.purpose} | {method} |"


def hooks() -> Iterator[str]:
    """Describe every hook with its signature and its example."""
    for name, spec in hook_functions():
        prose, example = _prose_and_example(spec)
        yield from (f"## {name}", "", "```python", f"def {name}{_signature(spec)}", "```", "")
        yield from (prose, "", "```python", example, "```", "")


def names() -> Iterator[str]:
    """List what authors of plug-ins import, group by group as the stub does."""
    stub = (CORE / "__init__.pyi").read_text("utf-8")
    for group in stub.partition("# For authors of plug-ins")[2].split("\n\n# ")[1:]:
        title, *lines = group.splitlines()
        yield from (f"**{title}**", "", "| name | what it is |", "|---|---|")
        for name in (line.split(" as ")[1] for line in lines if " as " in line):
            said = inspect.getdoc(getattr(cfft, name)) or ""
            yield _cells(f"`cfft.{name}`", said.split("\n")[0])
        yield ""


def api() -> Iterator[str]:
    """Have the site show the doc-string of every public name, group by group as the stub does."""
    stub = (CORE / "__init__.pyi").read_text("utf-8")
    for group in stub.split("\n# ")[1:]:
        title, *lines = group.splitlines()
        yield from (f"## {title.rstrip('.')}", "")
        for line in lines:
            imported = re.fullmatch(r"from \.(\S+) import (\w+) as \2", line)
            if imported:
                yield from (f"::: cfft.{imported[1]}.{imported[2]}", "")


def members() -> Iterator[str]:
    """Describe what the base classes ask for and what they give a default."""
    for base in BASES:
        about = _on_one_line(inspect.getdoc(base))
        yield from (f"### {base.__name__}", "", about, "", "To be written:", "")
        yield from (_member(base, *pair) for pair in members_of(base, required=True).items())
        yield from ("", "Optional:", "")
        own = members_of(base, required=False).items()
        yield from (_member(base, *pair) for pair in own if pair[0] not in vars(Strategy))
        yield ""
    yield from ("### All kinds of strategy", "", "Optional:", "")
    yield from (_member(Strategy, *p) for p in members_of(Strategy, required=False).items())
    yield ""


def commands() -> Iterator[str]:
    """Describe every command in one line."""
    yield from ("| command | what it does |", "|---|---|")
    yield from (f"| `cfft {name}` | {summary} |" for name, summary in COMMANDS.items())


def run() -> Iterator[str]:
    """Describe the options of `cfft run` that are no strategy's."""
    yield from _panels(run_options(builtins()))


def evaluation() -> Iterator[str]:
    """Describe the options of `cfft eval` that are no strategy's."""
    yield from _panels(eval_options(builtins()))


def exporting() -> Iterator[str]:
    """Describe the options of `cfft export` that are no exporter's."""
    yield from ("| option | meaning |", "|---|---|")
    shown = (o for o in export_options(builtins()) if not (o.is_argument or o.hidden or o.owner))
    yield from map(_option_row, shown)


def strategies() -> Iterator[str]:
    """Describe every strategy that comes with cfft."""
    for declared in (p.declaration for kind in KINDS for p in builtins().of_kind(kind)):
        yield from (f"### {declared.kind} `{declared.name}`", "", declared.summary, "")
        yield from _parameters(declared)


def recipes() -> Iterator[str]:
    """Describe every recipe by its first line."""
    yield from ("| recipe | what it is |", "|---|---|")
    yield from (f"| `{name}` | {recipe_summary(name)} |" for name in recipe_names())


def checker() -> Iterator[str]:
    """Show the example package's module."""
    yield from ("```python", CHECKER.read_text("utf-8").strip(), "```")


def checker_package() -> Iterator[str]:
    """Show the example package's pyproject.toml."""
    text = CHECKER.with_name("pyproject.toml").read_text("utf-8")
    yield from ("```toml", text.strip(), "```")


def rooms() -> Iterator[str]:
    """Draw the rooms of the core, highest row first, and say what each is for."""
    rows = [row for row in _import_rows() if row != ["__main__"]]
    width = max(len("   ".join(row)) for row in rows)
    yield "```text"
    for number, row in enumerate(rows):
        yield from (["v".center(width + 4).rstrip()] if number else [])
        yield f"[ {'   '.join(row).center(width)} ]"
    yield from ("```", "")
    for room in (room for row in rows for room in row if (CORE / room).is_dir()):
        said = inspect.cleandoc(ast.get_docstring(ast.parse(_source(room))) or "")
        first, _, rest = said.partition("\n\n")
        yield from (f"**{room}/** {' '.join((first + ' ' + rest).split())}", "")


def _import_rows() -> list[list[str]]:
    """Read the rows of the import contract, as .importlinter lists them."""
    rules = ConfigParser()
    rules.read(DOCS.parent / ".importlinter", "utf-8")
    rows = rules["importlinter:contract:layers"]["layers"].split("\n")
    return [row.split(" | ") for row in rows if row]


def _source(room: str) -> str:
    return (CORE / room / "__init__.py").read_text("utf-8")


GENERATED: dict[str, Callable[[], Iterator[str]]] = {
    "rooms": rooms,
    "kinds": kinds,
    "members": members,
    "api": api,
    "names": names,
    "hooks": hooks,
    "commands": commands,
    "run": run,
    "evaluation": evaluation,
    "export": exporting,
    "strategies": strategies,
    "recipes": recipes,
    "checker": checker,
    "checker-package": checker_package,
}


def hook_functions() -> list[tuple[str, Callable[..., Any]]]:
    """List the hook specs by name, in the order of the file."""
    return [(n, f) for n, f in vars(hookspecs).items() if n.startswith("cfft_") and callable(f)]


@cache
def builtins() -> Registry:
    """Collect what cfft's own distribution provides; strangers' packages are left out."""
    points = entry_points(group=GROUP)
    return Registry.installed(p for p in points if p.dist and p.dist.name == "cfft")


def rendered(page: str) -> str:
    """Return the text of a page with its generated parts made anew."""
    return BLOCK.sub(lambda m: m[1] + "\n".join(GENERATED[m[2]]()).strip() + "\n" + m[3], page)


def stale_pages() -> list[Path]:
    """List the pages whose generated parts differ from what the code says."""
    pages = {page: page.read_text("utf-8") for page in PAGES}
    return [page for page, text in pages.items() if rendered(text) != text]


def main(check: bool) -> int:
    """Write the stale pages, or name them where `check` asks for no more."""
    stale = stale_pages()
    for page in stale:
        if check:
            print(f"{page.name} is stale: run python docs/generate.py")
        else:
            page.write_text(rendered(page.read_text("utf-8")), "utf-8")
            print(f"wrote {page.name}")
    return int(check and bool(stale))


def _method(kind: Kind) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(INTERFACES[kind.name], kind.method)
    return method


def _member(base: type[Any], name: str, member: Any) -> str:
    function = getattr(member, "default", member)
    if isinstance(member, classmethod):
        spelt, function = name + _signature(member.__get__(None, base)), member.__func__
    elif function is not member:
        spelt = f"{name}: {function.__annotations__['return']}"
    elif callable(member):
        spelt = name + _signature(member)
    else:
        declared = base.__annotations__[name].removeprefix("ClassVar[").removesuffix("]")
        spelt = f"{name}: {declared}"
    text = inspect.getdoc(function) if callable(function) else _class_values(base)[name]
    return f"- `{spelt}`: {_on_one_line(text)}"


def _class_values(base: type[Any]) -> dict[str, str]:
    """Return the doc-strings that stand under the values of a class."""
    (body,) = ast.parse(inspect.getsource(base)).body
    pairs = pairwise(body.body)
    return {
        value.target.id: inspect.cleandoc(doc.value.value)
        for value, doc in pairs
        if isinstance(value, ast.AnnAssign)
    }


def _on_one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _signature(function: Callable[..., Any]) -> str:
    text = str(inspect.signature(function)).replace("'", "").replace("(self, ", "(")
    return text.replace("(self)", "()")


def _prose_and_example(spec: Callable[..., Any]) -> tuple[str, str]:
    text = inspect.getdoc(spec) or ""
    example = "".join(part.source for part in doctest.DocTestParser().get_examples(text))
    return text.split(">>>")[0].strip(), _spaced(example.strip())


def _spaced(example: str) -> str:
    """Set the empty lines that Python files have and doc-string examples cannot."""
    text = re.sub(r"\n(?=@)", "\n\n\n", example.replace("'''", '"""'))
    text = re.sub(r'(""")\n(?=    \w)', r"\1\n\n", text)
    return re.sub(r"(?<!\n)\n(?=    def )", "\n\n", text)


def _parameters(declared: Declaration) -> Iterator[str]:
    if declared.params:
        yield from ("| parameter | default | allowed | meaning |", "|---|---|---|---|")
        yield from (*map(_row, declared.params), "")


def _panels(options: Sequence[Option]) -> Iterator[str]:
    shown = [o for o in options if o.panel and not o.hidden and "." not in o.spelling]
    for panel in dict.fromkeys(option.panel for option in shown):
        yield from (f"### {panel}", "", "| option | meaning |", "|---|---|")
        yield from (_option_row(option) for option in shown if option.panel == panel)
        yield ""


def _option_row(option: Option) -> str:
    spelled = f"`{option.spelling} {option.metavar}`".replace(" `", "`")
    return _cells(spelled, option.help)


def _row(param: Param) -> str:
    return _cells(f"`{param.name}`", _default(param), param.allowed, param.help)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(param: Param) -> str:
    if param.default is attrs.NOTHING:
        return "(required)"
    others = [
        f"{param.spell(value)} if {key} is {choice}"
        for key, choice, value in param.other_defaults()
    ]
    return "; ".join([param.spell(param.default), *others])


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
