"""The `provision mapping` commands as a person calls them: what they print, what they write, how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from deployments.sandbox.sandbox import Sandbox
from flows.cli_mapping import mapping_app
from flows.showing import Signs, quoted, shortened
from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.ledger.ledger import Ledger
from tasks.model import BadInputError, CycleKind
from tasks.transform.schema import load_mapping
from tests.flows.conftest import Sandboxes
from tests.transform.cases import DEFAULT_MAPPING, FIXTURES, entry, group_text, mapping_text, scope_text, written

EXPORTED = FIXTURES / "exported_schema.json"
COMMANDS = ("check", "test", "show", "import", "export", "preview")


def called(*arguments: str | Path, width: int = 100, charset: str = "utf-8") -> Result:
    """Call `provision mapping` with `arguments` on a terminal of `width` columns."""
    return CliRunner(charset).invoke(mapping_app, [str(one) for one in arguments], env={"COLUMNS": str(width)})


def words(result: Result) -> str:
    """Give what was printed with all white space alike."""
    return " ".join(result.stdout.split())


def refused(result: Result) -> str:
    """Give the error that the command ended with."""
    assert isinstance(result.exception, BadInputError)
    return str(result.exception)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: provision mapping {command} " in words(called(command, "--help"))


def test_brackets_stand_in_the_help_as_they_are_typed() -> None:
    assert "'Coalesce([mail], [userPrincipalName])'" in words(called("test", "--help"))


def test_tools_that_need_no_job_do_without_prefect() -> None:
    code = f"""
import sys
from flows.cli_mapping import mapping_app
assert "pandas" not in sys.modules
tried = ["check", {str(EXPORTED)!r}], ["show", {str(EXPORTED)!r}], ["test", "ToLower([city])", "--set", "city=A"]
for arguments in tried:
    mapping_app(arguments, standalone_mode=False)
assert "flows.mapping_trial" in sys.modules and "prefect" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class TestCheck:
    """`provision mapping check`."""

    def test_a_good_mapping_ends_with_zero_and_says_how_accounts_are_found(self) -> None:
        result = called("check", DEFAULT_MAPPING)
        assert result.exit_code == 0
        assert "good" in words(result)
        assert "matching by LoginName, then EmailAddress" in words(result)

    def test_what_is_not_honoured_is_named(self) -> None:
        text = words(called("check", EXPORTED))
        assert "note caseExact of FirstName, LastName, DisplayName, StartDate, Supervisor: not honoured" in text
        assert "Synchronize Azure Active Directory Groups to Replicon" in text

    def test_all_problems_are_told_at_once_with_their_lines(self, tmp_path: Path) -> None:
        entries = entry("FirstNam", "'[givenName]'") + entry("LastName", "'Lef([surname], 1)'")
        file = written(tmp_path, mapping_text(entries, scope=scope_text(group_text("city", "EQUALLS", "Oslo"))))
        result = called("check", file)
        lines = file.read_text(encoding="utf-8").splitlines()
        assert result.exit_code == 2
        for text, attribute in (
            ("EQUALLS", "filter on city"),
            ("FirstNam", "FirstNam"),
            ("Lef(", "LastName"),
        ):
            number = next(number for number, line in enumerate(lines, start=1) if text in line)
            assert f"{file}:{number}: {attribute}\n" in result.stdout
        assert "Did you mean FirstName?" in words(result)
        assert "Did you mean Left?" in words(result)
        assert "3 problems." in words(result)

    def test_a_problem_shows_the_line_that_it_is_about(self, tmp_path: Path) -> None:
        file = written(tmp_path, mapping_text(entry("LastName", "'Lef([surname], [bold])'")))
        assert "│ source: 'Lef([surname], [bold])'" in called("check", file).stdout

    def test_a_file_that_is_not_there_is_a_problem(self, tmp_path: Path) -> None:
        result = called("check", tmp_path / "absent.yaml")
        assert result.exit_code == 2
        assert "Give the path of a mapping file" in words(result)


