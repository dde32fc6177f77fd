"""A random sample of a space, without repeats and without a list.

Theory. The i-th point of the sample is where a permutation of [0, size) sends i, so that no point
comes twice, any point is known from its place alone, and a billion of them cost nothing. The
permutation is a Feistel network of `ROUNDS` rounds over the smallest even number of bits that holds
the space, keyed by a SeedSequence; a value beyond the space is sent on until it falls inside (cycle
walking), which on average takes fewer than four turns as the network is at most four times as
large. Black and Rogaway (2002), "Ciphers with arbitrary finite domains". A round's function is the
finaliser of splitmix64, whose avalanche is full, so six rounds are ample for sampling; no secret is
kept by it.

Who evaluates a sample wants neighbours of the space together, because they share work. So the same
points can be had in another order: RUN of them at a time, sorted, which takes the memory of one run
whatever the sample.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engines.types import I64_1D

ROUNDS = 6
RUN = 1 << 20
U64 = np.uint64


@dataclass(frozen=True, slots=True)
class Sample:
    """`count` of the `size` points of a space, chosen by `seed`."""

    size: int
    count: int
    seed: int
    _keys: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert 0 < self.count <= self.size, f"{self.count} of {self.size}"
        keys = np.random.SeedSequence(self.seed).generate_state(ROUNDS, np.uint64)
        object.__setattr__(self, "_keys", tuple(keys.tolist()))

    def __len__(self) -> int:
        return self.count

    def points(self, start: int, stop: int) -> I64_1D:
        """Return the points of the sample from place `start` to before `stop`, in that order."""
        assert 0 <= start <= stop <= self.count
        found = self._permuted(np.arange(start, stop, dtype=U64))
        while (outside := found >= U64(self.size)).any():
            found[outside] = self._permuted(found[outside])
        return found.astype(np.int64)

    def sorted_points(self, start: int, stop: int) -> I64_1D:
        """Return the points from place `start` to before `stop` of the runs, each sorted."""
        assert 0 <= start <= stop <= self.count
        parts = [np.empty(0, np.int64)]
        for first in range(start - start % RUN, stop, RUN):
            run = _sorted_run(self, first)
            parts.append(run[max(0, start - first) : stop - first])
        return np.concatenate(parts)

    def _permuted(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        half = U64(max(1, ((self.size - 1).bit_length() + 1) // 2))
        mask = (U64(1) << half) - U64(1)
        left, right = values >> half, values & mask
        for key in self._keys:
            left, right = right, left ^ (mixed(right + U64(key)) & mask)
        return (left << half) | right


@lru_cache(maxsize=1)
def _sorted_run(sample: Sample, first: int) -> I64_1D:
    """Return a run of a sample, from its place `first` on, sorted; many batches ask for one."""
    return np.sort(sample.points(first, min(first + RUN, sample.count)))


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return each value with its bits mixed: the finaliser of splitmix64 (Steele et al., 2014)."""
    values = (values ^ (values >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> U64(27))) * U64(0x94D049BB133111EB)
    return values ^ (values >> U64(31))
