"""The stops and targets that an entry made from a signal carries.

Theory. A bracket is one exit command bound to its entry, or one a target when the plan has several;
then each takes its portion and the last one the rest. Whatever is the same for every entry is
prepared once. An ATR distance is fixed at the deciding close and counts from the base price like
the ratios do. The exit's name says what it was: the plan's words for exits are its signal names.
"""

import math
from dataclasses import dataclass
from typing import Any

from engines.desk import Desk
from engines.instrument import Instrument
from engines.plan import Basis, Breakeven, DistanceUnit, Exits, Trailing
from engines.trades import ExitReason

BRACKET_ID = "bracket"


@dataclass(frozen=True, slots=True)
class Levels:
    """What is known of an entry's levels at its deciding close; None: not given there.

    Prices in quote, `atr` in quote too (NaN: not known).
    """

    close: float
    stop: float | None = None
    target: float | None = None
    atr: float = math.nan


class SignalBrackets:
    """Puts the exit commands of one plan."""

    def __init__(self, exits: Exits, basis: Basis, instrument: Instrument) -> None:
        self._exits = exits
        self._tick = instrument.tick_size
        self._common = _common_terms(exits, basis)
        self._is_used = bool(
            self._common or exits.stop_loss_ratio or exits.take_profit_ratio or exits.targets
        ) or exits.uses_atr  # fmt: skip # one question

    def stop_ratio(self, levels: Levels) -> float:
        """Return the distance of the stop over the close, NaN without a stop."""
        if levels.stop is not None:
            return abs(levels.close - levels.stop) / levels.close
        given = [self._exits.stop_loss_ratio, self._stop_atr(levels)]
        known = [ratio for ratio in given if ratio is not None and not math.isnan(ratio)]
        return min(known, default=math.nan)

    def lacks_atr(self, levels: Levels) -> bool:
        """Return whether a level that the plan must set by the ATR cannot be known yet."""
        if not math.isnan(levels.atr):
            return False
        exits = self._exits
        needs_stop = exits.stop_atr is not None and levels.stop is None
        return needs_stop or (exits.target_atr is not None and levels.target is None)

    def put(
        self, desk: Desk, entry_id: str, levels: Levels, late_ratio: float | None = None
    ) -> None:
        """Give an entry its exits; `late_ratio` takes the place of the plan's target."""
        if not (self._is_used or levels.stop or levels.target):
            return
        terms = {**self._common, **self._stop_terms(levels)}
        exits = self._exits
        if levels.target is not None:
            terms["limit"] = levels.target
            if exits.breakeven is not None:
                terms["ratchets"] = _plain_ratchet(exits.breakeven)
        elif late_ratio is not None:
            terms["profit_ratio"] = late_ratio
        elif exits.take_profit_ratio is not None:
            terms["profit_ratio"] = exits.take_profit_ratio
        elif exits.target_atr is not None:
            terms["profit_ticks"] = exits.target_atr * levels.atr / self._tick
            terms["comment_profit"] = ExitReason.ATR_TP.value
            terms["profit_reason"] = ExitReason.ATR_TP
        elif exits.targets:
            self._put_targets(desk, entry_id, terms)
            return
        if terms:
            terms.setdefault("comment_profit", ExitReason.TAKE_PROFIT.value)
            desk.exit(BRACKET_ID, entry_id, **terms)

    def _put_targets(self, desk: Desk, entry_id: str, terms: dict[str, Any]) -> None:
        """Give each target its portion; its stop follows the targets before it."""
        exits = self._exits
        last = len(exits.targets) - 1
        steps = [] if exits.breakeven is None else _target_ratchets(exits)
        for place, target in enumerate(exits.targets):
            own = {**terms, "profit_ratio": target.ratio}
            if place < last:
                own["qty_ratio"] = target.portion
            if steps[:place]:
                own["ratchets"] = tuple(steps[:place])
            own["comment_profit"] = ExitReason.TAKE_PROFIT.value
            desk.exit(f"target{place + 1}", entry_id, **own)

    def _stop_terms(self, levels: Levels) -> dict[str, Any]:
        exits = self._exits
        if levels.stop is not None:
            return {"stop": levels.stop, "comment_loss": ExitReason.STOP_LOSS.value}
        terms: dict[str, Any] = {}
        by_atr, fixed = self._stop_atr(levels), exits.stop_loss_ratio
        if not math.isnan(by_atr):
            terms["loss_ticks"] = by_atr * levels.close / self._tick
        if fixed is not None:
            terms["loss_ratio"] = fixed
        if terms:
            is_by_atr = not math.isnan(by_atr) and (fixed is None or by_atr < fixed)
            reason = ExitReason.ATR_SL if is_by_atr else ExitReason.STOP_LOSS
            terms["comment_loss"] = reason.value
            if is_by_atr:
                terms["stop_reason"] = reason
        return terms

    def _stop_atr(self, levels: Levels) -> float:
        """Return the ATR stop's distance over the close, NaN without one."""
        if self._exits.stop_atr is None:
            return math.nan
        return self._exits.stop_atr * levels.atr / levels.close


def _common_terms(exits: Exits, basis: Basis) -> dict[str, Any]:
    """Return what every exit command of the plan says."""
    terms: dict[str, Any] = {}
    if exits.trailing is not None:
        terms.update(_trailing_terms(exits.trailing))
        terms["comment_trailing"] = ExitReason.TRAILING_STOP.value
    if exits.breakeven is not None and not exits.targets:
        terms["ratchets"] = _plain_ratchet(exits.breakeven)
    if basis is not Basis.ENTRY:
        terms["basis"] = basis
    return terms


def _plain_ratchet(breakeven: Breakeven) -> tuple[tuple[float, float]]:
    return ((breakeven.activation_ratio, breakeven.offset_ratio),)


def _trailing_terms(trailing: Trailing) -> dict[str, float]:
    if trailing.unit is DistanceUnit.TICKS:
        return {"trail_points": trailing.activation, "trail_offset": trailing.distance}
    unit = trailing.unit.value
    return {
        f"trail_activation_{unit}": trailing.activation,
        f"trail_distance_{unit}": trailing.distance,
    }


def _target_ratchets(exits: Exits) -> list[tuple[float, float]]:
    """Return where the stop goes at each target: the base plus offset, then the one before."""
    assert exits.breakeven is not None
    ratios = [target.ratio for target in exits.targets]
    return list(zip(ratios, [exits.breakeven.offset_ratio, *ratios], strict=False))
