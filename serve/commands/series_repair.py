"""`phalanx data repair`: mend stored series from their venue."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import JsonFlags
from serve.series_flags import ManySeriesFlags

if TYPE_CHECKING:
    from actors.repair import RepairResult


@dataclass(frozen=True, kw_only=True)
class RepairFlags(JsonFlags, ManySeriesFlags):
    """What `phalanx data repair` takes."""

    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take over what the venue corrected, and rejected rows."),
    ] = False


def repair_series(flags: RepairFlags) -> int:
    """Fetch damaged months and gaps anew; what is sound stays as it is.

    The series are asked of the venue of --venue or PHALANX_VENUE. Exit code 1: something is left,
    2: some of them could not be mended.
    """
    from actors.upkeep import Failed, repair_all
    from actors.venue.settings import venue_settings
    from cluster.history import History
    from serve.commands.series_sync import require_some, texts
    from serve.output import print_json, print_notes, print_table
    from serve.progress import shown
    from serve.series_flags import stored_keys

    settings = venue_settings(flags.venue)
    keys = stored_keys(History(), replace(flags, venue=settings.series_venue))
    failed: Failed = {}
    with shown() as told:
        results = repair_all(settings, keys, accepts=flags.accept, told=told, failed=failed)
    require_some(results, failed)
    if flags.json:
        print_json({"series": [_document(each) for each in results], "failed": texts(failed)})
    else:
        header = ["series", "months anew", "months lost", "gaps", "filled", "accepted", "open"]
        print_table(header, [_cells(result) for result in results])
    print_notes(f"{key}: {text}" for key, text in texts(failed).items())
    return 2 if failed else 0 if all(result.is_sound for result in results) else 1


def _cells(result: "RepairResult") -> list[str]:
    return [
        str(result.key),
        ", ".join(f"{month} ({rows:,})" for month, rows in result.months.items()) or "-",
        ", ".join(result.lost) or "-",
        *(f"{count:,}" for count in (result.gaps, result.filled, result.accepted, result.open)),
    ]


def _document(result: "RepairResult") -> dict[str, object]:
    return {
        "series": str(result.key),
        "months": result.months,
        "lost": list(result.lost),
        "gaps": result.gaps,
        "filled": result.filled,
        "accepted": result.accepted,
        "open": result.open,
    }
