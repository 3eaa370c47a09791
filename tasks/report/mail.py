"""A mail about a job: what happened, to whom, what to do, and a link to the run; as HTML and as plain text. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final

import jinja2
import pandas as pd

from tasks.job import Notify
from tasks.ledger.notices import Notice
from tasks.report.activity import Group, groups_of
from tasks.report.causes import ALWAYS, THRESHOLD, CauseKind, action_for
from tasks.report.remedies import remedy_of

PEOPLE: Final = 15
"""Most people that a mail names."""
_CONCERNED: Final = (Group.FAILED.value, Group.STAGED.value, Group.HELD.value)
_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("tasks.report", "templates"),
    autoescape=jinja2.select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_TITLES: Final = {
    CauseKind.QUARANTINE: "In quarantine",
    CauseKind.CREDENTIALS: "The sign-in is refused",
    CauseKind.BROKEN: "The cycle broke off",
    CauseKind.INCOMPLETE: "The source was not read whole",
    CauseKind.FAILURE: "People fail",
}


@dataclasses.dataclass(frozen=True)
class News:
    """What a mail is about: a job, what is new or over, and the run that found it.

    `link` is the address of the run, `see` the command that
    shows everything; both may be empty. `activities` (`activity.COLUMNS`) are those of the run.
    """

    job: str
    job_file: str
    notices: Sequence[Notice]
    sentence: str
    activities: pd.DataFrame
    link: str
    see: str
    now: dt.datetime


def wanted(notices: Sequence[Notice], *, failures: bool) -> list[Notice]:
    """Give those of the notices that a mail has to tell: new ones, and ends of those that people were told of.

    Something that came and went before a mail got through is told too, as over. With `failures` about everything,
    else about quarantine and credentials.
    """
    return [
        notice
        for notice in notices
        if (notice.over_at is not None or not notice.told) and (failures or notice.cause.kind in ALWAYS)
    ]


def compose(news: News, notify: Notify) -> EmailMessage:
    """Write the mail."""
    fresh = [notice for notice in news.notices if notice.over_at is None]
    over = [notice for notice in news.notices if notice.over_at is not None]
    people, more = _people(news.activities) if fresh else ([], 0)
    content = {
        "job": news.job,
        "headline": _headline(fresh, over),
        "good": not fresh,
        "sentence": news.sentence,
        "fresh": [(_title(one), one, action_for(one.cause, news.job_file)) for one in fresh],
        "over": [(_title(one), one) for one in over],
        "people": people,
        "more": more,
        "link": news.link,
        "see": news.see,
        "now": news.now,
    }
    message = EmailMessage()
    message["Subject"] = f"[Replicon provisioning] {news.job}: {content['headline']}"
    message["From"] = notify.sender
    message["To"] = ", ".join(notify.to)
    message["Date"] = format_datetime(news.now)
    message["Message-ID"] = make_msgid(domain=notify.sender.rpartition("@")[2])
    # Nobody's out-of-office note should come back.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_TEMPLATES.get_template("notice.txt").render(content))
    message.add_alternative(_TEMPLATES.get_template("notice.html").render(content), subtype="html")
    return message


def _title(notice: Notice) -> str:
    cause = notice.cause
    if cause.code == THRESHOLD:
        return "In quarantine: more people would be disabled or deleted than may be (TooManyDeletes)"
    named = cause.kind in {CauseKind.QUARANTINE, CauseKind.FAILURE}
    return f"{_TITLES[CauseKind(cause.kind)]}: {cause.code}" if named else _TITLES[CauseKind(cause.kind)]


def _headline(fresh: Sequence[Notice], over: Sequence[Notice]) -> str:
    """Say the most important in a few words; it ends the subject."""
    before = [notice.cause.code for notice in over if notice.cause.kind == CauseKind.QUARANTINE]
    for notice in sorted(fresh, key=lambda one: list(CauseKind).index(CauseKind(one.cause.kind))):
        if notice.cause.kind == CauseKind.QUARANTINE:
            if before:
                return f"quarantine, now for {notice.cause.code}, before for {before[0]}"
            threshold = notice.cause.code == THRESHOLD
            return "quarantined, too many removals" if threshold else f"quarantined, {notice.cause.code}"
        return _title(notice)[:1].lower() + _title(notice)[1:]
    return "recovered"


def _people(activities: pd.DataFrame) -> tuple[list[dict[str, str]], int]:
    """Give whom it concerns, worst first and bounded, and how many more there are."""
    groups = groups_of(activities)
    concerned = activities.assign(group=groups).loc[groups.isin(_CONCERNED)]
    order = concerned["group"].map(_CONCERNED.index).sort_values(kind="stable").index
    shown = concerned.loc[order[:PEOPLE]]
    plain = shown.astype(object).where(shown.notna(), None)
    rows = [
        {
            "name": str(row["source_name"] or row["target_name"] or row["source_id"]),
            "group": str(row["group"]),
            "code": str(row["error_code"] or ""),
            "why": str(row["reason"] or ""),
            "action": str(row["remedy"] or (remedy_of(str(row["error_code"])).action if row["error_code"] else "")),
        }
        for row in plain.to_dict("records")
    ]
    return rows, len(concerned) - len(rows)