class TestTrial:
    """`provision mapping test`."""

    @pytest.mark.parametrize(
        ("arguments", "shown", "code"),
        [
            (["ToLower([mail])", "--set", "mail=ADA@x"], '"ada@x"', 0),
            (["[otherMails]", "--set", "otherMails=a", "--set", "otherMails=b"], '["a", "b"] 2 values', 0),
            (["[mail]"], "null no value", 0),
            (["[mail]", "--set", "mail="], '"" an empty text', 0),
            (['"[bold]x[/bold]"'], '"[bold]x[/bold]"', 0),
            (["IgnoreFlowIfNullOrEmpty([mail])"], "ignore attribute the account keeps what it has", 0),
            (['IIF([mail] = "", IgnoreObjectFlow, [mail])'], "ignore object the person is left alone", 0),
            (['Error("no name")'], "error no name", 3),
            (["CDate([mail])", "--set", "mail=x"], 'error argument expression of CDate must be a date, found "x"', 3),
        ],
    )
    def test_the_result_cannot_be_mistaken(self, arguments: list[str], shown: str, code: int) -> None:
        result = called("test", *arguments)
        assert f"Result {shown}" in words(result)
        assert result.exit_code == code

    def test_every_function_shows_with_what_it_gave(self) -> None:
        result = called("test", 'Join(".", ToLower([mail]), Left([city], 2))', "--set", "mail=A", "--set", "city=Oslo")
        tree = result.stdout[result.stdout.index("How it came about") :].splitlines()[1:]
        assert [" ".join(line.split()) for line in tree if line.strip()] == [
            'Join(".", ToLower([mail]), Left([city], 2)) "a.Os"',
            '├─ ToLower([mail]) "a"',
            '│ └─ [mail] "A"',
            '└─ Left([city], 2) "Os"',
            '└─ [city] "Oslo"',
        ]

    def test_a_branch_that_is_not_taken_does_not_show(self) -> None:
        text = called("test", 'IIF([city] = "Oslo", ToUpper([mail]), ToLower([surname]))', "--set", "city=Oslo").stdout
        steps = text[text.index("How it came about") :]
        assert "─ ToUpper([mail])" in steps
        assert "─ ToLower([surname])" not in steps

    def test_an_error_shows_at_the_function_that_failed(self) -> None:
        lines = called("test", "Append(Item([otherMails], 5), [mail])", "--set", "otherMails=a").stdout.splitlines()
        assert any("Append(" in line and "error, from below" in line for line in lines)
        assert any("─ Item(" in line and "error  argument index of Item counts from" in line for line in lines)

    def test_a_wrong_expression_is_refused_and_marked(self) -> None:
        result = called("test", 'Append([mail], Lef("x", 1))')
        assert "there is no function Lef. Did you mean Left?" in refused(result)
        marked, mark = result.stderr.splitlines()[:2]
        assert marked[mark.index("^") :].startswith("Lef(")

    def test_a_mark_far_to_the_right_stays_in_sight(self) -> None:
        result = called("test", f'Append("{"x" * 500}", Lef("x", 1))')
        marked, mark = result.stderr.splitlines()[:2]
        assert len(marked) <= 100
        assert marked[mark.index("^") :].startswith("Lef(")

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        result = called("test", "[mail]", "--set", "mail=a\x1b]0;title\x07\x9b2J\u202eb")
        assert "\\u001b]0;title\\u0007\\u009b2J\\u202eb" in result.stdout
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(result.stdout)

    @pytest.mark.parametrize("width", [40, 100])
    def test_a_deep_expression_stays_within_the_terminal(self, width: int) -> None:
        result = called("test", f"{'ToLower(' * 150}[mail]{')' * 150}", "--set", "mail=A", width=width)
        assert result.exit_code == 0
        assert max(map(len, result.stdout.splitlines())) <= width

    def test_it_is_plain_ascii_where_the_terminal_can_show_no_more(self) -> None:
        arguments = ["test", f'Append([mail], ToLower("{"x" * 200}"))', "--set", "mail=a"]
        text = called(*arguments, charset="ascii").stdout
        assert "|- [mail]" in text
        assert "..." in text

    def test_names_that_lead_nowhere_are_noted(self) -> None:
        text = words(called("test", "Append([givenNme], [city])", "--set", "cty=Oslo"))
        assert "[givenNme] is none of the usual attributes and was not set" in text
        assert "Did you mean givenName?" in text
        assert "cty was set, and the expression does not read it. Did you mean city?" in text

    def test_that_nobody_asks_replicon_for_unique_values_is_noted(self) -> None:
        assert "Replicon is not asked here" in words(called("test", "SelectUniqueValue([mail], [city])"))

    def test_a_setting_without_a_value_is_refused(self) -> None:
        assert "attribute=value" in refused(called("test", "[mail]", "--set", "mail"))

    @pytest.mark.parametrize("arguments", [["--user", "ada@x"], ["--job", "job.yaml"]])
    def test_a_user_without_a_job_is_refused(self, arguments: list[str]) -> None:
        assert "--user and --job go together" in refused(called("test", "[mail]", *arguments))


