"""Read and write plan files: everything that a run does with its wishes, in YAML or JSON.

    plan:
      exits: {stop_loss_ratio: 2%, trailing: {activation: 0.01, distance: 0.005}}
      filters:
        - {kind: trend, period: 200}
    costs: {commission: 0.00055}

Both keys and all settings are optional; what is not given is by default. `plan_yaml` writes the
whole of it, commented by the docstrings of the records, so that a file shows what can be set.
"""

import dataclasses
import difflib
import inspect
import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import ValidationError

from cluster.plan_shapes import Shape, shape_of, shapes_in, tree_of
from cluster.settings_text import read_settings, yaml_scalar
from engines.costs import CommissionKind, Costs
from engines.errors import PlanFault
from engines.plan import Plan

FOUND_MAX = 60
WIDTH = 100
# What pydantic calls a value of the wrong type, and what we call the right one.
EXPECTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "missing": "a value",
    "model_type": "a mapping of settings",
    "model_attributes_type": "a mapping of settings",
}


@dataclass(frozen=True, slots=True)
class PlanFile:
    """What a plan file says: both are optional, as is every setting in them."""

    plan: Plan = field(default_factory=Plan)
    costs: Costs = field(default_factory=Costs)


def read_plan(path: str | os.PathLike[str]) -> PlanFile:
    """Return the plan and the costs that a file gives, the rest by default.

    Raises: PlanFault in one sentence naming the first setting that is wrong, and the file.
    """
    return plan_from(read_settings(Path(path)), str(path))


def plan_from(tree: object, source: str) -> PlanFile:
    """Return the plan and the costs of values as YAML or JSON hold them.

    Raises: PlanFault naming the first setting that is wrong, and `source`.
    """
    try:
        shape: Any = shape_of(PlanFile).model_validate(tree)
    except ValidationError as error:
        raise _fault(error, source) from None
    try:
        found: PlanFile = shape.build()
        if "costs" in shape.model_fields_set:
            _require_amount(shape.costs, found.costs)
    except PlanFault as fault:
        raise PlanFault(f"{fault.subject} in {source}", fault.expected, fault.found) from None
    return found


def plan_tree(plan: Plan, costs: Costs) -> dict[str, Any]:
    """Return a plan and costs in the types of YAML and JSON, the inverse of `plan_from`."""
    return {"plan": tree_of(plan), "costs": tree_of(costs)}


def plan_json(plan: Plan, costs: Costs) -> str:
    """Return a plan file as JSON."""
    return json.dumps(plan_tree(plan, costs), indent=1, allow_nan=False) + "\n"


def plan_yaml(plan: Plan, costs: Costs) -> str:
    """Return a plan file as YAML with comments that say what each setting means."""
    lines = [*_section("plan", plan, 0), "", *_section("costs", costs, 0)]
    return "\n".join(lines) + "\n"


def write_plan(path: str | os.PathLike[str], plan: Plan, costs: Costs) -> None:
    """Write a plan file: JSON where the name ends so, otherwise YAML.

    Raises: PlanFault if the file cannot be written.
    """
    is_json = Path(path).suffix.lower() == ".json"
    text = plan_json(plan, costs) if is_json else plan_yaml(plan, costs)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlanFault(str(path), "a place that can be written to", reason) from None


def plan_json_schema() -> dict[str, Any]:
    """Return the JSON schema of a plan file."""
    return shape_of(PlanFile).model_json_schema()


def _require_amount(shape: Shape, costs: Costs) -> None:
    """Raise PlanFault where the default ratio would be read as money."""
    is_given = "commission" in shape.model_fields_set
    if costs.commission_kind is not CommissionKind.RATIO and not is_given:
        raise PlanFault("costs.commission", f"an amount for kind {costs.commission_kind}", "none")


