"""The page in a browser: it works by mouse, keyboard and screen reader, and is safe and whole."""

from __future__ import annotations

import base64

import numpy as np
import pytest

pytest.importorskip("selenium", reason="the extra `test` brings selenium")
from selenium.webdriver import Keys

from tests.html import browser
from tests.html.made import LONG, NAMES, ODD, SCRIPT, columns, page, pictures, sources

pytestmark = pytest.mark.skipif(
    browser.BROWSER is None or browser.DRIVER is None, reason=browser.MISSING
)
TABLE = ".board table.metrics"
ID = f"#{sources().boards[0].id}"
PLAIN_ODD = ODD.replace("\n", "\\n")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    found = browser.start(tmp_path_factory.mktemp("browser"))
    yield found
    found.quit()


@pytest.fixture(scope="module")
def shown(driver, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(), "utf-8")
    return browser.Page(driver, path)


@pytest.fixture
def wide(shown):
    return shown.open()


def column(shown, at, kind="method"):
    """Return the texts of a column of the main table, in the rows of a kind."""
    return shown.js(
        "return [...document.querySelector(arguments[0]).querySelectorAll(`tr.${arguments[2]}`)]"
        ".filter((row) => row.checkVisibility())"
        ".map((row) => row.cells[arguments[1]])"
        ".map((cell) => (cell.querySelector('.v') ?? cell).innerText.trim())",
        TABLE, at, kind,
    )  # fmt: skip


def head(shown, text):
    """Return the button in the head of a column of the main table, and the place of the column."""
    buttons = shown.all(f"{TABLE}:first-of-type thead button")
    texts = [button.text for button in buttons]
    at = next(i for i, one in enumerate(texts) if one.startswith(text))
    return buttons[at], at


def test_the_console_is_silent_and_nothing_is_requested(shown):
    wide = shown.open(plots=True)
    for one in wide.all("summary"):
        one.click()
    assert wide.errors() == []
    assert {url.split(":")[0] for url in wide.requests()} <= {"file", "data"}


def test_the_answer_is_on_the_first_screen(wide):
    lead = wide.one(".lead")
    assert lead.is_displayed()
    assert lead.location["y"] + lead.size["height"] < 900
    assert "lead with an equal transfer of" in lead.text
    assert wide.one(".scale .point").is_displayed()


@pytest.mark.parametrize("name", [SCRIPT, PLAIN_ODD, LONG])
def test_an_odd_name_is_text_everywhere(wide, name):
    assert name in column(wide, 0)
    for selector in (".scale .name", "table.pairs thead .tag"):
        assert name in wide.texts(selector), selector
    scripts = "return [...document.querySelectorAll('script')].map((one) => one.textContent)"
    assert "alert(1)" not in wide.js(scripts)
    assert wide.errors() == []


class TestTable:
    def test_a_head_sorts_best_first_then_worst_first_then_not(self, wide):
        before = column(wide, 0)
        button, at = head(wide, "harm")
        button.click()
        numbers = [
            float(text) for text in column(wide, at) if text not in ("-", "not run", "failed")
        ]
        assert numbers == sorted(numbers)
        cell = button.find_element("xpath", "..")
        assert cell.get_attribute("aria-sort") == "ascending"
        assert "best first" in wide.one("#said").get_attribute("textContent")
        button.click()
        again = [float(text) for text in column(wide, at) if text not in ("-", "not run", "failed")]
        assert again == sorted(numbers, reverse=True)
        button.click()
        assert column(wide, 0) == before
        assert cell.get_attribute("aria-sort") is None

    def test_gaps_are_last_in_either_direction(self, wide):
        button, _ = head(wide, "transfer")
        for _ in range(2):
            button.click()
            assert column(wide, 0)[-1] == "broken"

    def test_names_sort_too_and_floors_stay_apart(self, wide):
        button, _ = head(wide, "method")
        button.click()
        names = column(wide, 0)
        assert names == sorted(names, key=str.lower)
        assert column(wide, 0, "floor") == sorted(column(wide, 0, "floor"))

    def test_a_filter_hides_other_rows_and_their_pictures(self, wide):
        box = wide.one(f"{ID} [data-filter]")
        box.send_keys("SCRIPT")
        assert column(wide, 0) == [SCRIPT]
        assert wide.texts(f"{ID} .controls .count")[0].startswith("1 of ")
        assert wide.texts(f"{ID} table.pairs thead .tag") == [SCRIPT] * 2
        box.send_keys("zzz")
        assert column(wide, 0) == []
        box.clear()
        box.send_keys("a", Keys.BACKSPACE)
        assert len(column(wide, 0)) == 5

    def test_blocks_and_intervals_can_be_switched(self, wide):
        assert column(wide, 0, "floor")
        wide.one(f"{ID} [data-hide=anchors]").click()
        assert column(wide, 0, "floor") == []
        assert wide.texts(f"{ID} td .interval") == []
        wide.one(f"{ID} [data-show=interval]").click()
        found = wide.texts(f"{TABLE} td .interval")
        assert found
        assert all(text.startswith("[") for text in found)

    def test_a_head_and_a_cell_explain_themselves(self, wide):
        button, _ = head(wide, "infer")
        wide.hover(button)
        tip = wide.one("#tip")
        assert tip.is_displayed()
        assert "infer_images_per_s in images/s, higher is better: " in tip.text
        assert button.get_attribute("aria-describedby") == "tip"
        wide.press(Keys.ESCAPE)
        assert not tip.is_displayed()
        wide.hover(wide.all(f"{TABLE} tr.method")[0].find_elements("css selector", "td")[2])
        assert "3 seeds, 95 % interval [" in tip.text

    def test_a_row_opens_its_note_and_settings_with_the_keyboard(self, wide):
        name = wide.one(f"{TABLE} tr.method .who")
        wide.js("arguments[0].focus()", name)
        wide.press(Keys.ENTER)
        (facts,) = [text for text in wide.texts(".facts") if text]
        assert f"a note on {name.text}" in facts
        assert "confusion_weight = 0.05" in facts
        wide.press(Keys.ESCAPE)
        assert wide.texts(".facts") == []


