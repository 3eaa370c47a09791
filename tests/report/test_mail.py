"""A mail says what happened, to whom, what to do, and where the run is; nothing from outside becomes markup."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd

from tasks.job import Notify
from tasks.ledger.notices import Cause, Notice
from tasks.report.causes import CauseKind
from tasks.report.mail import PEOPLE, News, compose, wanted
from tests.report.samples import START, activities

NOTIFY = Notify.model_validate(
    {"to": ["a@acme.example", "b@acme.example"], "sender": "p@acme.example", "smtp": {"host": "smtp.acme.example"}}
)
FULL = Cause(CauseKind.QUARANTINE, "TooManyDeletes", "612 accounts would be disabled, at most 500 may be.")
REFUSED = Cause(CauseKind.QUARANTINE, "EncounteredQuarantineException", "Entra refuses <the> secret.")
FAILING = Cause(CauseKind.FAILURE, "EntryConflict", "1 person fails with EntryConflict.")


def notice(cause: Cause, *, over: bool = False, told: bool = False) -> Notice:
    return Notice(cause, START, START + dt.timedelta(hours=2) if over else None, told)


def mail(*notices: Notice, frame: pd.DataFrame | None = None) -> tuple[str, str, str]:
    """Give a mail's subject, plain text and HTML."""
    given: dict[str, Any] = {"job": "acme", "job_file": "acme.yaml", "sentence": "1 created", "now": START}
    news = News(
        **given,
        notices=notices,
        activities=activities() if frame is None else frame,
        link="https://prefect.acme.example/runs/flow-run/1",
        see="provision report acme.yaml --cycle 8d9f",
    )
    message = compose(news, NOTIFY)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return str(message["Subject"]), plain.get_content(), html.get_content()


def test_both_forms_say_what_happened_to_whom_what_to_do_and_where() -> None:
    subject, plain, html = mail(notice(FULL))
    assert subject == "[Replicon provisioning] acme: quarantined, too many removals"
    for text in (plain, html):
        assert FULL.message in text
        assert "taken@acme.test" in text
        assert "provision approve acme.yaml FILE" in text
        assert "https://prefect.acme.example/runs/flow-run/1" in text


def test_a_new_reason_names_the_old_one() -> None:
    subject, plain, _ = mail(notice(REFUSED), notice(FULL, over=True, told=True))
    assert subject.endswith("quarantine, now for EncounteredQuarantineException, before for TooManyDeletes")
    assert "Over: In quarantine: more people would be disabled" in plain


def test_recovery_names_nobody() -> None:
    subject, plain, _ = mail(notice(FULL, over=True, told=True))
    assert subject.endswith("acme: recovered")
    assert "taken@acme.test" not in plain


def test_text_from_outside_stays_text() -> None:
    assert "Entra refuses &lt;the&gt; secret." in mail(notice(REFUSED))[2]


def test_only_so_many_people_are_named() -> None:
    failed = activities().iloc[[7] * (PEOPLE + 4)].reset_index(drop=True)
    _, plain, _ = mail(notice(FAILING), frame=failed)
    assert (plain.count("- taken@acme.test"), "and 4 more" in plain) == (PEOPLE, True)


def test_what_is_known_or_not_asked_for_is_not_mailed() -> None:
    known, fresh, asked = notice(FULL, told=True), notice(REFUSED), notice(FAILING)
    assert wanted([known, fresh, asked], failures=False) == [fresh]
    assert wanted([known, fresh, asked], failures=True) == [fresh, asked]
    assert wanted([notice(FULL, over=True, told=True)], failures=False) == [notice(FULL, over=True, told=True)]
