"""A job file is validated whole, and every problem is told with its file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.job import FilesSource, GraphSource, Job, PasswordSignIn, SecretReference, TokenSignIn, load_job
from tasks.model import BadInputError, Operation

GOOD = """\
name: acme-replicon
source:
  type: microsoft_graph
  tenant_id: acme.test
  client_id: 11111111-1111-1111-1111-111111111111
  client_secret: {env: GRAPH_CLIENT_SECRET}
  application_id: 22222222-2222-2222-2222-222222222222
target:
  company_key: acme
  sign_in:
    login_name: svc.provisioning
    password: {env: REPLICON_PASSWORD}
mapping: mappings/replicon.yaml
"""


def load(folder: Path, text: str) -> Job:
    path = folder / "job.yaml"
    path.write_text(text, encoding="utf-8")
    return load_job(path)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(BadInputError) as caught:
        load(folder, text)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_good_file_gives_the_documented_defaults(tmp_path: Path) -> None:
    job = load(tmp_path, GOOD)

    assert isinstance(job.source, GraphSource)
    assert isinstance(job.target.sign_in, PasswordSignIn)
    assert job.scope.exclude_default_access
    assert not job.scope.nested_groups
    assert job.target.discovery_url == "https://global.replicon.com"


def test_paths_are_relative_to_the_job_file(tmp_path: Path) -> None:
    text = GOOD.replace(
        GOOD[GOOD.index("  type") : GOOD.index("target")],
        "  type: directory_files\n  users: in/users.csv\n  assignments: in/assignments.csv\n",
    )
    job = load(tmp_path, text)

    assert isinstance(job.source, FilesSource)
    assert job.source.users == tmp_path / "in/users.csv"
    assert job.mapping == tmp_path / "mappings/replicon.yaml"


def test_a_token_signs_in_instead_of_a_password(tmp_path: Path) -> None:
    text = GOOD.replace(
        "    login_name: svc.provisioning\n    password: {env: REPLICON_PASSWORD}\n", "    token: {file: token.txt}\n"
    )
    assert isinstance(load(tmp_path, text).target.sign_in, TokenSignIn)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("company_key: acme", "compny_key: acme", 9, "no such key"),
        ("company_key: acme", "company_key: ''", 9, "at least 1 character"),
        ("mapping: mappings/replicon.yaml\n", "", 1, "mapping: this key is required"),
        ("type: microsoft_graph", "type: okta", 3, "microsoft_graph"),
        ("{env: GRAPH_CLIENT_SECRET}", "s3cr3t", 6, "never written here"),
        ("{env: REPLICON_PASSWORD}", "{env: A, file: b}", 12, "exactly one"),
        ("name: acme-replicon", "name: Acme Replicon", 1, "pattern"),
        (
            "  client_secret: {env: GRAPH_CLIENT_SECRET}\n",
            "",
            2,
            "exactly one of `client_secret` and `certificate`",
        ),
        ("mapping:", "scope: {who: everyone}\nmapping:", 13, "assigned"),
        ("mapping:", "guards: {removals: {percent: 120}}\nmapping:", 13, "less than or equal to 100"),
        ("mapping:", "ledger: {url: 'postgresql://me:pw@db/x'}\nmapping:", 13, "holds a password"),
        ("  company_key: acme\n", "  company_key: acme\n  discovery_url: http://global.replicon.com\n", 10, "TLS"),
        ("  company_key: acme\n", "  company_key: acme\n  company_key: bcme\n", 10, "stands twice"),
        ("mapping:", "x: [\nmapping:", 14, "not YAML"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    text = refusal(tmp_path, GOOD.replace(old, new))

    assert f"job.yaml:{line}:" in text
    assert words in text


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = refusal(tmp_path, GOOD.replace("company_key", "company").replace("tenant_id", "tenant"))

    assert len(text.splitlines()) == 4


def test_a_secret_written_inline_is_not_repeated(tmp_path: Path) -> None:
    assert "s3cr3t" not in refusal(tmp_path, GOOD.replace("{env: GRAPH_CLIENT_SECRET}", "s3cr3t"))


def test_a_job_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"absent\.yaml cannot be read"):
        load_job(tmp_path / "absent.yaml")


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from file\n", encoding="utf-8")
    monkeypatch.setenv("A_SECRET", "from environment")

    assert SecretReference(env="A_SECRET").resolve("password") == "from environment"
    assert SecretReference(file=tmp_path / "secret").resolve("password") == "from file"


def test_an_absent_secret_names_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_SECRET", raising=False)

    with pytest.raises(BadInputError, match="environment variable A_SECRET"):
        SecretReference(env="A_SECRET").resolve("password")
    with pytest.raises(BadInputError, match="cannot be read"):
        SecretReference(file=tmp_path / "secret").resolve("password")


def test_a_disable_is_allowed_by_update(tmp_path: Path) -> None:
    job = load(tmp_path, GOOD + "actions: [update]\n")

    assert job.allows(Operation.DISABLE)
    assert not job.allows(Operation.CREATE)
    assert not job.allows(Operation.DELETE)


def test_workers_of_a_cluster_need_a_ledger_that_they_can_share(tmp_path: Path) -> None:
    assert "PostgreSQL" in refusal(tmp_path, GOOD + "cluster: {scheduler: 'tcp://dask.example:8786', folder: parts}\n")
    shared = "ledger: {url: postgresql+psycopg://provision@db.example/provision}\n"
    job = load(tmp_path, GOOD + shared + "cluster: {scheduler: 'tcp://dask.example:8786', folder: parts}\n")
    assert job.cluster is not None
    assert job.cluster.folder == tmp_path / "parts"
    assert "cluster.scheduler" in refusal(tmp_path, GOOD + shared + "cluster: {scheduler: dask, folder: parts}\n")