class TestPictures:
    def test_the_screen_shows_what_the_metric_saw(self, wide):
        sheet = pictures().rows[0].sheet
        shot = wide.all(f"{ID} table.pairs .shot .px")[0]
        seen = wide.pixels(shot)
        assert seen.shape == (96, 96, 3)
        made = columns(0)["add"][sheet.rows[0].pair].transpose(1, 2, 0)
        assert (seen == made.repeat(3, 0).repeat(3, 1)).all()

    def test_an_error_map_is_the_difference_of_result_and_truth(self, wide):
        for method in (0, 1):  # the truth is in the sheet of the first one
            shot = wide.all(f"{ID} table.pairs .shot .error")[method]
            seen = wide.pixels(shot)[::3, ::3].astype(int)
            made, truth = (columns(method)[name][0].astype(int) for name in ("add", "true add"))
            luma = np.tensordot([0.2126, 0.7152, 0.0722], np.abs(made - truth), 1)
            expected = (luma * 2.5).clip(0, 255)
            assert np.abs(seen - expected[..., None]).max() <= 4

    def test_pairs_have_pages(self, wide):
        rows = f"{ID} table.pairs tbody th"
        pager = wide.one(f"{ID} .pager")
        back, on = pager.find_elements("css selector", "button")
        first = wide.texts(rows)[:3]
        assert first == ["0", "1", "2"]
        assert not back.is_enabled()
        on.click()
        assert wide.texts(rows)[:3] == ["3", "4", "5"]
        assert "page 2 of 4" in pager.text
        on.click(), on.click()
        assert not on.is_enabled()
        back.click()
        assert wide.texts(rows)[:3] == ["6", "7", "8"]

    def test_error_maps_can_be_hidden(self, wide):
        errors = (
            "return [...document.querySelectorAll('.pairs .error')]"
            ".some((one) => one.checkVisibility())"
        )
        assert wide.js(errors)
        wide.one(f"{ID} [data-errors]").click()
        assert not wide.js(errors)

    def test_a_picture_is_enlarged_without_blur(self, wide):
        shot = wide.all(f"{ID} table.pairs .shot")[0]
        wide.js("arguments[0].focus()", shot)
        wide.press(Keys.ENTER)
        dialog = wide.one("#large")
        assert dialog.is_displayed()
        assert wide.texts("#large figcaption")[:4] == ["source", "guide", "truth", "result"]
        assert "pair 0" in wide.one("#large-head").text
        image = wide.all("#large .px")[3]
        assert image.value_of_css_property("image-rendering") == "pixelated"
        side = image.size["width"]
        assert side > 96
        assert side % 32 == 0
        made = columns(0)["add"][0].transpose(1, 2, 0)
        factor = side // 32
        assert (wide.pixels(image) == made.repeat(factor, 0).repeat(factor, 1)).all()
        wide.press(Keys.ARROW_RIGHT)
        assert "pair 1" in wide.one("#large-head").text
        wide.press(Keys.ESCAPE)
        assert not dialog.is_displayed()
        assert wide.focused()[2] == "shot"

    def test_the_worst_and_the_median_pair_of_each_method_are_shown(self, wide):
        heads = wide.texts(f"{ID} .extremes thead th[colspan]")
        assert heads[:2] == [
            "median",
            "worst",
        ]
        assert len(wide.all(f"{ID} .extremes tbody tr")) == 2 * len(NAMES)

    def test_a_board_without_pictures_says_why(self, wide):
        notes = " ".join(wide.texts(".pictures .note"))
        assert "There are no pictures" in notes
        assert f"the artefacts of {SCRIPT} are gone" in notes


