"""The command line's flags, declared once and shared by commands.

A command is a function of one frozen dataclass; `spread` shows its fields to typer as options, so
that `backtest`, `parity` and `demo` share a family of flags and none is written twice. A family
names the heading under which `--help` lists it.

Flags of a plan have no defaults of their own: one that was not given is None, and the plan file or
`engines.plan` decides, so that a default never overrides a file.

A family that is never built alone has no methods made for it: they cost `--help` milliseconds.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from cluster.ratios import parse_ratio

Flags = TypeVar("Flags")
SYMBOL_FILE = "[SYMBOL=]FILE"


class GroupedCommand(TyperCommand):
    """A command whose plain help lists its options under the headings of their families."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each group of options."""
        groups: dict[str, list[Any]] = {}
        for item in self.get_params(ctx):
            record = item.get_help_record(ctx)
            if record is not None:
                is_argument = item.param_type_name == "argument"
                panel = getattr(item, "rich_help_panel", None) or "Options"
                groups.setdefault("Arguments" if is_argument else panel, []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def spread(command: Callable[[Flags], int]) -> Callable[..., None]:
    """Return `command(flags)` as a function of the fields of its flags, for typer.

    Required ones come first. The number that the command returns becomes the exit code.
    """
    cls = get_type_hints(command)["flags"]
    hints = get_type_hints(cls, include_extras=True)
    for family in cls.__mro__:
        for name in vars(family).get("__annotations__", {}) if "panel" in vars(family) else ():
            for option in get_args(hints.get(name)):
                if isinstance(option, typer.models.OptionInfo):
                    option.rich_help_panel = family.panel

    def with_options(**given: Any) -> None:
        code = command(cls(**given))
        if code:
            raise typer.Exit(code)

    parameters = [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=hints[item.name],
        )
        for item in fields(cls)
    ]
    parameters.sort(key=lambda item: item.default is not inspect.Parameter.empty)
    wrapped: Any = with_options
    wrapped.__signature__ = inspect.Signature(parameters)
    wrapped.__annotations__ = {item.name: hints[item.name] for item in fields(cls)}
    wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
    return with_options


def ratio(text: str) -> float:
    """Return 0.0007 for 0.0007 and for 0.07%."""
    try:
        return parse_ratio(str(text))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a ratio such as 0.02 nor a percentage such as 2%"
        ) from None


def _ratio_option(name: str, help: str) -> Any:
    return typer.Option(name, parser=ratio, metavar="RATIO|%", help=help)


