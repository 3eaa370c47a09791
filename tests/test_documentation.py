"""The pages and the program agree: commands, options, settings, error codes, links, and the example job file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from flows.cli import app
from tasks.job import load_job
from tests.documented import PAGES, ROOT, TABLES, commands, settings, table_under

EXAMPLE = ROOT / "deployments" / "jobs" / "example.yaml"
WHOLE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
ROOT_COMMAND: Any = get_command(app)


def all_commands(group: Any = ROOT_COMMAND, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give every command with its full name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, (*above, name))
        else:
            yield " ".join((*above, name)), command


COMMANDS = dict(all_commands())
WRITTEN = [pytest.param(line, id=f"{page.name}: {line}") for page in PAGES for line in commands(page)]
IN_TEXT = sorted(set(re.findall(r"`(provision [a-z][^`]*)`", WHOLE.replace("\n", " "))))


def parse(line: str) -> str:
    """Let the real command line parse a command, all of it; give the name of the command. Raises what click raises."""
    group, words, name = ROOT_COMMAND, shlex.split(line)[1:], "provision"
    while hasattr(group, "commands"):
        context = group.make_context(name, words, resilient_parsing=False)
        name, group, words = group.resolve_command(context, [*context._protected_args, *context.args])  # noqa: SLF001
    group.make_context(name, list(words))
    return str(name)


@pytest.mark.parametrize("line", WRITTEN)
def test_every_command_in_a_block_of_a_page_parses(line: str) -> None:
    assert parse(line)


@pytest.mark.parametrize("line", IN_TEXT)
def test_every_command_in_the_text_is_one(line: str) -> None:
    words = line.split()[1:]
    group = ROOT_COMMAND
    while hasattr(group, "commands") and words and words[0] in group.commands:
        group = group.commands[words.pop(0)]
    assert group is not ROOT_COMMAND
    known = {option for parameter in group.params for option in parameter.opts} | _default_options(group)
    assert {word for word in words if word.startswith("--")} <= known


def _default_options(group: Any) -> set[str]:
    """Give the options of what a group takes for granted: `provision report JOB` shows."""
    shown = getattr(group, "commands", {}).get("show")
    return set() if shown is None else {option for parameter in shown.params for option in parameter.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_that_parses(name: str) -> None:
    help_text = COMMANDS[name].help.replace("\\[", "[")
    examples = re.findall(r"Example: (provision .*)", help_text)
    assert examples
    for example in examples:
        assert parse(example) == name.split()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_and_option_has_help(name: str) -> None:
    lacking = [parameter.name for parameter in COMMANDS[name].params if not parameter.help]
    assert lacking in ([], ["job"], ["jobs"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_pages(name: str) -> None:
    written = [line for page in PAGES for line in commands(page)]
    said = f"provision {name.removesuffix(' show') if name == 'report show' else name}"
    assert any(line == said or line.startswith(f"{said} ") for line in written)


@pytest.mark.parametrize(("page", "heading"), TABLES, ids=lambda part: getattr(part, "name", part))
def test_the_tables_that_code_decides_are_up_to_date(page: Path, heading: str) -> None:
    assert table_under(page, heading) == TABLES[page, heading](), "python -m tests.documented writes it anew"


def test_every_key_of_the_job_file_is_described_by_a_sentence() -> None:
    assert [key for key, _, what in settings() if what == "None" or not what.endswith(".")] == []


def test_every_key_that_the_pages_mention_is_one() -> None:
    keys = {key for key, _, _ in settings()}
    sections = {key.partition(".")[0] for key in keys}
    dotted = {name for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", WHOLE) if name.partition(".")[0] in sections}
    files = {name for name in dotted if name.endswith((".yaml", ".md", ".prom"))}
    assert dotted - files <= keys


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]*)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_within_a_page_names_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]*)\)", page.read_text(encoding="utf-8")):
        headings = re.findall(r"^#+ (.*)$", (page.parent / target if target else page).read_text("utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def switched_on(text: str) -> str:
    """Give the example job file with every key in it that is commented out."""
    return re.sub(r"^( *)#( +)(?=[a-z_]+:)", lambda found: found[1] + found[2][1:], text, flags=re.MULTILINE)


def test_the_example_job_file_is_good_with_everything_in_it_switched_on(tmp_path: Path) -> None:
    assert load_job(EXAMPLE).name == "acme-replicon"
    everything = tmp_path / "everything.yaml"
    text = re.sub(r"sqlite:///\S+", "postgresql+psycopg://provision@db.example/provision", EXAMPLE.read_text("utf-8"))
    everything.write_text(switched_on(text), encoding="utf-8")
    assert load_job(everything).notify is not None


def test_the_example_job_file_shows_every_section() -> None:
    shown = set(yaml.safe_load(switched_on(EXAMPLE.read_text(encoding="utf-8"))))
    assert {key.partition(".")[0] for key, _, _ in settings()} == shown
