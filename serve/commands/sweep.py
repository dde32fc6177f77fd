"""`phalanx sweep`: evaluate a space of a strategy and a plan on a Ray cluster."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import ParameterFault
from serve.sweep_flags import STUDIES, SweepFlags, request_of, restored, stored

if TYPE_CHECKING:
    from cluster.study import Study
    from cluster.study_folder import StudyFolder
    from cluster.study_manifest import Ranking
    from cluster.sweep import SweepResult

SETS_ASKED = 10_000_000
TOP, TOP_MAX = 20, 1000
OBJECTIVE = "sharpe"


def sweep(flags: SweepFlags) -> int:
    """Evaluate every set of a space, or a sample of it, on a Ray cluster, and verify the best.

    Exit code 1: a set or batch failed, or a winner is not what the reference gives.
    """
    if flags.resume is None:
        return _sweep(flags)
    from cluster.study_folder import StudyFolder

    out = (flags.out or STUDIES).absolute()
    known = StudyFolder(out / flags.resume).read_manifest()
    given = restored(known.get("flags") or {}, flags)
    folder = Path(known.get("cwd") or ".")
    with contextlib.chdir(folder if folder.is_dir() else Path.cwd()):
        return _sweep(replace(given, out=out), flags.resume)


def _sweep(typed: SweepFlags, resumed: str | None = None) -> int:
    from cluster.study_folder import StudyFolder
    from serve.output import print_json, print_notes
    from serve.studies import require_study, study_asked
    from serve.study_report import write_study_report
    from serve.sweep_output import print_sweep, say_findings

    request = request_of(typed)
    flags = request.flags
    out = (flags.out or STUDIES).absolute()
    ranking = _ranking(flags)
    with contextlib.redirect_stdout(sys.stderr):  # What a strategy's own code prints.
        asked = study_asked(request, causality_check=flags.causality_check)
        study = asked.study
        if resumed is not None:
            require_study(study, resumed)
        folder = StudyFolder(out / study.id)
        print_notes(asked.notes)
        _ask_for_large(study, flags)
        if folder.is_there:
            _say_what_is_there(folder, anew=flags.force)
        result = _run(study, folder, ranking, flags, typed)
        with _saying_how_to_resume(folder):  # which writes the report alone
            report = write_study_report(study, folder)
    if flags.json:
        print_json(folder.read_manifest())
    else:
        print_sweep(result)
        print(f"report: {report}")
    say_findings(result, folder.failed)
    if result.standing.failed_batches:
        _say_how_to_go_on(folder)
    return 0 if result.is_sound else 1


def _ranking(flags: SweepFlags) -> "Ranking":
    from cluster.study_manifest import Ranking
    from engines.search.objectives import Objective, constraints_of

    top = TOP if flags.top is None else flags.top
    if not 1 <= top <= TOP_MAX:
        raise ParameterFault("--top", f"a whole number from 1 to {TOP_MAX}", repr(top))
    objective = Objective.parse(flags.objective or OBJECTIVE)
    return Ranking(objective, constraints_of(flags.where or ()), top)


def _ask_for_large(study: "Study", flags: SweepFlags) -> None:
    """Raise ParameterFault with size and expected time unless a large space is agreed to."""
    if study.sets <= SETS_ASKED or flags.yes:
        return
    from cluster.session import is_ours
    from cluster.settings import cluster_settings
    from cluster.tasks import calibrated
    from serve.sweep_progress import duration_text

    print(f"note: {study.sets:,} sets are many: some of them are timed first", file=sys.stderr)
    # What a cluster has, or will have, is not known before it is joined.
    cpus = (os.cpu_count() or 1) if is_ours(flags.address or cluster_settings().ray_address) else 1
    seconds = study.sets / (calibrated(study.recipe, study.markets[0]) * cpus)
    on = "1 CPU" if cpus == 1 else f"{cpus} CPUs"
    expected = f"--yes for {study.sets:,} sets, about {duration_text(seconds)} on {on}"
    raise ParameterFault("size of the space", expected, "none (or try --sample N)")


def _say_what_is_there(folder: "StudyFolder", *, anew: bool) -> None:
    if anew:  # Whatever is there goes, a manifest that nobody can read too.
        print(f"note: {folder.path.name} is there: begun anew", file=sys.stderr)
        return
    count = folder.read_manifest()["batches"]["count"]
    done = f"{len(folder.finished()):,} of {count:,} batches done"
    print(f"note: {folder.path.name} is there, {done}: going on with the rest", file=sys.stderr)


def _run(
    study: "Study",
    folder: "StudyFolder",
    ranking: "Ranking",
    flags: SweepFlags,
    typed: SweepFlags,
) -> "SweepResult":
    from cluster.session import is_ours, session
    from cluster.settings import cluster_settings
    from cluster.sweep import Sweep, require_room
    from serve.evaluations import recorded
    from serve.runs import trial_ledger
    from serve.sweep_progress import sweep_progress

    settings = cluster_settings()
    address = flags.address or settings.ray_address
    begin = "starting Ray here" if is_ours(address) else f"joining the Ray cluster at {address}"
    with (
        trial_ledger() as ledger,
        folder.locked(),
        _saying_how_to_resume(folder),
        sweep_progress(begin) as watch,
        session(address),
    ):
        if waits := require_room(settings, is_ours=is_ours(address)):
            print(f"note: {waits}", file=sys.stderr)
        request = _request(typed)
        made = Sweep(
            study, folder, ranking, settings, request, watch, ledger, flags.causality_check
        )
        return recorded(study, folder, lambda: made.run(anew=flags.force))


def _request(typed: SweepFlags) -> dict[str, Any]:
    from serve.runs import command_text, versions

    return {
        "command": command_text(),
        "cwd": str(Path.cwd()),
        "flags": stored(typed),
        "versions": versions(),
    }


@contextmanager
def _saying_how_to_resume(folder: "StudyFolder") -> Iterator[None]:
    """Print the command that goes on with the study, whatever cuts it short."""
    try:
        yield
    except BaseException:
        if folder.is_there:
            _say_how_to_go_on(folder)
        raise


def _say_how_to_go_on(folder: "StudyFolder") -> None:
    where = folder.path.parent
    again = ["phalanx", "sweep", "--resume", folder.path.name, "--out", str(where)]
    print(f"to go on: {shlex.join(again)}", file=sys.stderr)
