"""The page of a study as a reader meets it."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.browser import runs, studies
from tests.browser.conftest import Open, Opened

PICTURES = ("#heat", "#sensitivity", "#parallel")
ODD = re.compile(r"\b(NaN|null|undefined|Infinity)\b|\[object")


def choose(opened: Opened, section: str, label: str, option: str) -> None:
    opened.page.locator(f"{section} select[aria-label='{label}']").select_option(label=option)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("+", "").replace(",", "").replace(" %", ""))


def column(opened: Opened, heading: str) -> list[str]:
    heads = opened.texts("table.top thead th")
    return opened.texts(f"table.top tbody tr > :nth-child({heads.index(heading) + 1})")


def shape(opened: Opened, section: str) -> Callable[[], bytes]:
    return lambda: opened.page.locator(f"{section} canvas").first.screenshot()


def test_every_picture_is_drawn_and_nothing_odd_is_written(open_report: Open) -> None:
    opened = open_report("study")
    for section in PICTURES:
        assert opened.colours(section) > 20, section
    assert opened.page.locator("#distribution .bar").count() > 10
    for text in opened.texts("td, dd, strong, h3, .read, .card-more"):
        assert not ODD.search(text)


def test_the_head_says_what_was_tried_and_how_much_to_believe(open_report: Open) -> None:
    opened = open_report("study")
    assert opened.text("h1") == "ema_crossover"
    subject = opened.text(".subject")
    for part in ("7,680 sets", "largest Sharpe ratio", "trades>=30"):
        assert part in subject
    cards = opened.texts(".card")
    assert "7,597 ranked" in cards[1]
    assert "7,680" in cards[2]
    assert "20 of 20" in cards[4]
    opened.page.locator(".card").nth(3).focus()
    assert "luck" in opened.text("#hint")
    assert "9f" * 32 in opened.text("#settings")


def test_the_list_is_of_the_best_and_sorts_by_number(open_report: Open) -> None:
    opened = open_report("study")
    best = [number(text) for text in column(opened, "Sharpe")]
    assert best == sorted(best, reverse=True)
    assert len(best) == 20
    assert column(opened, "Checked")[0] == "✓ verified · report"
    top = opened.page.locator("table.top")
    top.get_by_role("button", name="stop loss ratio").click()
    stops = [number(text) for text in column(opened, "stop loss ratio")]
    assert stops == sorted(stops)
    top.get_by_role("button", name="Drawdown").click()
    falls = [number(text) for text in column(opened, "Drawdown")]
    assert falls == sorted(falls)


def test_the_best_set_has_a_report_beside_the_page(
    open_report: Open, reports: dict[str, Path]
) -> None:
    opened = open_report("study")
    assert opened.page.locator("table.top a").get_attribute("href") == "best.html"
    assert "backtest report" in (reports["study"].parent / "best.html").read_text("utf-8")


def test_the_heat_map_reads_the_best_and_the_mean_of_a_cell(
    open_report: Open, reports: dict[str, Path]
) -> None:
    opened = open_report("study")
    choose(opened, "#heat", "Across", "fast")
    choose(opened, "#heat", "Up", "slow")
    canvas = opened.page.locator("#heat canvas")
    canvas.focus()
    for key in ("ArrowLeft",) * 12 + ("ArrowDown",) * 16:
        opened.page.keyboard.press(key)
    read = opened.text("#heat-read")
    batches = sorted((reports["study"].parent / "batches").glob("*.parquet"))
    rows = pa.concat_tables([pq.read_table(path) for path in batches]).to_pylist()
    sharpes = [
        row["sharpe"]
        for row in rows
        if (row["fast"], row["slow"]) == (5, 20) and row["sharpe"] == row["sharpe"]
    ]
    assert "fast 5" in read
    assert "slow 20" in read
    assert f"best {max(sharpes):.3f}".replace("-", "−") in " ".join(read.split())
    assert f"mean {sum(sharpes) / len(sharpes):.3f}".replace("-", "−") in " ".join(read.split())


def test_the_heat_map_changes_with_metric_axes_and_kind(open_report: Open) -> None:
    opened = open_report("study")
    picture = shape(opened, "#heat")
    seen = [picture()]
    choose(opened, "#heat", "Metric", "Total trades")
    seen.append(opened.redrawn(picture, *seen))
    opened.page.locator("#heat").get_by_role("button", name="Mean").click()
    seen.append(opened.redrawn(picture, *seen))
    choose(opened, "#heat", "Across", "trend")
    opened.redrawn(picture, *seen)


def test_an_axis_chosen_for_both_sides_trades_places(open_report: Open) -> None:
    opened = open_report("study")
    choose(opened, "#heat", "Across", "fast")
    choose(opened, "#heat", "Up", "slow")
    choose(opened, "#heat", "Up", "fast")
    chosen = opened.page.evaluate(
        "[...document.querySelectorAll('#heat select')].map(s => s.selectedOptions[0].text)"
    )
    assert chosen[1:] == ["slow", "fast"]


def test_the_pointer_reads_a_cell_and_a_box(open_report: Open) -> None:
    opened = open_report("study")
    opened.page.locator("#heat canvas").hover()
    first = opened.text("#heat-read")
    assert "sets" in first
    panel = opened.page.locator("#sensitivity .panel[data-axis='fast']")
    panel.locator("canvas").hover(position={"x": 4, "y": 60})
    assert panel.locator(".read").inner_text().startswith("5: best")


def test_axes_stand_in_the_order_of_what_they_explain(open_report: Open) -> None:
    opened = open_report("study")
    shares = [
        number(found.group(1))
        for text in opened.texts("#sensitivity h3")
        if (found := re.search(r"explains ([\d.]+ %)", text))
    ]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 5


def test_dragging_along_an_axis_keeps_the_lines_that_pass(open_report: Open) -> None:
    opened = open_report("study")
    canvas = opened.page.locator("#parallel canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    assert opened.text("#parallel-read").startswith("950 of 950")
    right = box["x"] + box["width"] - 54
    opened.page.mouse.move(right, box["y"] + 36)
    opened.page.mouse.down()
    opened.page.mouse.move(right, box["y"] + 80, steps=4)
    opened.page.mouse.up()
    kept = int(opened.text("#parallel-read").split()[0])
    assert 0 < kept < 950
    opened.page.locator("#parallel").get_by_role("button", name="Clear").click()
    assert opened.text("#parallel-read").startswith("950 of 950")
    opened.page.locator("#parallel").get_by_role("button", name="Best 25", exact=True).click()
    assert opened.text("#parallel-read").startswith("25 of 950")


@pytest.mark.parametrize("kind", ["study", "hostile_study"])
def test_a_phone_scrolls_a_study_down_only(open_report: Open, kind: str) -> None:
    opened = open_report(kind, width=390, height=844)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
    for section in PICTURES:
        assert opened.colours(section) > 20, section


def test_pictures_follow_the_colours(open_report: Open) -> None:
    opened = open_report("study", scheme="dark")
    pictures = [shape(opened, section) for section in PICTURES]
    before = [picture() for picture in pictures]
    opened.page.get_by_role("button", name="Light").click()
    for picture, dark in zip(pictures, before, strict=True):
        opened.redrawn(picture, dark)


def test_a_study_of_one_axis_has_no_heat_map(open_report: Open) -> None:
    opened = open_report("study_of_one_axis")
    assert opened.page.locator("#heat").count() == 0
    assert opened.colours("#sensitivity") > 10
    assert column(opened, "Checked") == ["reference", "not checked", "not checked"]
    assert opened.text(".card:nth-child(3) strong") == "–"


def test_a_study_without_a_fitting_set_says_so(open_report: Open) -> None:
    opened = open_report("fruitless_study")
    assert "No set fulfils the constraints" in opened.text(".notice")
    assert opened.page.locator("canvas").count() == 0
    assert opened.page.locator("#settings").is_visible()


def test_names_in_a_study_stay_text(open_report: Open) -> None:
    opened = open_report("hostile_study")
    assert opened.text("h1") == runs.EVIL
    assert opened.page.locator("img").count() == 0
    assert "SYNTHETIC" in opened.text(".banner")
    assert column(opened, "Checked")[1] == "differs"


def test_a_page_of_many_sets_stays_small(reports: dict[str, Path]) -> None:
    assert len(studies.GRID) == 4
    assert reports["study"].stat().st_size < 600_000
