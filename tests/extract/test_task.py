"""The extract stage's Prefect task: what it gives, and which failures it tries again. Started without a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.states import Failed

from tasks.connectors.http import TransportError
from tasks.extract.task import extract_assignments_task
from tasks.job import FilesSource, Job, PasswordSignIn, RepliconTarget, SecretReference
from tasks.model import BadInputError, UnreachableError


def test_the_task_reads_the_jobs_source(tmp_path: Path) -> None:
    users, assignments = tmp_path / "users.csv", tmp_path / "assignments.csv"
    users.write_text("id,department\nu1,Sales\nu2,Legal\n")
    assignments.write_text("principalId,principalType,appRoleId,appRoleValue\nu1,User,r1,Replicon.User\n")
    sign_in = PasswordSignIn(login_name="svc", password=SecretReference(env="UNUSED"))
    job = Job(
        name="files",
        source=FilesSource(type="directory_files", users=users, assignments=assignments),
        target=RepliconTarget(company_key="acme", sign_in=sign_in),
        mapping=tmp_path / "mapping.yaml",
    )
    found = extract_assignments_task.fn(job, frozenset({"department"})).assignments
    assert found[["source_id", "department"]].to_numpy().tolist() == [["u1", "Sales"]]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TransportError("no answer", sent=True), True),
        (UnreachableError("refused"), False),
        (BadInputError("no such attribute"), False),
    ],
)
def test_only_a_read_without_an_answer_is_tried_again(error: Exception, again: bool) -> None:
    condition = extract_assignments_task.retry_condition_fn
    assert condition is not None
    assert condition(extract_assignments_task, None, Failed(data=error)) is again  # type: ignore[arg-type]  # no run is needed
