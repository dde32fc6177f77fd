"""Turn flags into a plan and costs: flags go before the plan file, the file before defaults.

All flags take effect at once, so that two of them never meet in a state that neither means; what
contradicts a file's setting is a fault that names both, never a setting dropped in silence. The one
exception is a choice of several: a size or a slippage given by a flag takes the file's place whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cluster.ratios import parse_ratio
from engines.costs import CommissionKind, Costs, SlippageKind
from engines.errors import ParameterFault, PlanFault
from engines.plan import (
    Breakeven,
    CloseRule,
    Direction,
    Exits,
    Hours,
    LevelSource,
    Plan,
    Sizing,
    SizingKind,
    Target,
    Trailing,
    member,
)
from serve.flags import PlanFlags, TermFlags

if TYPE_CHECKING:
    from cluster.plan_files import PlanFile

NUMBER_MIN, NUMBER_MAX = 1e-12, 1e15

Choice = TypeVar("Choice", bound=StrEnum)
Record = TypeVar("Record", Plan, Exits, Hours, Costs)


def plan_and_costs(flags: PlanFlags) -> tuple[Plan, Costs]:
    """Return the plan and the costs that the flags and the plan file describe.

    Raises: PlanFault or ParameterFault for a setting out of range or two that contradict.
    """
    return terms_of(flags.plan, flags)


def terms_of(path: Path | None, flags: TermFlags) -> tuple[Plan, Costs]:
    """Return the plan and the costs of a plan file, if there is one, and flags.

    Raises: as `plan_and_costs`.
    """
    if path is None:
        return _plan(Plan(), flags), _costs(Costs(), flags)
    from cluster.plan_files import read_plan

    return terms_on(read_plan(path), flags)


def terms_on(base: "PlanFile", flags: TermFlags) -> tuple[Plan, Costs]:
    """Return the plan and the costs of a plan file that was read, and flags.

    Raises: as `plan_and_costs`.
    """
    return _plan(base.plan, flags), _costs(base.costs, flags)


def require_sane(given: Mapping[str, float | None]) -> None:
    """Refuse numbers that no market has and that overflow in products; zero is judged later."""
    for flag, value in given.items():
        if value and not NUMBER_MIN <= abs(value) <= NUMBER_MAX:
            expected = f"a number from {NUMBER_MIN:g} to {NUMBER_MAX:g}"
            raise ParameterFault(flag, expected, f"{value:g}")


def _plan(base: Plan, flags: TermFlags) -> Plan:
    require_sane(
        {
            "--capital": flags.capital,
            "--qty": flags.qty,
            "--cash": flags.cash,
            "--equity-percent": flags.equity_percent,
            "--position-qty-max": flags.position_qty_max,
            "--take-profit": flags.take_profit,
        }
    )
    return _changed(
        base,
        capital_quote=flags.capital,
        leverage=flags.leverage,
        sizing=_sizing(flags),
        pyramiding=flags.pyramiding,
        close_rule=_member("--close-rule", CloseRule, flags.close_rule),
        direction=_member("--direction", Direction, flags.direction),
        exits=_exits(base.exits, flags),
        hours=_changed(base.hours, bars_held_max=flags.bars_held_max),
        margin_long_ratio=flags.margin_long,
        margin_short_ratio=flags.margin_short,
        process_on_close=flags.process_on_close,
        limit_verify_ticks=flags.limit_verify_ticks,
        position_qty_max=flags.position_qty_max,
        intraday_fills_max=flags.intraday_fills_max,
        intraday_loss_ratio_max=flags.intraday_loss_max,
    )


def _exits(base: Exits, flags: TermFlags) -> Exits:
    breakeven = flags.breakeven
    return _changed(
        base,
        levels=_member("--levels", LevelSource, flags.levels),
        stop_loss_ratio=flags.stop_loss,
        take_profit_ratio=flags.take_profit,
        stop_atr=flags.stop_atr,
        target_atr=flags.target_atr,
        targets=None if flags.targets is None else _targets(flags.targets),
        trailing=None if flags.trailing is None else _trailing(flags.trailing),
        breakeven=None if breakeven is None else Breakeven(*_ratios("--breakeven", breakeven)),
    )


def _trailing(text: str) -> Trailing:
    activation, distance = _ratios("--trailing", text, (2,))
    return Trailing(activation, distance)


def _targets(text: str) -> tuple[Target, ...]:
    return tuple(Target(*_ratios("--targets", part, (2,))) for part in text.split(","))


def _ratios(flag: str, text: str, counts: Sequence[int] = (1, 2)) -> list[float]:
    """Return the ratios of a text such as 1%:0.5%."""
    try:
        ratios = [parse_ratio(part) for part in text.split(":")]
    except ValueError:
        ratios = []
    if len(ratios) not in counts:
        example = "1%:0.5%" if counts == (2,) else "0.5% or 1%:0.1%"
        expected = f"{'two ratios' if counts == (2,) else 'one ratio or two'} such as {example}"
        raise PlanFault(flag, expected, repr(text))
    return ratios


def _sizing(flags: TermFlags) -> Sizing | None:
    percent = flags.equity_percent
    given = {
        "--qty": (SizingKind.QTY, flags.qty),
        "--cash": (SizingKind.CASH, flags.cash),
        "--equity-percent": (SizingKind.EQUITY_RATIO, None if percent is None else percent / 100),
        "--risk": (SizingKind.RISK, flags.risk),
        "--kelly": (SizingKind.KELLY, flags.kelly),
        "--volatility": (SizingKind.VOLATILITY, flags.volatility),
    }
    named = {name: item for name, item in given.items() if item[1] is not None}
    if len(named) > 1:
        raise PlanFault("size of an order", f"one of {', '.join(given)}", " and ".join(named))
    return next((Sizing(kind, value or 0.0) for kind, value in named.values()), None)


def _costs(base: Costs, flags: TermFlags) -> Costs:
    kind, amount = _commission(base, flags)
    amount = base.commission if amount is None else amount
    return replace(base, commission_kind=kind, commission=amount, **_slippage(flags))


def _commission(base: Costs, flags: TermFlags) -> tuple[CommissionKind, float | None]:
    kind, text = base.commission_kind, flags.commission
    kind = _member("--commission-kind", CommissionKind, flags.commission_kind) or kind
    if text is None:
        if kind is not base.commission_kind:
            raise PlanFault("--commission", f"an amount for kind {kind}", "none")
        return kind, None
    if kind is not CommissionKind.RATIO and "%" in text:
        raise PlanFault("--commission", f"money for kind {kind}", text)
    try:
        return kind, parse_ratio(text)
    except ValueError:
        raise PlanFault("--commission", "0.0007 or 0.07% or an amount", repr(text)) from None


def _slippage(flags: TermFlags) -> dict[str, Any]:
    """Return the whole slippage that a flag asks for, nothing where none does."""
    ticks, ratio = flags.slippage_ticks, flags.slippage
    if ticks is not None and ratio is not None:
        raise PlanFault("--slippage and --slippage-ticks", "one of them", "both")
    plain = Costs()
    others = ("slippage_ticks", "slippage_ratio", "volume_impact", "volatility_factor")
    none = {name: getattr(plain, name) for name in others}
    if ticks is not None:
        return none | {"slippage_kind": SlippageKind.TICKS, "slippage_ticks": ticks}
    if ratio is not None:
        return none | {"slippage_kind": SlippageKind.RATIO, "slippage_ratio": ratio}
    return {}


def _changed(base: Record, **given: Any) -> Record:
    """Return a record with what was given, None meaning that it was not."""
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(base, **changes)


def _member(flag: str, kind: type[Choice], text: str | None) -> Choice | None:
    return None if text is None else member(flag, kind, text.strip().lower())
