"""Pictures of where stored bars are missing: a strip of text, and a calendar as SVG."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from cluster.history_rows import Rows
from cluster.month_files import month_of, month_range_ms
from engines.coverage import coverage
from engines.klines import Gap, gaps_of, time_text
from serve.series_check import SeriesCheck

CELLS = 60
WHOLE, NEARLY, PARTLY, LITTLE, NONE = "█", "▓", "▒", "░", "·"  # shades
ROW, LABEL, WIDTH, BAR = 14, 64, 760, 10


def strip(check: SeriesCheck) -> str:
    """Return the range of a series in cells of text, each as dark as it is full."""
    rows, step_ms = check.rows, check.step_ms
    assert rows is not None
    first_ms, end_ms = int(rows.time_ms[0]), int(rows.time_ms[-1]) + step_ms
    count = min(CELLS, max(1, (end_ms - first_ms) // step_ms))
    edges = np.linspace(first_ms, end_ms, count + 1).astype(np.int64)
    return "".join(_shade(part) for part in coverage(rows.time_ms, step_ms, edges).tolist())


def _shade(part: float) -> str:
    for least, shade in ((1 - 1e-9, WHOLE), (0.95, NEARLY), (0.5, PARTLY), (1e-9, LITTLE)):
        if part >= least:
            return shade
    return NONE


def calendar(check: SeriesCheck) -> str:
    """Return a line for each month as SVG: what is stored, each gap where it is."""
    rows = check.rows
    assert rows is not None
    broken = {item.month for item in check.broken}
    months = sorted({*_months(rows), *broken})
    lines = []
    for place, month in enumerate(months):
        y = place * ROW
        lines.append(f'<text x="0" y="{y + BAR}">{month}</text>')
        if month in broken:
            title = f"<title>{month}: damaged file</title>"
            lines.append(_bar(month, *month_range_ms(month), y, "damaged", title))
            continue
        lines += _stored(check, rows, month, y)
    height = len(months) * ROW
    name = escape(f"Gaps of {check.key}")
    head = f'<svg class="gaps" viewBox="0 0 {LABEL + WIDTH} {height}" role="img"'
    return "\n".join([f'{head} aria-label="{name}">', *lines, "</svg>"])


def _months(rows: Rows) -> list[str]:
    first, last = (np.datetime64(month_of(int(rows.time_ms[row])), "M") for row in (0, -1))
    return [str(month) for month in np.arange(first, last + 1)]


def _stored(check: SeriesCheck, rows: Rows, month: str, y: int) -> Iterator[str]:
    """Yield the stored part of a month, and on it the gaps that reach into it."""
    step_ms, (start_ms, stop_ms) = check.step_ms, month_range_ms(month)
    first_ms, end_ms = int(rows.time_ms[0]), int(rows.time_ms[-1]) + step_ms
    yield _bar(month, max(start_ms, first_ms), min(stop_ms, end_ms), y, "stored")
    for gap in _gaps(rows, step_ms):
        since_ms, until_ms = gap.after_ms + step_ms, gap.before_ms
        if since_ms < stop_ms and until_ms > start_ms:
            title = (
                f"<title>{time_text(since_ms)} to {time_text(until_ms)}: "
                f"{gap.bars_missing:,} rows missing</title>"
            )
            yield _bar(month, max(since_ms, start_ms), min(until_ms, stop_ms), y, "gap", title)


def _gaps(rows: Rows, step_ms: int) -> Sequence[Gap]:
    return gaps_of(rows.time_ms, step_ms)


def _bar(month: str, since_ms: int, until_ms: int, y: int, kind: str, title: str = "") -> str:
    """Return a stretch of a month; a day is as wide in every month, and a gap can be seen."""
    start_ms, _ = month_range_ms(month)
    scale = WIDTH / (31 * 86_400_000)
    x = LABEL + (since_ms - start_ms) * scale
    width = max((until_ms - since_ms) * scale, 1.0)
    box = f'x="{x:.2f}" y="{y}" width="{width:.2f}" height="{BAR}"'
    return f'<rect class="{kind}" {box}>{title}</rect>'
