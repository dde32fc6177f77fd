"""Count the evaluations of a study in the trial ledger, from the keys in its files."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow.parquet as pq

from cluster.ledger import TrialLedger, dataset_of
from cluster.study import Study, market_name
from cluster.study_folder import Finished, StudyFolder
from cluster.trial_keys import U64_1D

KEYS_MAX = 1 << 20  # recorded at once: 8 MB


def record_trials(
    study: Study, folder: StudyFolder, finished: Mapping[int, Finished], ledger: TrialLedger
) -> dict[str, int]:
    """Record every evaluation and return how many there are of each market, over all studies.

    Keys that the ledger has are not counted twice, so a study that goes on may be recorded anew.
    """
    strategy, counts = study.recipe.strategy.bare_name, dict[str, int]()
    for number, market in enumerate(study.markets):
        dataset = dataset_of(market.klines)
        files = [item for item in finished.values() if item.market == number and item.rows]
        for keys in _keys(folder, files):
            ledger.record(strategy, dataset, keys, study.id)
        counts[market_name(market)] = ledger.count(strategy, dataset)
    return counts


def _keys(folder: StudyFolder, files: list[Finished]) -> Iterator[U64_1D]:
    """Yield the keys of the files, some files' at a time."""
    parts: list[U64_1D] = []
    for item in files:
        table = pq.read_table(folder.file_of(item), columns=["trial_key"])
        parts.append(table["trial_key"].to_numpy())
        if sum(map(len, parts)) >= KEYS_MAX:
            yield np.concatenate(parts)
            parts.clear()
    if parts:
        yield np.concatenate(parts)
