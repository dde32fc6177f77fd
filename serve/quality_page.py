"""The page of `phalanx data check`: what was asked of each series, what was found, and its gaps.

It is text and SVG without a script, and its policy forbids every request.
"""

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from engines.klines import time_text
from serve.gap_picture import calendar
from serve.series_check import SeriesCheck, Verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def quality_page(checks: Sequence[SeriesCheck], history: str, now_ms: int) -> str:
    """Return the page of a check of the series in a history."""
    bad = sum(not check.is_sound for check in checks)
    title = "Stored series · phalanx"
    said = f"{len(checks)} series in {history}, {bad} with findings, at {time_text(now_ms)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        f'<main><h1>Stored series</h1>\n<p class="dim">{escape(said)}</p>\n'
        + "".join(map(_section, checks))
        + "</main>\n</body>\n</html>\n"
    )


def _style() -> str:
    web = files("serve.web")
    sheets = (web / "report" / "report.css", web / "history" / "history.css")
    return "\n".join(sheet.read_text("utf-8") for sheet in sheets)


def _section(check: SeriesCheck) -> str:
    rows, said, picture = check.rows, "no rows", ""
    if rows is not None:
        first, last = (time_text(int(rows.time_ms[place])) for place in (0, -1))
        said, picture = f"{len(rows):,} rows, {first} to {last}", calendar(check)
    return (
        f'<section><div class="section-head"><h2>{escape(str(check.key))}</h2>'
        f"<p>{escape(said)}</p></div>\n"
        '<table class="checks"><thead><tr><th scope="col">asked</th><th scope="col">found</th>'
        '<th scope="col"></th></tr></thead><tbody>\n'
        + "".join(map(_row, check.verdicts))
        + f"</tbody></table>\n{picture}</section>\n"
    )


def _row(verdict: Verdict) -> str:
    mark = '<td class="finding">finding</td>' if verdict.is_finding else "<td></td>"
    name = f"{verdict.name}: {verdict.meaning}"
    return f'<tr><th scope="row">{escape(name)}</th><td>{escape(verdict.found)}</td>{mark}</tr>\n'
