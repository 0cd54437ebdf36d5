"""The pages and the code say the same."""

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from cfft.cli.application import COMMANDS, application
from cfft.config.layers import parse_layer, read_defaults, read_recipe
from cfft.config.resolve import resolve
from cfft.plugin import hookspecs
from cfft.plugin.registry import Registry

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("docs/examples/*/README.md"),
]
HOOKS = [name for name in vars(hookspecs) if name.startswith("cfft_")]
BUILT_IN = [
    f"### {provided.declaration.kind} `{provided.declaration.name}`"
    for provided in Registry.installed().provided
    if provided.plugin.distribution == "cfft"
]
OF_THE_EXAMPLES = re.compile(r"--[a-z]+\.(checker|spectral|inpaint|dino|corrupted)\.[a-z-]+")
COMMAND_LINE = re.compile(r"(?:^ {4}|`)cfft ([^`\n]+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)")
HEADING = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PARSERS = {"json": json.loads, "toml": tomllib.loads, "python": ast.parse}


def links():
    return [
        (page, target)
        for page in PAGES
        for target in LINK.findall(page.read_text("utf-8"))
        if "://" not in target
    ]


def headings():
    return [
        (str(page.relative_to(ROOT)), target, heading)
        for page in PAGES
        for target, heading in HEADING.findall(page.read_text("utf-8"))
        if "://" not in target
    ]


def command_lines():
    return [
        pytest.param(shlex.split(line, comments=True), id=f"{page.name}: {line}")
        for page in PAGES
        for line in COMMAND_LINE.findall(page.read_text("utf-8"))
    ]


def blocks():
    return [
        pytest.param(language, text, id=f"{page.relative_to(ROOT)}: {text.splitlines()[0]}")
        for page in PAGES
        for language, text in FENCE.findall(page.read_text("utf-8"))
        if language in PARSERS and not text.startswith("def ")
    ]


def test_generated_parts_of_the_pages_are_up_to_date():
    check = [sys.executable, ROOT / "docs" / "generate.py", "--check"]

    done = subprocess.run(check, capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook):
    assert f"\n## {hook}\n" in (ROOT / "docs" / "hooks.md").read_text("utf-8")


@pytest.mark.parametrize("heading", BUILT_IN)
def test_every_built_in_strategy_is_documented(heading):
    assert heading in (ROOT / "docs" / "strategies.md").read_text("utf-8")


@pytest.mark.parametrize(("page", "target"), links(), ids=lambda part: Path(part).name)
def test_every_relative_link_leads_somewhere(page, target):
    assert (page.parent / target).exists()


@pytest.mark.parametrize(("page", "target", "heading"), headings(), ids=str)
def test_every_link_to_a_heading_finds_it(page, target, heading):
    text = (ROOT / page).parent.joinpath(target) if target else ROOT / page
    titles = re.findall(r"^#+ (.+)$", text.read_text("utf-8"), re.MULTILINE)

    assert heading in [re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles]


@pytest.mark.parametrize(("language", "text"), blocks())
def test_every_fenced_example_parses(language, text):
    PARSERS[language](text)


def options_of(words):
    """Return the options of the command that a line begins with, or of its sub-command."""
    found = get_command(application(words))
    for word in words[:2]:
        found = getattr(found, "commands", {}).get(word, found)
    return {spelling for param in found.params for spelling in param.opts} | {"--help"}


@pytest.mark.parametrize("words", command_lines())
def test_every_command_line_of_the_pages_uses_commands_and_options_that_exist(words):
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    options = {option for option in given if not OF_THE_EXAMPLES.fullmatch(option)}

    assert words[0] in {*COMMANDS, "COMMAND", "--version", "--help", "--install-completion"}
    assert options - options_of(words) == set()


def test_the_architecture_names_every_module_of_the_core():
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    modules = {path.name for path in ROOT.glob("cfft/*.py") if not path.name.startswith("__")}

    assert {name for name in modules if name not in page} == set()


SAID = re.compile(r"^ {4}(?:error: |warning: |cannot be read: \S+ )(.+)$", re.MULTILINE)
TROUBLES = SAID.findall((ROOT / "docs" / "troubleshooting.md").read_text("utf-8"))


def constant_parts(node):
    """Return the texts in a string of the code that are the same in every message."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]


@pytest.fixture(scope="module")
def messages():
    """Return the strings of the code as patterns with the length of what never varies."""
    trees = [
        ast.parse(path.read_text("utf-8"))
        for room in ("cfft", "plugins")
        for path in (ROOT / room).rglob("*.py")
    ]
    strings = [
        constant_parts(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.JoinedStr, ast.Constant))
    ]
    long = [parts for parts in strings if len("".join(parts)) >= 20]
    return [(len("".join(p)), re.compile(".+?".join(map(re.escape, p)))) for p in long]


@pytest.mark.parametrize("line", TROUBLES)
def test_every_message_of_the_page_on_troubles_is_one_of_the_code(line, messages):
    found = [said for said, pattern in messages if pattern.search(line)]

    assert max(found, default=0) >= len(line) / 4


COMPOSED = FENCE.findall((ROOT / "docs" / "compose.md").read_text("utf-8"))


@pytest.mark.parametrize("text", [text for language, text in COMPOSED if language == "toml"])
def test_a_configuration_of_the_page_on_composing_makes_a_run(text: str):
    layers = [read_defaults(), read_recipe("embedded"), parse_layer(text, "compose.md")]

    config = resolve(Registry.installed(), layers)

    assert config.losses
