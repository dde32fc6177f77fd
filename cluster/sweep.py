"""Run a study on the cluster that we are in, from where it stands to its verified winners.

1. batches that an earlier run has finished are counted, not run. Whoever runs a study holds the
   lock of its folder by then.
2. the space is cut: at the first start, by a timed try, so that a task is worth a second or more.
3. bars and recipe go into the object store once; batches go out through a bounded window.
4. each result is written the moment it comes, then counted and shown to the top list.
5. the winners are run again on the reference; what differs fails the study.
6. every evaluation is counted in the trial ledger, now and then on the way and when the run ends,
   however it ends.

A batch that fails is named and left out, the rest goes on; the study is then incomplete and takes
that batch up again when it is resumed.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.batches import Batch, Batches, BatchPlan, sets_for
from cluster.fanout import Lane, fan_out, sentence_of
from cluster.ledger import TrialLedger
from cluster.session import Resources, resources
from cluster.settings import ClusterSettings, SettingsFault
from cluster.study import Study, StudyFault
from cluster.study_folder import Finished, StudyFolder
from cluster.study_manifest import SPEED, Ranking, Standing, Winner, manifest_of
from cluster.tasks import BatchResult, Sent, calibrated, evaluate, sent
from cluster.trial_record import record_trials
from cluster.winners import verified_winners
from engines.search.objectives import TopList

FAILED_MAX = 20  # batches that fail before any succeeds: then all would
RESOURCES_S = 5.0
RECORD_S = 30.0  # what a program that is killed leaves uncounted until it is resumed
IDLE_CPUS = 2.0  # asked of a cluster that has none yet, so that it grows

Watch = Callable[[Standing], None]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How a study ended."""

    standing: Standing
    winners: tuple[Winner, ...]
    trials: Mapping[str, int]
    status: str

    @property
    def is_sound(self) -> bool:
        """Return whether every set was run and every winner verified."""
        return self.outcome == "complete"

    @property
    def outcome(self) -> str:
        """Return in a word or two how it ended, as `phalanx runs --studies` shows it."""
        if self.status != "complete":
            return self.status
        if self.standing.failed:
            return "sets failed"
        is_proven = all(winner.is_verified for winner in self.winners)
        return self.status if is_proven else "not verified"


