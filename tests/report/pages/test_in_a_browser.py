"""The HTML report in a real browser, where there is one: judged by axe, on a phone, by keyboard, and in print."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tasks.report.pages.render import period_page
from tests.report.pages.test_render import DEEDS, cycle
from tests.report.pages.world import PERIOD, Deed, activities, began, cycles, standing

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = (
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaft@" + "sub." * 20 + "example",
    "محمد الحسن",
    "יוסף כהן",
    "山田太郎",
    "<b>Bobby</b>",
)
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    frame = activities([*DEEDS, *(Deed(2, name, status="failure", code="Timeout") for name in NAMES)])
    there = standing(linked=[began(0)] * 4, failed=[began(2)])
    pages = {"cycle": cycle(), "period": period_page(frame, PERIOD, cycles(3), there)}
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


def shown(browser: Browser, file: Path, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """Open a page; give it with everything that the browser complained of or asked the network for."""
    dark = scheme == "dark"
    page = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", bypass_csp=False
    )
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url) if not request.url.startswith("file:") else None)
    page.goto(file.as_uri())
    return page, noise


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["cycle", "period"])
def test_axe_finds_nothing_to_mend(
    name: str, width: int, scheme: str, browser: Browser, files: dict[str, Path]
) -> None:
    page, _ = shown(browser, files[name], width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page, options=RULES)
    page.close()
    told = [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]]
    assert told == []


@pytest.mark.parametrize("name", ["cycle", "period"])
def test_nothing_is_asked_for_and_nothing_goes_wrong(name: str, browser: Browser, files: dict[str, Path]) -> None:
    page, noise = shown(browser, files[name])
    page.close()
    assert noise == []


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", ["cycle", "period"])
def test_the_page_is_never_wider_than_the_screen(
    name: str, width: int, browser: Browser, files: dict[str, Path]
) -> None:
    page, _ = shown(browser, files[name], width)
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert wide <= width


def test_a_person_is_chosen_by_keyboard_and_found_by_typing(browser: Browser, files: dict[str, Path]) -> None:
    page, noise = shown(browser, files["period"])
    page.focus("#person-choice")
    page.keyboard.type("<b>B")
    heading = page.locator("article.story:not([hidden]) h3")
    assert (heading.count(), heading.inner_text()) == (1, "<b>Bobby</b>")
    page.fill("#activity-table-1-find", "timeout 山田")
    assert page.locator("#activity-table-1 tbody tr:visible").count() == 1
    assert page.locator("[data-found]").inner_text().startswith("1 of ")
    page.close()
    assert noise == []


def test_a_right_to_left_name_leaves_what_stands_beside_it_in_place(browser: Browser, files: dict[str, Path]) -> None:
    page, _ = shown(browser, files["period"])
    cell = page.locator("#activity-table-1 tbody tr", has_text="محمد").locator("bdi").first
    direction = cell.evaluate(
        "(one) => [getComputedStyle(one).unicodeBidi, getComputedStyle(one.parentElement).direction]"
    )
    page.close()
    assert direction == ["isolate", "ltr"]


def test_it_prints_on_paper(browser: Browser, files: dict[str, Path]) -> None:
    page, _ = shown(browser, files["period"])
    page.emulate_media(media="print")
    hidden = page.locator("nav, .find, figure details").evaluate_all("(all) => all.every((one) => !one.offsetParent)")
    paper = page.pdf(format="A4")
    page.close()
    assert hidden
    assert paper.startswith(b"%PDF")