def _fault(error: ValidationError, source: str) -> PlanFault:
    """Return the first error as a sentence of ours, a misspelt name before what it leaves out."""
    errors: list[Any] = error.errors(include_url=False)
    first = min(errors, key=lambda item: item["type"] != "extra_forbidden")
    path, shapes = _place(first["loc"])
    subject = f"{path} in {source}" if path else source
    found = textwrap.shorten(repr(first["input"]), FOUND_MAX)
    match first["type"]:
        case "extra_forbidden":
            name = str(first["loc"][-1])
            known = list(shapes[0].model_fields)
            near = difflib.get_close_matches(name, known, n=1)
            expected = f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(known)}"
            return PlanFault(subject, expected, f"the unknown setting {name!r}")
        case "missing":
            return PlanFault(subject, "a value", "none")
        case "literal_error":
            expected = "one of " + str(first["ctx"]["expected"]).replace("'", "")
            return PlanFault(subject, expected.replace(" or ", ", "), found)
        case "union_tag_not_found" | "union_tag_invalid":
            kinds = ", ".join(str(shape.tag()) for shape in shapes)
            given = first["input"].get("kind")
            found = "none" if given is None else textwrap.shorten(repr(given), FOUND_MAX)
            return PlanFault(f"{path}.kind in {source}", f"one of {kinds}", found)
    return PlanFault(subject, EXPECTED.get(first["type"], first["msg"]), found)


def _place(loc: tuple[str | int, ...]) -> tuple[str, list[type[Shape]]]:
    """Return the path of a setting as people write it, and the shapes that its last name is of.

    For an unknown name these are the shapes that it was looked for in; pydantic's path of one of
    several records holds their `kind`, which no person writes.
    """
    path, shapes = "", [shape_of(PlanFile)]
    owners = shapes
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
            continue
        tagged = [item for item in shapes if item.tag() == step]
        if len(shapes) > 1 and tagged:
            shapes = tagged
            continue
        path += f".{step}" if path else step
        owners = shapes
        fields = [item.model_fields[step] for item in shapes if step in item.model_fields]
        shapes = [inner for field in fields for inner in shapes_in(field.annotation)]
    return path.removeprefix("plan."), shapes or owners


def _section(name: str, record: Any, depth: int) -> Iterator[str]:
    """Yield a record as YAML: its docstring as comment, then a line for each setting."""
    indent = "  " * depth
    yield from _comment(record, indent)
    yield f"{indent}{name}:"
    for item in dataclasses.fields(record):
        if item.init:
            value = getattr(record, item.name)
            if dataclasses.is_dataclass(value):
                yield from _section(item.name, value, depth + 1)
            else:
                yield from _setting(item.name, value, _choices(record, item.name), depth + 1)


def _setting(name: str, value: object, choices: str, depth: int) -> Iterator[str]:
    indent = "  " * depth
    note = f"  # {choices}" if choices else ""
    if not isinstance(value, tuple):
        yield f"{indent}{name}: {yaml_scalar(tree_of(value))}{note}"
    elif not value or not dataclasses.is_dataclass(value[0]):
        yield f"{indent}{name}: [{', '.join(map(yaml_scalar, value))}]{note}"
    else:
        yield f"{indent}{name}:{note}"
        for item in value:
            yield f"{indent}  - {_flow(tree_of(item))}"


def _flow(tree: Any) -> str:
    """Return values in YAML's short form."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{name}: {_flow(value)}" for name, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(_flow, tree)) + "]"
    return yaml_scalar(tree)


def _comment(record: Any, indent: str) -> Iterator[str]:
    text = inspect.getdoc(type(record)) or ""
    for line in text.splitlines():
        for part in textwrap.wrap(line, WIDTH - len(indent) - 2) or [""]:
            yield f"{indent}# {part}".rstrip()


def _choices(record: Any, name: str) -> str:
    """Return what a setting may be where its value does not show it, "" otherwise."""
    cls: Any = type(record)
    hint = get_type_hints(cls)[name]
    for kind in (hint, *get_args(hint)):  # itself, or itself or None
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return " | ".join(kind)
    shapes = shapes_in(shape_of(cls).model_fields[name].annotation)
    if shapes and shapes[0].tag():
        return "kind: " + " | ".join(str(shape.tag()) for shape in shapes)
    if shapes:
        return f"{{{', '.join(shapes[0].model_fields)}}}"
    return ""
