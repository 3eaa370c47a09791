"""Directory files: what is read from them, and how a broken file is told from people who left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tasks.connectors.directory import DirectoryRead
from tasks.connectors.directory_files.reader import DirectoryFiles
from tasks.extract.assignments import extract_assignments
from tasks.job import FilesSource, Scope
from tasks.model import STRING, STRINGS, BadInputError, Presence

ATTRIBUTES = frozenset({"userPrincipalName", "accountEnabled", "department", "manager", "otherMails"})
USERS = """id,userPrincipalName,accountEnabled,department,manager,otherMails,unused
u1,ann@x.org,TRUE,"Sales, North",,a@y.org;b@y.org,1
u2,bob_y.org#EXT#@x.org,false,,u1,,2
u3,cid@x.org,true,Résumé,u1,,3
"""
ASSIGNMENTS = """principalId,principalType,principalDisplayName,appRoleId,appRoleValue,appRoleDisplayName
u1,User,Ann,r1,Replicon.User,User
g1,Group,Staff,r1,Replicon.User,User
"""
MEMBERS = """groupId,memberId
g1,u2
g1,u3
"""


@dataclasses.dataclass
class Folder:
    path: Path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.write_bytes(text.encode())
        return file

    def source(self) -> FilesSource:
        files = {name: self.path / f"{name}.csv" for name in ("users", "assignments", "members")}
        return FilesSource(type="directory_files", **files)

    def read(self, scope: Scope | None = None, attributes: frozenset[str] = ATTRIBUTES) -> DirectoryRead:
        return DirectoryFiles(self.source()).read_all(attributes, scope or Scope())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    for name, text in (("users", USERS), ("assignments", ASSIGNMENTS), ("members", MEMBERS)):
        made.write(f"{name}.csv", text)
    return made


def column(frame: pd.DataFrame, name: str) -> dict[str, object]:
    values = [None if isinstance(value, type(pd.NA)) else value for value in frame[name]]
    return dict(zip(frame["source_id"], values, strict=True))


def test_whole_files_give_a_complete_read(folder: Folder) -> None:
    read = folder.read()
    assert (read.manifest.complete, read.manifest.missing, read.manifest.objects) == (True, (), 3)


def test_attributes_come_under_their_mapping_names_and_types(folder: Folder) -> None:
    users = folder.read().users
    assert {name: users[name].dtype for name in users.columns} == {
        "source_id": STRING,
        "presence": STRING,
        "accountEnabled": STRING,
        "department": STRING,
        "manager": STRING,
        "otherMails": STRINGS,
        "userPrincipalName": STRING,
    }


def test_booleans_are_written_as_mappings_see_them(folder: Folder) -> None:
    assert column(folder.read().users, "accountEnabled") == {"u1": "True", "u2": "False", "u3": "True"}


def test_empty_text_is_no_value(folder: Folder) -> None:
    assert column(folder.read().users, "department") == {"u1": "Sales, North", "u2": None, "u3": "Résumé"}


def test_lists_are_split_at_semicolons(folder: Folder) -> None:
    assert list(folder.read().users["otherMails"][0]) == ["a@y.org", "b@y.org"]


def test_guests_lose_their_mark_unless_the_original_name_is_asked_for(folder: Folder) -> None:
    users = folder.read(attributes=frozenset({"userPrincipalName", "originalUserPrincipalName"})).users
    assert (users["userPrincipalName"][1], users["originalUserPrincipalName"][1]) == (
        "bob@y.org",
        "bob_y.org#EXT#@x.org",
    )


def test_roles_come_from_the_assignments_file(folder: Folder) -> None:
    assert folder.read().roles.to_dict("records") == [
        {"role_id": "r1", "value": "Replicon.User", "display_name": "User", "enabled": True}
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_column(folder: Folder) -> None:
    folder.write("users.csv", "\ufeff" + USERS)
    assert len(folder.read().users) == 3


def test_parquet_files_give_the_same_read_as_csv(folder: Folder) -> None:
    from_csv = folder.read()
    files = {}
    for name in ("users", "assignments", "members"):
        table = pa.csv.read_csv(folder.path / f"{name}.csv")
        files[name] = folder.path / f"{name}.parquet"
        if name == "users":
            lists = pa.array([["a@y.org", "b@y.org"], None, None])
            table = table.set_column(table.column_names.index("otherMails"), "otherMails", lists)
        pa.parquet.write_table(table, files[name])
    read = DirectoryFiles(FilesSource(type="directory_files", **files)).read_all(ATTRIBUTES, Scope())
    pd.testing.assert_frame_equal(read.users, from_csv.users)
    assert read.manifest.digest == from_csv.manifest.digest


def test_a_date_of_deletion_puts_somebody_in_the_recycle_bin(folder: Folder) -> None:
    folder.write("users.csv", "id,deletedDateTime\nu1,\nu2,2026-01-01\nu3,\n")
    read = folder.read(attributes=frozenset())
    assert column(read.users, "presence") == {"u1": "present", "u2": "soft_deleted", "u3": "present"}
    assert read.absent_means is Presence.HARD_DELETED


def test_files_that_cannot_tell_deletion_never_mean_hard_deleted(folder: Folder) -> None:
    found = extract_assignments(
        DirectoryFiles(folder.source()), ATTRIBUTES, Scope(), pd.Series(["u9"], dtype=STRING)
    ).assignments
    assert column(found, "presence")["u9"] == "soft_deleted"


def replaced(name: str, old: str, new: str) -> Callable[[Folder], object]:
    text = {"users.csv": USERS, "assignments.csv": ASSIGNMENTS, "members.csv": MEMBERS}[name]
    assert old in text
    return lambda folder: folder.write(name, text.replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda f: (f.path / "users.csv").unlink(), "users.csv cannot be read", id="absent file"),
        pytest.param(lambda f: f.write("users.csv", ""), "the file is empty", id="empty file"),
        pytest.param(lambda f: f.write("users.csv", USERS.splitlines()[0] + "\n"), "no row", id="no rows"),
        pytest.param(
            lambda f: f.write("assignments.csv", ASSIGNMENTS.splitlines()[0] + "\n"), "no row", id="no assignments"
        ),
        pytest.param(lambda f: f.write("members.csv", "groupId,memberId\n"), "no row", id="no members"),
        pytest.param(lambda f: f.write("users.csv", USERS[:-12]), "users.csv cannot be read to its end", id="cut row"),
        pytest.param(
            replaced("users.csv", "department", "Departement"),
            r"users\.csv:1: .*department \(is Departement meant",
            id="renamed header",
        ),
        pytest.param(
            replaced("users.csv", "manager", "boss"), r"users\.csv:1: expected the column manager", id="missing column"
        ),
        pytest.param(
            replaced("members.csv", "memberId", "user"),
            r"members\.csv:1: expected the column memberId",
            id="members column",
        ),
        pytest.param(replaced("users.csv", "department", "manager"), "manager stands twice", id="doubled header"),
        pytest.param(replaced("users.csv", ",", ";"), "not separated by commas", id="semicolons"),
        pytest.param(
            replaced("users.csv", "u3,", "u1,"), r"users\.csv:4: column id: this id stands above", id="doubled id"
        ),
        pytest.param(replaced("users.csv", "u3,", ","), r"users\.csv:4: column id: expected an id", id="no id"),
        pytest.param(
            replaced("users.csv", "false", "nope"),
            r"users\.csv:3: column accountEnabled: expected true or false",
            id="no boolean",
        ),
        pytest.param(
            replaced("assignments.csv", "Group,", "Team,"),
            r"assignments\.csv:3: column principalType",
            id="principal type",
        ),
        pytest.param(
            replaced("assignments.csv", "u1,User", ",User"),
            r"assignments\.csv:2: column principalId",
            id="no principal",
        ),
        pytest.param(
            replaced("assignments.csv", "Staff,r1,Replicon.User", "Staff,r1,Other"),
            "two values or names",
            id="role with two values",
        ),
        pytest.param(
            lambda f: (f.path / "users.csv").write_bytes(b"id,userPrincipalName\nu1,\xff\n"),
            "users.csv",
            id="not UTF-8",
        ),
    ],
)
def test_a_broken_file_is_an_error_that_names_the_place(
    folder: Folder, spoil: Callable[[Folder], object], words: str
) -> None:
    spoil(folder)
    with pytest.raises(BadInputError, match=words):
        folder.read()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(
            lambda f: f.write("users.csv", USERS[:-1]), "users.csv: the last line has no line end", id="cut line end"
        ),
        pytest.param(
            lambda f: f.write("users.csv", USERS[: USERS.index("u3")]),
            "members.csv names people who are not in the users file: 1 (u3)",
            id="cut between rows",
        ),
        pytest.param(
            lambda f: f.write("members.csv", "groupId,memberId\ng9,u2\n"),
            "members.csv has no member of the assigned group Staff",
            id="group without members",
        ),
        pytest.param(
            replaced("assignments.csv", "u1,User", "u9,User"),
            "assignments.csv assigns people who are not in the users file: 1 (u9)",
            id="unknown principal",
        ),
    ],
)
def test_files_that_do_not_fit_together_are_an_incomplete_read(
    folder: Folder, spoil: Callable[[Folder], object], words: str
) -> None:
    spoil(folder)
    manifest = folder.read().manifest
    assert (manifest.complete, any(words in each for each in manifest.missing)) == (False, True), manifest.missing


def test_a_parquet_file_that_is_cut_off_is_an_error(folder: Folder) -> None:
    file = folder.path / "users.parquet"
    pa.parquet.write_table(pa.csv.read_csv(folder.path / "users.csv"), file)
    file.write_bytes(file.read_bytes()[:-20])
    source = folder.source().model_copy(update={"users": file})
    with pytest.raises(BadInputError, match="not a whole Parquet file"):
        DirectoryFiles(source).read_all(ATTRIBUTES, Scope())


def test_assigned_groups_without_a_members_file_are_an_error(folder: Folder) -> None:
    source = folder.source().model_copy(update={"members": None})
    with pytest.raises(BadInputError, match=r"source\.members"):
        DirectoryFiles(source).read_all(ATTRIBUTES, Scope())


NESTED = "groupId,memberId\ng1,g2\ng2,g3\ng3,g1\ng3,u3\ng1,u2\ng2,u2\n"


def test_inner_groups_are_not_read_by_default(folder: Folder) -> None:
    folder.write("members.csv", NESTED)
    assert folder.read().members["member_id"].tolist() == ["u2"]


def test_a_circle_of_groups_ends_and_direct_members_stay_direct(folder: Folder) -> None:
    folder.write("members.csv", NESTED)
    found = folder.read(Scope(nested_groups=True)).members
    assert sorted(found.itertuples(index=False, name=None)) == [("g1", "u2", True), ("g1", "u3", False)]


def test_named_people_are_found_by_id_sign_in_name_and_mail(folder: Folder) -> None:
    folder.write("users.csv", USERS.replace("unused", "mail").replace(",2\n", ",B@y.org\n"))
    directory = DirectoryFiles(folder.source())
    found = directory.find_people(["u1", "b@Y.org", "CID@x.org", "nobody"], frozenset()).users
    assert found["source_id"].tolist() == ["u1", "u2", "u3"]


def test_some_people_are_assigned_and_no_more_than_asked_for(folder: Folder) -> None:
    directory = DirectoryFiles(folder.source())
    some, more = directory.some_people(1, Scope()), directory.some_people(9, Scope())
    read = directory.read_all(frozenset(), Scope())
    assigned = {*read.assignments["principal_id"], *read.members["member_id"]} & set(read.users["source_id"])
    assert (some, set(more)) == (more[:1], assigned)
    assert directory.some_people(9, Scope(who="all")) == read.users["source_id"].tolist()


def test_the_connection_test_reports_what_does_not_fit(folder: Folder) -> None:
    folder.write("users.csv", USERS[: USERS.index("u3")])
    probes = DirectoryFiles(folder.source()).probe(Scope())
    assert [each.good for each in probes] == [True, False]