@dataclass(slots=True)
class Sweep:
    """One run of a study; `request` goes into the manifest as it is.

    With the `causality_check` no winner may look ahead.
    """

    study: Study
    folder: StudyFolder
    ranking: Ranking
    settings: ClusterSettings
    request: Mapping[str, Any]
    watch: Watch
    ledger: TrialLedger | None = None
    causality_check: bool = True
    rate: float | None = field(default=None, init=False)

    def run(self, *, anew: bool = False) -> SweepResult:
        """Do what is left of the study, all of it if it is to be done `anew`; its lock is held.

        Raises: StudyFault if its code is another, the disk refuses, nothing is left by the rules,
        or every batch fails.
        """
        if anew:
            self.folder.clear()
        finished = self.folder.finished()
        standing = self._standing(finished)
        self._write(standing, "running")
        try:
            given = sent(self.study)
            self._evaluate(standing, finished, given)
            self._require_some(standing)
            self._announce(standing)
            winners = verified_winners(
                self.study, self.folder, standing.top, finished, given, self.causality_check
            )
        except BaseException:
            self._keep(standing, "interrupted", finished)
            raise
        status = "incomplete" if standing.failed_batches else "complete"
        trials = self._keep(standing, status, finished, winners)
        return SweepResult(standing, winners, trials, status)

    def _keep(
        self, standing: Standing, status: str, finished: Mapping[int, Finished],
        winners: Sequence[Winner] = (),
    ) -> dict[str, int]:  # fmt: skip # what came of the study
        """Write what came of it, then count its evaluations: a ledger that fails costs only them.

        Whoever goes on with the study counts them then.
        """
        self._write(standing, status, winners)
        trials = self._recorded(finished)
        self._write(standing, status, winners, trials)
        return trials

    def _announce(self, standing: Standing) -> None:
        """Show that the winners are run again, if there are any."""
        standing.verifying = len(standing.top.best)
        if standing.verifying:
            self.watch(standing)

    def _standing(self, finished: Mapping[int, Finished]) -> Standing:
        """Return how the study stands before this run."""
        plan, ranking = self._plan(), self.ranking
        top = TopList(ranking.top, ranking.objective, ranking.constraints)
        standing = Standing(self.study, plan, len(plan.of(self.study.recipe)), top)
        for item in finished.values():
            self._take(standing, item, None)
        standing.resumed = standing.counted
        return standing

    def _write(
        self,
        standing: Standing,
        status: str,
        winners: Sequence[Winner] = (),
        trials: Mapping[str, int] | None = None,
    ) -> None:
        manifest = manifest_of(standing, self.request, status, winners, trials)
        if standing.counted == standing.resumed and self.folder.is_there:
            known = self.folder.read_manifest()  # of the run that did the work
            manifest |= {name: known[name] for name in SPEED if name in known}
        self.folder.write_manifest(manifest)

    def _recorded(self, finished: Mapping[int, Finished]) -> dict[str, int]:
        """Count every evaluation in the trial ledger and return the counts."""
        if self.ledger is None:
            return {}
        return record_trials(self.study, self.folder, finished, self.ledger)

    def _plan(self) -> BatchPlan:
        """Return how the study is cut: as before, or by a timed try."""
        if self.folder.is_there:
            manifest = self.folder.read_manifest()
            if manifest["study_id"] != self.study.id:
                expected = f"the study {self.study.id}"
                raise StudyFault(f"folder {self.folder.path}", expected, manifest["study_id"])
            known = manifest["batches"]
            return BatchPlan(len(self.study.markets), known["sets_max"], known["plans_max"])
        has, rate = resources(), self._rate() * self.settings.task_cpus
        cpus = max(has.cpus, 1.0) / self.settings.task_cpus
        gpus = has.gpus if self._is_for_gpus(self.study.sets, has) else 0.0
        sets = sets_for(rate, self.settings.task_seconds, self.study.sets, cpus, gpus)
        return BatchPlan(len(self.study.markets), sets)

    def _rate(self) -> float:
        """Return about how many sets a second a CPU evaluates, timed once a run."""
        if self.rate is None:
            longest = max(self.study.markets, key=lambda market: len(market.klines))
            self.rate = calibrated(self.study.recipe, longest)
        return self.rate

    def _is_for_gpus(self, sets: int, has: Resources) -> bool:
        """Return whether there are GPUs and CPUs alone would take longer than those pay for."""
        if not has.gpus:
            return False
        return sets >= self._rate() * max(has.cpus, 1.0) * self.settings.gpu_pays_seconds

    def _evaluate(self, standing: Standing, finished: dict[int, Finished], given: Sent) -> None:
        started = recorded = time.monotonic()
        batches, fresh = standing.plan.of(self.study.recipe), dict[int, Finished]()
        for batch, outcome in fan_out(_left(batches, finished), self._lanes(standing, given)):
            if isinstance(outcome, BatchResult):
                item = self.folder.keep(outcome)
                finished[batch.number] = fresh[batch.number] = item
                self._take(standing, item, outcome.parquet)
            else:
                standing.leave(batch, sentence_of(outcome))
                self._require_hope(standing)
            standing.seconds = time.monotonic() - started
            self.watch(standing)
            if time.monotonic() - recorded > RECORD_S:
                self._recorded(fresh)
                fresh, recorded = {}, time.monotonic()

    def _take(self, standing: Standing, item: Finished, parquet: bytes | None) -> None:
        """Count a batch and show its sets to the top list; `parquet` None reads its file."""
        standing.count(item)
        if not item.rows:
            return
        source = self.folder.file_of(item) if parquet is None else pa.BufferReader(parquet)
        names = ["set_id", *standing.top.reads]
        table = pq.read_table(source, columns=list(dict.fromkeys(names)))
        columns = {name: table[name].to_numpy() for name in names}
        standing.top.show(columns, columns["set_id"], item.market, item.number)

    def _require_hope(self, standing: Standing) -> None:
        failed = standing.failed_batches
        if standing.done or len(failed) < min(FAILED_MAX, standing.batches):
            return
        first = next(iter(failed.values()))
        raise StudyFault(
            f"batches of {self.study.id}", "one at least that can be run", f"each fails: {first}"
        )

    def _require_some(self, standing: Standing) -> None:
        if standing.excluded and standing.excluded == self.study.sets:
            found = f"all {standing.excluded:,} excluded"
            raise StudyFault(f"space of {self.study.id}", "sets that no rule excludes", found)

    def _lanes(self, standing: Standing, given: Sent) -> list[Lane[Batch]]:
        """Return the ways to run a batch: on CPUs, and on GPUs where what is left pays for them."""
        recipe, markets = given.recipe, given.markets
        room, threads = _Room(self.settings), self.settings.task_cpus
        asked: dict[str, Any] = {
            "max_retries": self.settings.task_retries,
            "scheduling_strategy": "SPREAD",
            "num_cpus": threads,
        }

        def lane(width: Callable[[], int], gpus: int) -> Lane[Batch]:
            task = evaluate.options(num_gpus=gpus, **asked)
            return Lane(
                lambda batch: task.remote(recipe, markets[batch.market], batch, threads, gpus > 0),
                width,
            )

        lanes = [lane(room.for_cpus, 0)]
        if self._is_for_gpus(self.study.sets - standing.counted, resources()):
            lanes.insert(0, lane(room.for_gpus, 1))
        return lanes


def require_room(settings: ClusterSettings, *, is_ours: bool) -> str:
    """Return what a sweep waits for where no node has the CPUs that a task asks for, else "".

    A cluster may grow; a session of our own does not.
    Raises: SettingsFault where it is ours.
    """
    asked, largest = settings.task_cpus, resources().cpus_of_largest
    if asked <= largest:
        return ""
    if is_ours:
        raise SettingsFault("PHALANX_TASK_CPUS", f"at most the {largest:g} CPUs here", f"{asked}")
    return f"PHALANX_TASK_CPUS is {asked}, the largest node has {largest:g}: waiting for another"


class _Room:
    """How many tasks may be under way: those that can run now and some that wait behind them.

    A cluster is asked for its size now and then, not at every task.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._seen, self._seen_at = resources(), time.monotonic()

    def for_cpus(self) -> int:
        """Return how many tasks on CPUs may be under way now."""
        return self._width(max(self._now().cpus, IDLE_CPUS) / self._settings.task_cpus)

    def for_gpus(self) -> int:
        """Return how many tasks on a GPU each may be under way now."""
        return self._width(self._now().gpus)

    def _width(self, running: float) -> int:
        return max(1, int(running)) * (1 + self._settings.tasks_ahead)

    def _now(self) -> Resources:
        if time.monotonic() - self._seen_at > RESOURCES_S:
            self._seen, self._seen_at = resources(), time.monotonic()
        return self._seen


def _left(batches: Batches, finished: Mapping[int, Finished]) -> Iterator[Batch]:
    """Yield the batches that are still to be run."""
    before = frozenset(finished)
    return (batches[number] for number in range(len(batches)) if number not in before)
