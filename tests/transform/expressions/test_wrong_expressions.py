"""What is wrong with an expression is said before anything is evaluated: line, column, function, argument, remedy."""

from __future__ import annotations

import pytest

from tasks.model import BadInputError
from tasks.transform.expressions.engine import compile_expression
from tasks.transform.expressions.errors import ExpressionError

ATTRIBUTES = ["givenName", "surname", "mail"]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "is empty"),
        (" \n ", 1, 1, "is empty"),
        ('Join(",", [mail]', 1, 17, "ends too early"),
        ('Join(",",\n  [mail]))', 2, 10, "expected the end"),
        ('Append([mail], "x)', 1, 16, "no closing quotation mark"),
        ("Append([mail, 1)", 1, 8, "no closing square bracket"),
        ("Append(“x”, 1)", 1, 8, "straight double quotation marks"),
        ("Len([mail] [mail])", 1, 12, "found"),
        ("IIF([mail] = [mail] = [mail], 1, 2)", 1, 21, "expected"),
        ("Len(mail)", 1, 5, "[mail]"),
        ("mail", 1, 1, '"mail"'),
        ("IgnoreFlow", 1, 1, "no word of the language"),
        ("[]", 1, 1, "no name"),
    ],
)
def test_a_slip_of_the_pen_is_named_with_its_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as told:
        compile_expression(text)
    assert (told.value.line, told.value.column) == (line, column)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("text", "function", "argument", "words"),
    [
        ("Left([mail])", "Left", "NumChars", "is missing"),
        ("Left([mail], )", "Left", "NumChars", "is missing"),
        ('Left([mail], "three")', "Left", "NumChars", "a whole number"),
        ("Left([mail], 2.5)", "Left", "NumChars", "a whole number"),
        ("Left([mail], IsNull([mail]))", "Left", "NumChars", "is True or False"),
        ("Mid([mail], 1, 2, 3)", "Mid", None, "found 4"),
        ("Now(1)", "Now", None, "no arguments"),
        ('Join(",")', "Join", "source", "is missing"),
        ("CDate(20240506)", "CDate", "expression", "is a number"),
        ('CDate("sometime")', "CDate", "expression", "a date"),
        ('DateAdd("month", 1, Now())', "DateAdd", "interval", "yyyy, m, d"),
        ('DateDiff("D", Now(), Now())', "DateDiff", "interval", "Did you mean d?"),
        ('InStr([mail], "a", 1, vbBinaryCompar)', None, None, "Did you mean vbBinaryCompare?"),
        ('InStr([mail], "a", 1, UTF8)', "InStr", "compareType", "must be one of"),
        ("Append([mail], UTF8)", "Append", "suffix", "is no value here"),
        ('ConvertFromBase64([mail], "UTF16")', "ConvertFromBase64", "Encoding", "must be one of"),
        ('ToUpper([mail], "dutch please")', "ToUpper", "culture", "tr-TR"),
        ('FormatDateTime([mail], , "yyyy\'", "s")', "FormatDateTime", "inputFormat", "not closed"),
        ('FormatDateTime([mail], , "q", "s")', "FormatDateTime", "inputFormat", "not a standard format"),
        ('FormatDateTime([mail], "Anything", "yyyy", "s")', "FormatDateTime", "dateTimeStyles", "DateTimeStyles"),
        ('Switch([mail], "d", "k")', "Switch", None, "even number"),
        ("Switch([mail])", "Switch", None, "even number"),
        ('SelectUniqueValue("a")', "SelectUniqueValue", None, "at least two rules"),
        ('Append(SelectUniqueValue("a", "b"), "c")', "SelectUniqueValue", None, "outermost"),
        ("IIF(IgnoreFlowIfNullOrEmpty([mail]), 1, 2)", "IIF", "condition", "cannot be the condition"),
        ('Replace([mail], "a")', "Replace", None, "found Find"),
        ('Replace([mail], "", , , "x")', "Replace", "Find", "must not be empty"),
        ('Replace([mail], , "(", , "x")', "Replace", "RegularExpression", "is wrong"),
        ('Replace([mail], , "(?<a>x)", "b", "x")', "Replace", "RegularExpressionGroupName", 'no group "b"'),
        ('Replace([mail], , "a++", , "x")', "Replace", "RegularExpression", "nothing to repeat"),
        ('Replace([mail], , "(?<a-b>x)", , "x")', "Replace", "RegularExpression", "not supported"),
        (r'Replace([mail], , "\\y", , "x")', "Replace", "RegularExpression", "no known escape"),
    ],
)
def test_a_wrong_call_names_function_and_argument(
    text: str, function: str | None, argument: str | None, words: str
) -> None:
    with pytest.raises(ExpressionError) as told:
        compile_expression(text)
    assert (told.value.function, told.value.argument) == (function, argument)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ('Jion(",", [mail])', "Join"),
        ("tolower([mail])", "ToLower"),
        ("NormaliseDiacritics([mail])", "NormalizeDiacritics"),
        ("Len([givenname])", "[givenName]"),
        ("Qwertyuiop()", None),
    ],
)
def test_an_unknown_name_brings_the_nearest_one(text: str, suggestion: str | None) -> None:
    with pytest.raises(ExpressionError) as told:
        compile_expression(text, known_attributes=ATTRIBUTES)
    assert told.value.suggestion == suggestion


def test_the_place_of_the_expression_opens_the_message() -> None:
    with pytest.raises(
        BadInputError, match=r"^replicon\.yaml:7: LoginName: line 2, column 3: Left, argument NumChars: "
    ):
        compile_expression('Append("x",\n  Left([mail]))', where="replicon.yaml:7: LoginName")


def test_an_expression_tells_what_it_reads_and_calls() -> None:
    expression = compile_expression('Coalesce([mail], Append([surname], "@x"), [mail])')
    assert expression.attributes == {"mail", "surname"}
    assert expression.functions == {"Coalesce", "Append"}
    assert not expression.redacted
