"""`phalanx study`: one set of a study, run again on the reference, with its trades."""

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engines.errors import ParameterFault
from serve.flags import JsonFlags, OutFlags
from serve.sweep_flags import STUDIES

if TYPE_CHECKING:
    from cluster.study import Study


@dataclass(frozen=True, kw_only=True)
class StudyFlags(JsonFlags, OutFlags):
    """What `phalanx study` takes."""

    study: Annotated[str, typer.Argument(metavar="ID", help="A study, by the name of its folder.")]
    number: Annotated[int, typer.Argument(metavar="SET", help="The number of one of its sets.")]
    market: Annotated[str | None, typer.Option(help='One of several, as "BTCUSDT 15m".')] = None
    studies: Annotated[Path, typer.Option(help="Folder of studies.")] = STUDIES


def study(flags: StudyFlags) -> int:
    """Run one set of a study again on the reference, and write its report and trades.

    Exit code 1: the row of the study is not what the reference gives.
    """
    from cluster.study_folder import StudyFolder
    from cluster.verify import first_metric_difference
    from cluster.winners import metrics_of, row_of
    from serve.evaluations import record_runs
    from serve.output import print_runs
    from serve.runs import check_out, write_out
    from serve.studies import study_in
    from serve.study_report import run_of_set

    check_out(flags.out, force=flags.force)
    folder = StudyFolder(flags.studies.absolute() / flags.study)
    with contextlib.redirect_stdout(sys.stderr):  # What a strategy's own code prints.
        known = study_in(folder)
        place = _place(known, flags.market)
        batches = list(folder.finished().values())
        row = row_of(folder, [item for item in batches if item.market == place], flags.number)
        run = run_of_set(known, folder.read_manifest(), batches, place, flags.number)
    if flags.out is not None:
        write_out(flags.out, [run], force=flags.force)
    record_runs([run], flags.out)
    print_runs([run], flags.out, json=flags.json)
    if difference := first_metric_difference(run.result, metrics_of(row)):
        said = f"set {flags.number} is NOT what the reference gives: {difference}"
        print(f"phalanx: {said}", file=sys.stderr)
        return 1
    return 0


def _place(known: "Study", name: str | None) -> int:
    """Return the number of the market that is meant."""
    from serve.study_report import market_numbers

    numbers = market_numbers(known)
    if name is None and len(numbers) == 1:
        return 0
    if name not in numbers:
        raise ParameterFault("--market", f"one of {', '.join(numbers)}", name or "none")
    return numbers[name]
