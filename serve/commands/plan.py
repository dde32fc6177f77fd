"""`phalanx plan`: every setting of a run, to be written into a file or checked in one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from serve.flags import JsonFlags, TermFlags


@dataclass(frozen=True, kw_only=True)
class PlanShownFlags(JsonFlags, TermFlags):
    """What `phalanx plan` takes."""

    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Plan file to check; else defaults.")
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: JSON if so named, else YAML.", rich_help_panel="Output"),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="Replace that file.", rich_help_panel="Output")
    ] = False
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON schema instead.", rich_help_panel="Output"),
    ] = False


def plan(flags: PlanShownFlags) -> int:
    """Show the plan that a file and flags make, with what each setting means."""
    from cluster.plan_files import plan_json_schema, plan_tree, plan_yaml, write_plan
    from engines.errors import PlanFault
    from serve.output import print_json
    from serve.plan_terms import terms_of

    if flags.schema:
        print_json(plan_json_schema())
        return 0
    if flags.out is not None and flags.out.exists() and not flags.force:
        raise PlanFault(str(flags.out), "a new file (or --force)", "one that exists")
    terms, costs = terms_of(flags.file, flags)
    if flags.out is not None:
        write_plan(flags.out, terms, costs)
    if flags.json:
        print_json(plan_tree(terms, costs))
    elif flags.out is None:
        print(plan_yaml(terms, costs), end="")
    else:
        print(f"plan: {flags.out}")
    return 0