class TestTrialForAPerson:
    """`provision mapping test --user --job`."""

    @pytest.fixture
    def sandbox(self, sandboxes: Sandboxes) -> Sandbox:
        return sandboxes(20)

    def test_a_persons_own_values_are_used(self, sandbox: Sandbox, tmp_path: Path) -> None:
        job = sandbox.job_file(tmp_path)
        person = next(one for one in sandbox.tenant.users() if one["department"])
        for name in (person["userPrincipalName"], person["id"]):
            result = called("test", "ToUpper([department])", "--user", name, "--job", job)
            assert f'Result "{person["department"].upper()}"' in words(result)
            assert f"Person {person['userPrincipalName']} ({person['id']})" in words(result)

    def test_a_setting_stands_in_place_of_their_own(self, sandbox: Sandbox, tmp_path: Path) -> None:
        person = next(sandbox.tenant.users())
        arguments = ["--user", person["id"], "--job", sandbox.job_file(tmp_path), "--set", "department=Élan"]
        assert 'Result "ÉLAN"' in words(called("test", "ToUpper([department])", *arguments))

    def test_what_is_computed_is_there_too(self, sandbox: Sandbox, tmp_path: Path) -> None:
        stranger = sandbox.run(lambda: sandbox.tenant.add_user(userPrincipalName="new@northwind.example"))
        result = called("test", "Not([IsSoftDeleted])", "--user", stranger, "--job", sandbox.job_file(tmp_path))
        assert 'Result "False"' in words(result)
        assert "not effectively entitled" in words(result)

    def test_what_redact_hides_is_not_shown(self, sandbox: Sandbox, tmp_path: Path) -> None:
        person = next(one for one in sandbox.tenant.users() if one["surname"])
        result = called("test", "Redact([surname])", "--user", person["id"], "--job", sandbox.job_file(tmp_path))
        assert "Result [Redact]" in words(result)
        assert f'"{person["surname"]}"' not in result.stdout

    def test_nobody_of_that_name_is_refused(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = called("test", "[mail]", "--user", "nobody@x", "--job", sandbox.job_file(tmp_path))
        assert "nobody who goes by 'nobody@x'" in refused(result)

    def test_an_attribute_that_the_directory_has_not_is_refused(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = called("test", "[departmnt]", "--user", "nobody@x", "--job", sandbox.job_file(tmp_path))
        assert "Did you mean [department]?" in refused(result)
        assert not sandbox.server.requests


class TestShow:
    """`provision mapping show`."""

    def test_each_attribute_is_a_row_as_in_the_portal(self) -> None:
        rows = [line.split() for line in called("show", EXPORTED).stdout.splitlines()]
        assert ["[userPrincipalName]", "LoginName", "Direct", "1", "Always"] in rows
        assert ["Not([IsSoftDeleted])", "LoginEnabled", "Expression", "True", "Always"] in rows
        assert ["no", "source", "TimeZone", "None", "Europe/Paris", "Only", "during"] in rows

    def test_name_actions_scope_and_notes_stand_around_the_table(self) -> None:
        text = words(called("show", EXPORTED))
        assert text.startswith("Synchronize Azure Active Directory Users to Replicon Target object actions Create,")
        assert "in scope if Staff of Europe: dirSyncEnabled EQUALS True and country REGEX MATCH (DE|FR|GB)" in text
        assert "note caseExact of FirstName" in text

    def test_no_filter_means_everybody(self) -> None:
        assert "in scope: everybody who is assigned" in words(called("show", DEFAULT_MAPPING))

    @pytest.mark.parametrize("width", [80, 100, 140])
    def test_nothing_is_cut_off(self, width: int) -> None:
        text = called("show", EXPORTED, width=width).stdout
        assert max(map(len, text.splitlines())) <= width
        assert "".join(text.split()).count("creation") == 2

    def test_a_wrong_mapping_is_refused_with_all_its_problems(self, tmp_path: Path) -> None:
        file = written(tmp_path, mapping_text(entry("A", "'[mail]'") + entry("B", "'[mail]'")))
        assert refused(called("show", file)).count("there is no such target attribute") == 2


class TestImportAndExport:
    """`provision mapping import` and `export`."""

    def test_an_import_means_the_same_in_fewer_lines(self, tmp_path: Path) -> None:
        out = tmp_path / "mapping.yaml"
        result = called("import", EXPORTED, "--out", out)
        assert result.exit_code == 0
        assert f"wrote {out}: 14 attributes mapped" in result.stdout
        assert digest(out) == digest(EXPORTED)
        assert len(out.read_text(encoding="utf-8").splitlines()) < len(EXPORTED.read_text().splitlines()) / 2

    def test_an_import_tells_what_is_not_honoured(self, tmp_path: Path) -> None:
        result = called("import", EXPORTED, "--out", tmp_path / "mapping.yaml")
        assert "note metadata DisableMonitoringForChanges, Disposition" in words(result)

    def test_an_export_is_json_that_means_the_same(self, tmp_path: Path) -> None:
        out = tmp_path / "schema.json"
        assert called("export", DEFAULT_MAPPING, "--out", out).exit_code == 0
        document = json.loads(out.read_text(encoding="utf-8"))
        assert {side["name"] for side in document["directories"]} == {"Azure Active Directory", "Replicon"}
        assert digest(out) == digest(DEFAULT_MAPPING)

    @pytest.mark.parametrize(
        ("command", "file", "suffix"), [("import", EXPORTED, "yaml"), ("export", EXPORTED, "json")]
    )
    def test_without_a_file_the_text_alone_goes_to_the_output(
        self, command: str, file: Path, suffix: str, tmp_path: Path
    ) -> None:
        result = called(command, file, width=40)
        assert digest(written(tmp_path, result.stdout, f"mapping.{suffix}")) == digest(EXPORTED)
        assert "caseExact" in result.stderr

    @pytest.mark.parametrize(("command", "name"), [("import", "m.yaml"), ("export", "m.json")])
    def test_a_file_that_is_there_is_overwritten_by_force_only(self, command: str, name: str, tmp_path: Path) -> None:
        out = written(tmp_path, "mine", name)
        assert "--force" in refused(called(command, EXPORTED, "--out", out))
        assert out.read_text() == "mine"
        assert called(command, EXPORTED, "--out", out, "--force").exit_code == 0
        assert digest(out) == digest(EXPORTED)

    def test_yaml_is_not_written_under_a_name_that_is_read_as_json(self, tmp_path: Path) -> None:
        assert ".yaml" in refused(called("import", EXPORTED, "--out", tmp_path / "mapping.json"))

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        assert "cannot be written" in refused(called("export", EXPORTED, "--out", tmp_path / "absent" / "m.json"))


class TestPreview:
    """`provision mapping preview`."""

    OLD = mapping_text(entry("Department", "'[department]'"))

    @pytest.fixture
    def sandbox(self, sandboxes: Sandboxes) -> Sandbox:
        sandbox = sandboxes(20)
        tenant = sandbox.tenant
        for number, name in enumerate(["Sales [EU]", "Legal"]):
            person = tenant.add_user(userPrincipalName=f"p{number}@northwind.example", department=name)
            tenant.assign(person, next(role.id for role in tenant.roles if role.value))
        return sandbox

    def previewed(
        self, sandbox: Sandbox, folder: Path, new: str, *arguments: str, old: str = OLD, charset: str = "utf-8"
    ) -> Result:
        """Preview `new` against `old`, both given as text, for the sandbox's people."""
        against = written(folder, old, "old.yaml")
        job = sandbox.job_file(folder)
        file = written(folder, new, "new.yaml")
        return called("preview", file, "--against", against, "--job", job, *arguments, charset=charset)

    def changing(self, source: str, *lines: str) -> str:
        """Give a mapping with another source of the department."""
        return mapping_text(entry("Department", f"'{source}'", *lines))

    def test_the_same_meaning_changes_nothing(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = self.previewed(sandbox, tmp_path, self.OLD.replace("[department]", " [department] "))
        assert result.exit_code == 0
        assert "Nothing would change" in words(result)

    def test_who_would_change_is_named_with_each_attribute(self, sandbox: Sandbox, tmp_path: Path) -> None:
        new = self.changing('Replace([department], " [EU]", , , " & Europe", , )')
        result = self.previewed(sandbox, tmp_path, new)
        assert result.exit_code == 1
        assert "1 of " in words(result)
        assert "Attribute People Department 1" in words(result)
        assert "p0@northwind.example Department Sales [EU] → Sales & Europe" in words(result)

    def test_only_so_many_people_are_shown(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = self.previewed(sandbox, tmp_path, self.changing('Append("x ", [department])'), "--limit", "2")
        lines = [line for line in result.stdout.splitlines() if "@" in line]
        assert len(lines) == 2
        assert "more; --limit " in words(result)

    def test_people_without_an_account_show_what_a_new_one_would_get(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = self.previewed(sandbox, tmp_path, self.changing("[faxNumber]", "defaultValue: Office"))
        assert "Department Sales [EU] → – existing accounts" in words(result)
        assert "Department Sales [EU] → Office new accounts" in words(result)

    def test_what_new_accounts_get_is_no_change_for_somebody_linked(self, sandbox: Sandbox, tmp_path: Path) -> None:
        link(tmp_path, [person["id"] for person in sandbox.tenant.users()])
        new = self.changing("[department]", "flowType: ObjectAddOnly")
        result = self.previewed(sandbox, tmp_path, new, old=self.changing("[jobTitle]", "flowType: ObjectAddOnly"))
        assert result.exit_code == 0

    def test_people_who_are_linked_and_gone_are_looked_at(self, sandbox: Sandbox, tmp_path: Path) -> None:
        link(tmp_path, ["00000000-0000-4000-8000-000000000001"])
        new = self.OLD.replace("Not([IsSoftDeleted])", 'IIF([IsSoftDeleted] = "True", "True", "False")')
        result = self.previewed(sandbox, tmp_path, new, "--limit", "1000")
        assert "00000000-0000-4000-8000-000000000001" in result.stdout

    def test_a_filter_shows_who_would_lose_the_account(self, sandbox: Sandbox, tmp_path: Path) -> None:
        new = mapping_text(
            entry("Department", "'[department]'"), scope=scope_text(group_text("department", "NOT EQUALS", "Legal"))
        )
        text = words(self.previewed(sandbox, tmp_path, new))
        assert "→ out of scope: does not pass the scoping filter: Staff department NOT EQUALS Legal" in text
        assert "LoginEnabled True → False" in text

    def test_what_redact_hides_is_not_shown(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = self.previewed(sandbox, tmp_path, self.changing('Redact(Append([department], "!"))'))
        assert "Department [Redact] → [Redact]" in words(result)
        assert "Legal" not in result.stdout

    def test_managers_go_by_their_names(self, sandbox: Sandbox, tmp_path: Path) -> None:
        people = {person["userPrincipalName"]: person["id"] for person in sandbox.tenant.users()}
        legal, sales = people["p1@northwind.example"], people["p0@northwind.example"]
        sandbox.run(lambda: sandbox.tenant.update_user(legal, manager=sales))
        new = mapping_text(entry("Department", "'[department]'") + entry("Supervisor", "'[manager]'"))
        result = self.previewed(sandbox, tmp_path, new, "--limit", "1000")
        assert "p1@northwind.example Supervisor – → p0@northwind.example" in words(result)

    def test_without_another_the_jobs_own_mapping_is_compared(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = called("preview", DEFAULT_MAPPING, "--job", sandbox.job_file(tmp_path))
        assert result.exit_code == 0

    def test_named_people_are_looked_at_and_nobody_else(self, sandbox: Sandbox, tmp_path: Path) -> None:
        new = self.changing('Append("x ", [department])')
        before = sandbox.server.requests["graph:users"] + sandbox.server.requests["graph:groups/members"]
        text = words(self.previewed(sandbox, tmp_path, new, "--user", "p1@northwind.example"))
        assert "1 of 1 people would change." in text
        assert "p1@northwind.example Department Legal → x Legal" in text
        assert sandbox.server.requests["graph:users"] + sandbox.server.requests["graph:groups/members"] == before

    def test_a_name_that_nobody_goes_by_is_refused(self, sandbox: Sandbox, tmp_path: Path) -> None:
        result = self.previewed(sandbox, tmp_path, self.OLD, "--user", "nobody@northwind.example")
        assert "nobody who goes by nobody@northwind.example" in refused(result)

    def test_a_sample_is_no_larger_than_asked_for_and_says_so(self, sandbox: Sandbox, tmp_path: Path) -> None:
        everybody = [person["id"] for person in sandbox.tenant.users()]
        link(tmp_path, everybody[:4])
        before = sandbox.server.requests["graph:users"]
        text = words(self.previewed(sandbox, tmp_path, self.changing('Append("x ", [department])'), "--sample", "5"))
        assert "5 of 5 people would change." in text
        assert "at most 5 people were looked at; --all looks at everybody" in text
        assert sandbox.server.requests["graph:users"] == before

    def test_everybody_is_looked_at_when_asked_for(self, sandbox: Sandbox, tmp_path: Path) -> None:
        new = self.changing('Append("x ", [department])')
        text = words(self.previewed(sandbox, tmp_path, new, "--all", "--sample", "2"))
        few = words(self.previewed(sandbox, tmp_path, new, "--sample", "1000"))
        assert "at most" not in text
        assert re.findall(r"([\d,]+ of [\d,]+) people would change", text) == re.findall(
            r"([\d,]+ of [\d,]+) people would change", few
        )

    def test_replicon_is_asked_nothing(self, sandbox: Sandbox, tmp_path: Path) -> None:
        before = len(sandbox.replicon.change_log)
        self.previewed(sandbox, tmp_path, self.changing("[jobTitle]"))
        assert {endpoint.partition(":")[0] for endpoint in sandbox.server.requests} == {"graph"}
        assert len(sandbox.replicon.change_log) == before

    def test_it_is_plain_ascii_where_the_terminal_can_show_no_more(self, sandbox: Sandbox, tmp_path: Path) -> None:
        text = words(self.previewed(sandbox, tmp_path, self.changing("[faxNumber]"), charset="ascii"))
        assert "Department Legal -> -" in text


@given(st.text(max_size=40))
def test_a_quoted_text_can_be_read_back_and_steers_nothing(text: str) -> None:
    shown = quoted(text)
    assert json.loads(shown) == text
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


@given(st.text(max_size=60), st.integers(min_value=0, max_value=40), st.sampled_from([Signs(), Signs(cut="...")]))
def test_a_shortened_text_fits(text: str, width: int, signs: Signs) -> None:
    assert len(shortened(text, width, signs)) <= max(width, len(signs.cut))


def test_every_command_is_known_to_this_file() -> None:
    group: Any = typer.main.get_command(mapping_app)
    assert set(group.commands) == set(COMMANDS)


def digest(file: Path) -> str:
    """Give the digest of what a mapping file means."""
    return load_mapping(file, TARGET_ATTRIBUTES).digest


def link(folder: Path, source_ids: list[str]) -> None:
    """Remember people as linked in the ledger of the sandbox's job."""
    with Ledger.open(f"sqlite:///{(folder / 'ledger.db').resolve().as_posix()}") as ledger:
        cycle = ledger.begin_cycle("sandbox", CycleKind.INITIAL)
        rows = [
            {
                "source_id": source_id,
                "source_name": f"{source_id}@northwind.example",
                "target_uri": f"urn:user:{number}",
                "target_name": source_id,
                "account_digest": None,
                "written": "{}",
                "active": True,
                "linked_at": ledger.now(),
            }
            for number, source_id in enumerate(source_ids)
        ]
        ledger.put_bulk("sandbox", cycle, [], links_rows=rows)
        ledger.end_cycle(cycle, "Completed")
