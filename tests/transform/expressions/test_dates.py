"""Dates as text: the common forms, and .NET's formats for reading and writing."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transform.expressions.columns import date_text
from tasks.transform.expressions.date_formats import FormatError, read, tokens, write
from tasks.transform.expressions.dates import TICKS, DateTextError, Moment, parse_any

TODAY = dt.date(2031, 3, 14)
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # the clock is UTC throughout
instants = st.datetimes().map(lambda instant: (instant - EPOCH) // dt.timedelta(microseconds=1) * (TICKS // 1_000_000))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-06", "2024-05-06T00:00:00"),
        ("2024/5/6 7:08", "2024-05-06T07:08:00"),
        ("2024-05-06-07:00", "2024-05-06T07:00:00"),
        ("2024-05-06T01:02:03.4567891+0530", "2024-05-05T19:32:03"),
        ("  5/6/2024 12:00:00 AM ", "2024-05-06T00:00:00"),
        ("5/6/2024 12:30 PM", "2024-05-06T12:30:00"),
        ("5.6.2024", "2024-05-06T00:00:00"),
        ("06-May-2024 23:59 Z", "2024-05-06T23:59:00"),
        ("May 6, 2024 7 AM", "2024-05-06T07:00:00"),
        ("Monday, 06 May 2024", "2024-05-06T00:00:00"),
        ("Mon, 06 May 2024 10:11:12 GMT", "2024-05-06T10:11:12"),
        ("2024-05", "2024-05-01T00:00:00"),
        ("May 2024", "2024-05-01T00:00:00"),
        ("6 May", "2031-05-06T00:00:00"),
        ("12/31", "2031-12-31T00:00:00"),
        ("1/2/50", "1950-01-02T00:00:00"),
        ("23:45", "2031-03-14T23:45:00"),
        ("0001-01-01", "0001-01-01T00:00:00"),
    ],
)
def test_common_forms_are_read(text: str, instant: str) -> None:
    expected = (dt.datetime.fromisoformat(instant) - EPOCH) // dt.timedelta(seconds=1)
    assert parse_any(text, TODAY).seconds == expected


@pytest.mark.parametrize(
    "text",
    ["", "20240506", "2024-13-01", "31/12/2024", "2024-02-30", "5/6/2024 25:00", "5/6/2024 13:00 PM", "5/6/2024 1:60",
     "Tuesday, 06 May 2024", "2024-05-06+15:00", "0/6/2024", "Smarch 5, 2024", "0001-01-01+01:00", "9" * 200],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(DateTextError):
        parse_any(text, TODAY)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("d", "08/07/2029"),
        ("D", "Tuesday, 07 August 2029"),
        ("f", "Tuesday, 07 August 2029 17:05"),
        ("F", "Tuesday, 07 August 2029 17:05:09"),
        ("g", "08/07/2029 17:05"),
        ("G", "08/07/2029 17:05:09"),
        ("m", "August 07"),
        ("o", "2029-08-07T17:05:09.0450000"),
        ("r", "Tue, 07 Aug 2029 17:05:09 GMT"),
        ("s", "2029-08-07T17:05:09"),
        ("t", "17:05"),
        ("T", "17:05:09"),
        ("u", "2029-08-07 17:05:09Z"),
        ("y", "2029 August"),
        ("%d", "7"),
        ("dd.MM.yy", "07.08.29"),
        ("ddd dddd MMM MMMM", "Tue Tuesday Aug August"),
        ("y yy yyy yyyyy", "29 29 2029 02029"),
        ("h hh H HH", "5 05 17 17"),
        ("m mm s ss", "5 05 9 09"),
        ("f ff fff fffffff", "0 04 045 0450000"),
        ("s.FF s.F", "9.04 9"),
        ("t tt", "P PM"),
        ("z zz zzz", "+0 +00 +00:00"),
        ("gg yyyyK", "A.D. 2029"),
        ("'day' d \\d \"M\"", "day 7 d M"),
    ],
)
def test_formats_write_as_in_net(form: str, written: str) -> None:
    instant = dt.datetime(2029, 8, 7, 17, 5, 9, 45_000)  # noqa: DTZ001  # the clock is UTC throughout
    moment = Moment((instant - EPOCH) // dt.timedelta(microseconds=1) * (TICKS // 1_000_000))
    assert write(moment, form) == written


@pytest.mark.parametrize(
    ("text", "form", "iso"),
    [
        ("7/8/2029", "d/M/yyyy", "2029-08-07T00:00:00"),
        ("07 august 2029", "dd MMMM yyyy", "2029-08-07T00:00:00"),
        ("Tue 7 AUG 29", "ddd d MMM yy", "2029-08-07T00:00:00"),
        ("070829", "ddMMyy", "2029-08-07T00:00:00"),
        ("2029-08-07T17:05:09.5Z", "yyyy-MM-ddTHH:mm:ss.FK", "2029-08-07T17:05:09"),
        ("2029-08-07T17:05:09", "yyyy-MM-ddTHH:mm:ss.FFFK", "2029-08-07T17:05:09"),
        ("2029-08-07 05 p", "yyyy-MM-dd hh t", "2029-08-07T17:00:00"),
        ("2029-08-07 -03", "yyyy-MM-dd zz", "2029-08-07T03:00:00"),
        ("2029", "yyyy", "2029-01-01T00:00:00"),
        ("17:05", "HH:mm", "2031-03-14T17:05:00"),
    ],
)
def test_formats_read_as_in_net(text: str, form: str, iso: str) -> None:
    assert write(read(text, form, today=TODAY), "s") == iso


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("7/8/2029", "dd/MM/yyyy"),
        ("2029-08-07 ", "yyyy-MM-dd'x'"),
        ("2029-08-07T", "yyyy-MM-dd"),
        ("13:00 AM", "hh:mm tt"),
        ("2029-02-29", "yyyy-MM-dd"),
        ("Mon 07 Aug 2029", "ddd dd MMM yyyy"),
        ("07 Augu 2029", "dd MMMM yyyy"),
    ],
)
def test_a_text_that_does_not_fit_its_format_is_refused(text: str, form: str) -> None:
    with pytest.raises(DateTextError):
        read(text, form, today=TODAY)


@pytest.mark.parametrize("form", ["", "q", "ffffffff", "'open", "yyyy\\", "yyyy%", "%%"])
def test_a_wrong_format_is_refused(form: str) -> None:
    with pytest.raises(FormatError):
        tokens(form)


@settings(deadline=None)
@given(instants, st.sampled_from(["o", "yyyy-MM-ddTHH:mm:ss.fffffffzzz", "MMMM d yyyy, h:mm:ss.fffffff tt"]))
def test_what_a_format_writes_it_reads(ticks: int, form: str) -> None:
    assert read(write(Moment(ticks), form), form).ticks == ticks


@settings(deadline=None)
@given(instants)
def test_the_text_of_a_date_function_is_read_again(ticks: int) -> None:
    seconds = Moment(ticks).seconds
    assert parse_any(date_text(seconds)).seconds == seconds
