"""`phalanx data trim`: take the oldest stored bars away."""

from dataclasses import dataclass
from typing import Annotated

import typer

from serve.flags import JsonFlags
from serve.series_flags import ManySeriesFlags

DAYS_MAX = 100_000


@dataclass(frozen=True, kw_only=True)
class TrimFlags(JsonFlags, ManySeriesFlags):
    """What `phalanx data trim` takes."""

    since: Annotated[
        str | None, typer.Option(help="Keep what opens from this UTC time on (2025-01-01).")
    ] = None
    days: Annotated[int | None, typer.Option(help="Keep what is at most so old (730).")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave it.")] = (
        False
    )


def trim_series(flags: TrimFlags) -> int:
    """Take away the stored bars and settlements that are too old, the oldest first.

    PHALANX_HISTORY_SINCE and PHALANX_HISTORY_DAYS set what is kept without a flag.
    """
    from cluster.history import History, wall_clock_ms
    from engines.klines import time_text
    from serve.output import print_json, print_notes, print_table
    from serve.series_flags import stored_keys

    before_ms = _kept_from_ms(flags, wall_clock_ms())
    history, rows = History(), list[tuple[str, int]]()
    for key in stored_keys(history, flags):
        with history.writing(key) as writer:
            rows.append((str(key), writer.trim(before_ms, is_rehearsal=flags.dry_run)))
    if flags.json:
        trimmed = [{"series": series, "rows": count} for series, count in rows]
        print_json({"before": time_text(before_ms), "dry_run": flags.dry_run, "trimmed": trimmed})
        return 0
    would = "would go" if flags.dry_run else "are gone"
    total = sum(count for _, count in rows)
    print_notes([f"rows before {time_text(before_ms)}: {total:,} {would}"])
    if total:
        print_table(["series", "rows"], [[name, f"{count:,}"] for name, count in rows if count])
    return 0


def _kept_from_ms(flags: TrimFlags, now_ms: int) -> int:
    """Return when that which is kept begins: at both limits, if neither is given at the settings'.

    Raises: ParameterFault for a limit that is none.
    """
    from cluster.settings import history_settings
    from engines.errors import ParameterFault
    from engines.klines import DAY_MS
    from serve.times import parse_time_ms

    if flags.days is not None and not 1 <= flags.days <= DAYS_MAX:
        raise ParameterFault("--days", f"a whole number from 1 to {DAYS_MAX}", repr(flags.days))
    limits = []
    settings = history_settings()
    is_given = flags.since is not None or flags.days is not None
    if flags.since is not None:
        limits.append(parse_time_ms("--since", flags.since))
    elif not is_given:
        limits.append(settings.history_since_ms)
    if flags.days is not None or not is_given:
        days = settings.history_days if flags.days is None else flags.days
        limits.append(now_ms - days * DAY_MS)
    before_ms = max(limits)
    if before_ms > now_ms:
        raise ParameterFault("--since", "a time of the past", f"{flags.since}")
    return before_ms
