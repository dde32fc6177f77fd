"""`phalanx data check`: how sound the stored series are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import JsonFlags, ratio
from serve.series_flags import ManySeriesFlags, RangeFlags

if TYPE_CHECKING:
    from serve.series_check import SeriesCheck


@dataclass(frozen=True, kw_only=True)
class CheckFlags(JsonFlags, RangeFlags, ManySeriesFlags):
    """What `phalanx data check` takes."""

    spike: Annotated[
        float | None,
        typer.Option(parser=ratio, metavar="RATIO|%", help="Longest way of a bar (20%)."),
    ] = None
    completeness: Annotated[
        float | None,
        typer.Option(parser=ratio, metavar="RATIO|%", help="Least part that is stored (95%)."),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(help="HTML file with the picture of gaps.", rich_help_panel="Output"),
    ] = None


def check_stored(flags: CheckFlags) -> int:
    """Judge the stored series: gaps, completeness, spikes, staleness, damaged files, open issues.

    Exit code 1: there is a finding.
    """
    from cluster.database import database
    from cluster.history import History, wall_clock_ms
    from cluster.issues import IssueLog
    from engines.series import SeriesKey
    from serve.output import print_json
    from serve.quality_page import quality_page
    from serve.series_check import check_bars, check_funding, document
    from serve.series_flags import limits_of, range_ms, stored_keys

    since_ms, until_ms = range_ms(flags.since, flags.until)
    limits = limits_of(flags.spike, flags.completeness)
    history, now_ms = History(), wall_clock_ms()
    keys = stored_keys(history, flags)
    with database() as engine:
        asked = (since_ms, until_ms, limits, now_ms)
        checks = [
            check_bars(history, IssueLog(engine), key, *asked)
            if isinstance(key, SeriesKey)
            else check_funding(history, IssueLog(engine), key, *asked)
            for key in keys
        ]
    if flags.out is not None:
        _write(flags.out, quality_page(checks, history.shown, now_ms))
    if flags.json:
        print_json({"history": history.shown, "series": [document(check) for check in checks]})
    else:
        _print(checks, history.shown)
        if flags.out is not None:
            print(f"report: {flags.out}")
    return 0 if all(check.is_sound for check in checks) else 1


def _print(checks: "Sequence[SeriesCheck]", shown: str) -> None:
    from engines.klines import time_text
    from serve.gap_picture import strip
    from serve.output import print_notes, print_table

    bad = sum(not check.is_sound for check in checks)
    print_notes([f"history in {shown}: {len(checks)} series, {bad} with findings"])
    for check in checks:
        print(f"\n{check.key}")
        if check.rows is not None:
            first, last = (time_text(int(check.rows.time_ms[place])) for place in (0, -1))
            print(f"  {first} {strip(check)} {last}")
        rows = [
            [f"  {verdict.name}", verdict.found, "FINDING" if verdict.is_finding else ""]
            for verdict in check.verdicts
        ]
        print_table(["  asked", "found", ""], rows)


def _write(out: Path, text: str) -> None:
    from cluster.results import OutputFault
    from cluster.whole_files import write_whole

    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        write_whole(out.absolute(), text.encode())
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputFault(f"{out}", "a place that can be written to", reason) from None
