"""Sets whose positions close in parts: by chains that are made ahead, or closes found as they go.

Theory. Links that are made ahead cost less. They are for plans whose entries hang on wishes, levels
and whether positions lost, which can be foretold (`parts.results`); Kelly's share, if it is never
nothing, only sizes them. Where rules count what has been, a set that comes to an entry with fewer
closes than targets, or to a result that was not foretold, is unsure there, and is asked again in
lanes that find closes as they go.
"""

import numpy as np

from engines.kernels.chains.columns import I32_1D
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.gates.columns import Gates, Kelly, PartCourse
from engines.kernels.gates.limits import has_limits
from engines.kernels.gates.part_drivers import advance_gated_parts
from engines.kernels.gates.rules import has_gates
from engines.kernels.gates.runs import NO_KELLY
from engines.kernels.parts.drivers import advance_parts
from engines.kernels.parts.results import asks_for_results
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.summary import FIGURES


def are_made_ahead(gates: Gates, kelly: Kelly, fixed: Fixed, payments: Payments) -> bool:
    """Return whether links of a plan can be made before its money is known.

    Results are foretold by prices, so without funding or commissions of an order.
    """
    if (kelly != NO_KELLY and kelly.low <= 0) or gates.only_in_profit or gates.vain:
        return False
    if has_limits(gates):
        return False
    return not asks_for_results(gates) or (fixed.is_by_qty and len(payments.rates) == 0)


def run_parts(course: PartCourse, wishes: I32_1D, sets: I64_2D, found: F64_2D) -> None:
    """Find the figures of sets."""
    if not are_made_ahead(course.gates, course.kelly, course.fixed, course.payments):
        advance_gated_parts(course, wishes, sets, found)
        return
    advance_parts(course, wishes, sets, found)
    unsure = np.flatnonzero(found[:, FIGURES])
    if len(unsure) and has_gates(course.gates):
        again = np.empty((len(unsure), FIGURES + 1))
        advance_gated_parts(course, wishes, sets[unsure], again)
        found[unsure] = again