class TestPlots:
    def test_every_plot_is_drawn_and_named(self, shown):
        wide = shown.open(plots=True)
        plots = wide.all("figure.plot")
        assert len(plots) > 20
        assert len(wide.all("figure.plot svg")) == len(plots)
        assert all(one.get_attribute("aria-label") for one in wide.all("figure.plot .canvas"))

    def test_a_mark_explains_itself(self, shown):
        wide = shown.open(plots=True)
        mark = wide.all(".plot-grid.large .mark-symbol path")[-1]
        wide.hover(mark)
        wide.wait("return document.querySelector('#vg-tooltip-element.visible')")
        assert wide.one("#vg-tooltip-element").text

    def test_the_theme_decides_the_colours(self, shown):
        colour = "return getComputedStyle(document.querySelector('figure.plot svg text')).fill"
        light = shown.open(plots=True).js(colour)
        assert shown.open(dark=True, plots=True).js(colour) != light


class TestTheme:
    BACK = "return getComputedStyle(document.body).backgroundColor"

    def test_it_follows_the_system_and_the_reader(self, shown):
        light, dark = shown.open().js(self.BACK), shown.open(dark=True).js(self.BACK)
        assert light == "rgb(255, 255, 255)"
        assert sum(map(int, dark[4:-1].split(","))) < 120
        button = shown.one("#theme")
        assert button.text == "Theme: auto"
        button.click()
        assert (button.text, shown.js(self.BACK)) == ("Theme: light", light)
        button.click()
        assert (button.text, shown.js(self.BACK)) == ("Theme: dark", dark)
        shown.driver.refresh()
        assert shown.one("#theme").text == "Theme: dark"

    def test_print_is_light_and_whole(self, shown):
        shown.open(dark=True, media="print", plots=True)
        assert shown.js(self.BACK) in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
        assert shown.texts(".top, .controls, .pager button") == []
        assert len(shown.texts(f"{ID} table.pairs:first-of-type tbody th")) >= 12
        pdf = base64.b64decode(shown.command("Page.printToPDF", printBackground=False)["data"])
        assert pdf.startswith(b"%PDF")
        assert len(pdf) > 50_000


class TestPhone:
    def test_nothing_sticks_out_at_380_pixels(self, shown):
        shown.open(width=380, height=800, plots=True)
        assert shown.js("return document.documentElement.scrollWidth") == 380
        wide = shown.js(
            "return [...document.querySelectorAll('main *')].filter((one) => one.checkVisibility()"
            " && !one.closest('.scroll, svg, .unseen, .track')"
            " && one.getBoundingClientRect().right > 381).map((one) => one.outerHTML.slice(0, 120))"
        )
        assert wide == []
        assert shown.one(".lead").is_displayed()
        assert shown.one(TABLE).is_displayed()


class TestKeyboard:
    def test_everything_is_reached_in_order_and_seen(self, wide):
        wanted = {"Skip to the answer", "Answer", "Theme: auto", "method", SCRIPT, "plain"}
        reached = set()
        for _ in range(70):
            wide.press(Keys.TAB)
            tag, text, _ = wide.focused()
            if tag == "BODY":
                break
            reached.add(text.removesuffix(" \u2191"))
            if tag in ("A", "BUTTON"):
                outline = wide.js("return getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", text
        assert wanted <= reached

    def test_the_first_stop_skips_to_the_answer(self, wide):
        wide.press(Keys.TAB)
        assert wide.focused()[1] == "Skip to the answer"
        assert wide.js("return document.activeElement.getBoundingClientRect().left") > 0
        wide.press(Keys.ENTER)
        assert wide.js("return location.hash") == "#answer"

    def test_sorting_and_paging_need_no_mouse(self, wide):
        button, _ = head(wide, "harm")
        wide.js("arguments[0].focus()", button)
        wide.press(Keys.SPACE)
        assert button.find_element("xpath", "..").get_attribute("aria-sort")
        on = wide.all(f"{ID} .pager button")[1]
        wide.js("arguments[0].focus()", on)
        wide.press(Keys.ENTER)
        assert "page 2" in wide.one(f"{ID} .pager").text


@pytest.mark.parametrize(
    ("width", "dark", "is_open"), [(1280, False, True), (1280, True, False), (380, False, False)]
)
def test_axe_has_no_serious_finding(shown, width, dark, is_open):
    axe = pytest.importorskip("axe_core_python.selenium", reason="the extra `test` brings axe")
    shown.open(width=width, dark=dark, plots=True)
    shown.js(
        "for (const one of document.querySelectorAll('details')) one.open = arguments[0]", is_open
    )
    found = axe.Axe().run(shown.driver, options={"resultTypes": ["violations"]})
    serious = [
        (one["id"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert len(found["passes"]) > 10
