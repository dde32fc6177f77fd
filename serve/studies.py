"""Turn the flags of `phalanx sweep` into a study: strategy, space, plan, markets and ranking."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.user_strategy import FoundStrategy
from engines.causality import check_causal
from engines.errors import ParameterFault
from engines.klines import interval_text, parse_interval_ms
from engines.liquidation import check_leverage
from engines.plan import LevelSource, Plan
from engines.search.grid import Axis, parse_grid
from engines.search.plan_axes import plan_settings, require_in_range
from engines.search.sampling import Sample
from engines.search.space import Space
from engines.wishes import Tradable, checked_signals, makes_signals
from serve.sweep_flags import Request, SweepFlags, request_of, restored

if TYPE_CHECKING:
    from cluster.study import Study
    from cluster.study_folder import StudyFolder
    from engines.costs import Costs
    from engines.kernels.trials import Market as Traded
    from serve.terms import Market

SEED = 1
LEVELS_PATH = "exits.levels"
LEVEL_PATHS = ("exits.stop", "exits.take", "exits.target")


@dataclass(frozen=True, slots=True)
class Asked:
    """A study, and what a reader should know of how it was read."""

    study: "Study"
    notes: tuple[str, ...]


def study_asked(request: Request, *, causality_check: bool) -> Asked:
    """Return the study that flags ask for, its first strategy proven causal if wanted.

    Raises: a Fault in one sentence for whatever is wrong with it.
    """
    from cluster.study import first_strategy, study_of, swept_settings
    from serve.runs import find_all, parse_settings

    flags, notes = request.flags, list[str]()
    if flags.study is None:
        raise ParameterFault("STRATEGY", "a strategy or a study file", "none")
    (found,) = find_all([flags.study])
    settings = parse_settings(flags.settings, [found])
    axes, said = parse_grid(flags.grid or (), swept_settings(found.parameters), found.name)
    plan, costs = _terms(request)
    plan_axes, more = parse_grid(flags.plan_grid or (), plan_settings(plan), "the plan")
    notes += said + more
    if not axes and not plan_axes:
        raise ParameterFault("space", 'values to try, as --grid "rsi=7:21:1"', "none")
    require_in_range(plan, plan_axes)
    markets = _markets(flags)
    space = Space.of(axes, plan_axes)
    make = partial(
        study_of,
        found,
        _fixed(found, settings, axes),
        space=space,
        markets=[_traded(market, costs) for market in markets],
        sample=_sample(flags, space, notes),
    )
    study = make(plan=plan)
    strategy = first_strategy(study.recipe)
    _check(strategy, study, causality_check=causality_check)
    if _needs_plan_levels(strategy, study, plan_axes):
        notes.append("the strategy brings stops or targets of its own: exits.levels is plan")
        study = make(plan=replace(plan, exits=replace(plan.exits, levels=LevelSource.PLAN)))
    return Asked(study, (*notes, *_market_notes(markets)))


def study_in(folder: "StudyFolder") -> "Study":
    """Return the study that a folder holds, read again from the files that it was made of.

    Raises: a Fault in one sentence where these are no more what they were.
    """
    known = folder.read_manifest()
    flags = restored(known.get("flags") or {}, SweepFlags())
    cwd = Path(known.get("cwd") or ".")
    with contextlib.chdir(cwd if cwd.is_dir() else Path.cwd()):
        study = study_asked(request_of(flags), causality_check=False).study
    require_study(study, folder.path.name)
    return study


def require_study(study: "Study", wanted: str) -> None:
    """Raise ParameterFault where what is asked makes another study than the one wanted."""
    if study.id != wanted:
        expected = "the strategy, plan, bars and phalanx that it was begun with"
        raise ParameterFault(f"study {wanted}", expected, f"others, which make {study.id}")


def _check(strategy: Tradable, study: "Study", *, causality_check: bool) -> None:
    """Refuse what would go wrong in every set: too few bars, no tiers, a look ahead."""
    from cluster.study import require_bars

    for market in study.markets:
        check_leverage(study.recipe.plan, market.instrument)
        require_bars(strategy, market.klines, study.recipe.strategy.name)
    if causality_check:
        name = study.recipe.strategy.cls.__name__
        check_causal(strategy, study.markets[0].klines, name=name)


def _traded(market: "Market", costs: "Costs") -> "Traded":
    from engines.kernels.trials import Market as TradedMarket

    terms = (market.klines, market.instrument, costs, market.funding, market.mark, market.since_ms)
    return TradedMarket(*terms)


def _market_notes(markets: "Sequence[Market]") -> list[str]:
    """Return the notes on all markets, each with its interval where there are several."""
    notes = []
    for market in markets:
        where = f"{interval_text(market.klines.interval_ms)}: " if len(markets) > 1 else ""
        notes += [f"{where}{note}" for note in market.notes]
    return list(dict.fromkeys(notes))


def _terms(request: Request) -> "tuple[Plan, Costs]":
    from cluster.plan_files import plan_from
    from serve.plan_terms import plan_and_costs, terms_on

    if request.plan_tree is None:
        return plan_and_costs(request.flags)
    return terms_on(plan_from(request.plan_tree, request.source), request.flags)


def _fixed(
    found: FoundStrategy, settings: Mapping[str, str], axes: Sequence[Axis]
) -> dict[str, Any]:
    """Return the values of the parameters that are not swept."""
    swept = {axis.name for axis in axes}
    for name in settings:
        if name in swept:
            raise ParameterFault(f"parameter {name}", "--set or --grid", "both")
    return {name: value for name, value in found.values(settings).items() if name not in swept}


def _markets(flags: SweepFlags) -> "list[Market]":
    """Return a market for each symbol and each interval that is asked for."""
    from serve.terms import markets_asked

    bars = flags.bars or ()
    if flags.magnifier:
        raise ParameterFault("--magnifier", "no magnifier in a sweep", ", ".join(flags.magnifier))
    if flags.intervals is None:
        return markets_asked(bars, flags)
    if flags.aggregate is not None:
        raise ParameterFault("--intervals and --aggregate", "one of them", "both")
    wanted = [parse_interval_ms(text) for text in flags.intervals.split(",")]
    plain = markets_asked(bars, flags)
    markets: list[Market] = []
    for interval_ms in wanted:
        if all(item.klines.interval_ms == interval_ms for item in plain):
            markets += plain
        else:
            longer = replace(flags, aggregate=interval_text(interval_ms))
            markets += markets_asked(bars, longer)
    return markets


def _sample(flags: SweepFlags, space: Space, notes: list[str]) -> Sample | None:
    seed = SEED if flags.seed is None else flags.seed
    if flags.sample is None:
        if flags.seed is not None:
            raise ParameterFault("--seed", "a --sample that it is the seed of", "none")
        return None
    if flags.sample < 1:
        raise ParameterFault("--sample", "a number of sets above zero", repr(flags.sample))
    if seed < 0:
        raise ParameterFault("--seed", "a whole number, zero or more", repr(seed))
    if flags.sample >= len(space):
        notes.append(f"the space has {len(space):,} sets: all are tried instead of a sample")
        return None
    return Sample(len(space), flags.sample, seed)


def _needs_plan_levels(strategy: Tradable, study: "Study", plan_axes: Sequence[Axis]) -> bool:
    """Return whether the plan's stops or targets are swept, but the strategy's would go first."""
    exits = study.recipe.plan.exits
    names = [axis.name for axis in plan_axes]
    swept = any(name.startswith(LEVEL_PATHS) for name in names)
    if not swept or LEVELS_PATH in names or exits.levels is LevelSource.PLAN:
        return False
    if not makes_signals(strategy):
        return False
    return not checked_signals(strategy, study.markets[0].klines).have_no_levels
