"""The two mappings that are measured: the default one that this project ships, and a heavy one. Used by `measure`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.benchmarks.mapping.people import COUNTRIES

DEFAULT_FILE = Path(__file__).parents[3] / "deployments" / "mappings" / "replicon.yaml"

REGIONS = {country: f"Region {place % 7}" for place, country in enumerate(COUNTRIES[:40])}
"""What the heavy mapping's Switch of 40 keys makes of a country."""

GRADES = ("Employee", "Contractor", "Intern", "Trainee", "Guest", "Temp")


def default() -> Mapping[str, str]:
    """Give the default mapping's expressions by target attribute, as its file has them."""
    document = yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8"))
    mappings = document["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"]
    return {one["targetAttributeName"]: one["source"] for one in mappings}


def _nested(grades: tuple[str, ...]) -> str:
    if not grades:
        return '"Unknown"'
    return f'IIF([employeeType] = "{grades[0]}", "Grade {len(grades)}", {_nested(grades[1:])})'


_PAIRS = ", ".join(f'"{key}", "{value}"' for key, value in REGIONS.items())

HEAVY: Mapping[str, str] = {
    "Region": f'Switch([country], "Elsewhere", {_PAIRS})',
    "Grade": _nested(GRADES),
    "Phone": r'Replace([telephoneNumber], , "[()\\s-]+", , "", , )',
    "Extension": r'Replace([telephoneNumber], , "^\\+(?<land>\\d+) (?<rest>.*)$", , "${rest}", , )',
    "Alias": 'ToLower(NormalizeDiacritics(StripSpaces(Join(".", [givenName], [surname]))))',
    "Hired": 'FormatDateTime([employeeHireDate], , "yyyy-MM-ddTHH:mm:ssZ", "dd.MM.yyyy")',
    "Tenure": 'IIF(DateDiff("yyyy", CDate([employeeHireDate]), Now()) >= 10, "senior", "junior")',
    "Name": 'Join(", ", ToUpper([surname]), [givenName], [department])',
    "Parts": 'Split(Join(";", [department], [officeLocation], [companyName]), ";")',
    "Account": "Append(Mid([userPrincipalName], 1, 12), Left([extensionAttribute1], 4))",
}
