"""Sets whose positions close in parts: by chains that are made ahead, or closes found as they go.

Theory. Links that are made ahead cost less. They are for plans whose entries hang on wishes and
levels alone, and for sets whose entries are large enough for every target: one that comes to an
entry with fewer closes is unsure there, and is asked again in lanes that find closes as they go.
"""

import numpy as np

from engines.kernels.chains.columns import I32_1D
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import Gates, Kelly, PartCourse
from engines.kernels.gates.part_drivers import advance_gated_parts
from engines.kernels.gates.runs import looks_back
from engines.kernels.parts.drivers import advance_parts
from engines.kernels.summary import FIGURES


def are_made_ahead(gates: Gates, kelly: Kelly) -> bool:
    """Return whether links of a plan can be made before its money is known."""
    return not looks_back(gates, kelly)


def run_parts(course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
    """Find the figures of sets."""
    if not are_made_ahead(course.gates, course.kelly):
        advance_gated_parts(course, wishes, sets, found)
        return
    advance_parts(
        course.opens, wishes, sets, course.decides, course.given, course.exits, course.shares,
        course.sizes, course.payments, course.fixed, course.portions, course.tiers, found,
    )  # fmt: skip # one call
    unsure = np.flatnonzero(found[:, FIGURES])
    if len(unsure):
        again = np.empty((len(unsure), FIGURES + 1))
        advance_gated_parts(course, wishes, sets[unsure], again)
        found[unsure] = again