@dataclass(frozen=True, kw_only=True)
class JsonFlags:
    """What every command has."""

    panel: ClassVar[str] = "Output"
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class OutFlags:
    """Where results go."""

    panel: ClassVar[str] = "Output"
    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, result.json and tables.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Write into a folder in use.")] = False


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class HistoryFlags:
    """What holding a position costs, as the market's history has it."""

    panel: ClassVar[str] = "Costs"
    funding: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SYMBOL=]FILE|RATE|stored",
            help="History of settlements, or one rate, as 0.01%.",
        ),
    ] = None
    funding_hours: Annotated[
        int | None, typer.Option(help="Hours between settlements of one rate: 1, 4 or 8 (8).")
    ] = None
    mark: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SYMBOL=]FILE|stored", help="Bars of the mark price: funding, liquidation."
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class BarFlags(HistoryFlags):
    """Which bars are traded, and the instrument's rules."""

    panel: ClassVar[str] = "Bars and instrument"
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="Stored bars, as BTC/USDT:USDT, repeatable; of --bars the symbol."),
    ] = None
    venue: Annotated[
        str | None, typer.Option(help="Whose bars, as for `phalanx data sync` (bybit).")
    ] = None
    interval: Annotated[
        str | None, typer.Option(help="Interval of the stored bars, or that files must have.")
    ] = None
    warm_up: Annotated[
        int | None, typer.Option(help="Stored bars that are read before --since (1000).")
    ] = None
    aggregate: Annotated[
        str | None, typer.Option(help="Build bars of this longer interval first, such as 1h.")
    ] = None
    since: Annotated[
        str | None, typer.Option(help="Trade from this UTC time on; bars before it warm up.")
    ] = None
    until: Annotated[str | None, typer.Option(help="Leave out bars from this UTC time on.")] = None
    other: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Bars read as others[NAME]; --aggregate too."),
    ] = None
    magnifier: Annotated[
        list[str] | None,
        typer.Option(metavar=SYMBOL_FILE, help="Bars of a shorter interval for each bar's path."),
    ] = None
    instrument: Annotated[
        list[str] | None,
        typer.Option(metavar=SYMBOL_FILE, help="TOML or JSON: tick_size, qty_step, margin tiers."),
    ] = None
    tick_size: Annotated[float | None, typer.Option(help="Smallest price step.")] = None
    qty_step: Annotated[float | None, typer.Option(help="Smallest quantity step.")] = None
    point_value: Annotated[float | None, typer.Option(help="Quote per point and contract.")] = None
    exchange_zone: Annotated[
        str | None, typer.Option(help="Time zone of the exchange: its days, its months.")
    ] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class StrategyFlags:
    """What the strategy is told, and how it is judged."""

    panel: ClassVar[str] = "Strategy and plan"
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A strategy parameter; repeatable."),
    ] = None
    plan: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON file of every setting (`phalanx plan`); flags go first."),
    ] = None
    causality_check: Annotated[
        bool, typer.Option(help="Prove first that the strategy does not look ahead.")
    ] = True


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class SizeFlags:
    """The account, how large an entry is and which may be made."""

    panel: ClassVar[str] = "Account and size"
    capital: Annotated[float | None, typer.Option(help="Account at the start (10000).")] = None
    leverage: Annotated[float | None, typer.Option(help="From 1 to 125; then with tiers.")] = None
    qty: Annotated[float | None, typer.Option(help="Size of an order: contracts.")] = None
    cash: Annotated[float | None, typer.Option(help="Size of an order: money.")] = None
    equity_percent: Annotated[
        float | None, typer.Option(help="Size of an order: percent of equity (10).")
    ] = None
    risk: Annotated[
        float | None, _ratio_option("--risk", "Size of an order: equity lost at its stop.")
    ] = None
    kelly: Annotated[
        float | None, _ratio_option("--kelly", "Size of an order: this part of Kelly's.")
    ] = None
    volatility: Annotated[
        float | None, _ratio_option("--volatility", "Size of an order: equity moved by one ATR.")
    ] = None
    direction: Annotated[
        str | None, typer.Option(metavar="both|long|short", help="Positions that may be opened.")
    ] = None
    pyramiding: Annotated[
        int | None, typer.Option(help="Entries allowed in one direction (1).")
    ] = None
    margin_long: Annotated[
        float | None, _ratio_option("--margin-long", "Notional that equity must cover (100%).")
    ] = None
    margin_short: Annotated[
        float | None, _ratio_option("--margin-short", "Notional that equity must cover (100%).")
    ] = None
    position_qty_max: Annotated[
        float | None, typer.Option(help="Largest position, in contracts.")
    ] = None
    intraday_fills_max: Annotated[
        int | None, typer.Option(help="Filled orders a day; then trading stops until the next.")
    ] = None
    intraday_loss_max: Annotated[
        float | None, _ratio_option("--intraday-loss-max", "Of the day's first equity, likewise.")
    ] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class ExitFlags:
    """The commonest stops and targets; the plan file has the rest."""

    panel: ClassVar[str] = "Exits (where signals name none)"
    levels: Annotated[
        str | None,
        typer.Option(help="strategy (default), or plan: leave out stops that signals name."),
    ] = None
    stop_loss: Annotated[
        float | None, _ratio_option("--stop-loss", "Distance from the entry price.")
    ] = None
    take_profit: Annotated[
        float | None, _ratio_option("--take-profit", "Distance from the entry price.")
    ] = None
    stop_atr: Annotated[float | None, typer.Option(help="Stop in multiples of the ATR.")] = None
    target_atr: Annotated[float | None, typer.Option(help="Target in multiples of the ATR.")] = None
    targets: Annotated[
        str | None,
        typer.Option(metavar="DISTANCE:PORTION,...", help="Up to four, as 0.5%:25%,1%:75%."),
    ] = None
    trailing: Annotated[
        str | None,
        typer.Option(metavar="ACTIVATION:DISTANCE", help="Trailing stop, as 1%:0.5%."),
    ] = None
    breakeven: Annotated[
        str | None,
        typer.Option(metavar="ACTIVATION[:OFFSET]", help="Stop to the entry, as 0.5% or 1%:0.1%."),
    ] = None
    bars_held_max: Annotated[int | None, typer.Option(help="Close a trade after so many bars.")] = (
        None
    )


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class OrderFlags:
    """How orders fill and which entries an exit closes."""

    panel: ClassVar[str] = "Orders"
    close_rule: Annotated[
        str | None, typer.Option(metavar="fifo|lifo|any|all", help="Which entries close first.")
    ] = None
    process_on_close: Annotated[
        bool | None,
        typer.Option(
            "--process-on-close/--no-process-on-close",
            help="Fill market orders at the deciding close.",
        ),
    ] = None
    limit_verify_ticks: Annotated[
        int | None, typer.Option(help="How far price must pass a limit to fill it (0).")
    ] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class CostFlags:
    """What a fill costs."""

    panel: ClassVar[str] = "Costs"
    commission: Annotated[
        str | None,
        typer.Option(metavar="NUMBER|%", help="Of notional (0.07%), or money; see its kind."),
    ] = None
    commission_kind: Annotated[
        str | None,
        typer.Option(metavar="ratio|per_contract|per_order", help="What it is charged for."),
    ] = None
    slippage_ticks: Annotated[
        int | None, typer.Option(help="Against market and stop fills, in ticks (0).")
    ] = None
    slippage: Annotated[
        float | None, _ratio_option("--slippage", "Against market and stop fills, of the price.")
    ] = None


@dataclass(frozen=True, kw_only=True, init=False, eq=False, repr=False)
class TermFlags(CostFlags, OrderFlags, ExitFlags, SizeFlags):
    """How wishes become orders, and what a fill costs."""


@dataclass(frozen=True, kw_only=True)
class PlanFlags(TermFlags, StrategyFlags):
    """What a run needs besides its bars."""
