"""Columns and rows that compiled code passes on by where they lie.

Theory. Numba passes a tuple as its members and an array as seven numbers or more, so a rule that
takes the bars, wishes and charges of a market takes two hundred, most of which it only hands on:
where rules are small this was half of what they cost. A tuple that is held lies in the frame of the
driver that holds it, and what passes is its address; rules read its members by name, each when it
is asked for. A row that is held is the address of its first number and how many there are: places
count from the first, as rules count them, never from the last.

Rules need not know which they were given. A GPU, where rules become one function, holds nothing.
What is held is not counted: a driver has the arrays that it holds, or was given them.

The stamp of a driver (`_compiled`) sees what functions here do, not what classes say.
"""

import operator
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import extending
from numba.core import cgutils, imputils, types
from numba.core.datamodel.models import PrimitiveModel, StructModel
from numba.core.typing import templates

Given = TypeVar("Given", bound=tuple[object, ...] | npt.NDArray[np.float64])

extend: Any = extending  # these carry no types
typed: Any = templates
counted: Any = imputils
kinds: Any = types
build: Any = cgutils
Codegen: TypeAlias = Callable[[Any, Any, Any, Any], Any]
NUMBER, PLACE = kinds.float64, kinds.intp


class _HeldType(types.Type):
    """What Numba knows of a held tuple: which one it is."""

    def __init__(self, columns: Any) -> None:
        self.columns = columns
        construct: Any = super().__init__
        construct(f"Held({columns})")


class _RowType(types.Type):
    """What Numba knows of a held row of numbers."""


ROW: Any = _RowType("Row")


@extend.register_model(_HeldType)
class _HeldModel(PrimitiveModel):
    """To LLVM it is the address of the tuple."""

    def __init__(self, models: Any, kind: Any) -> None:
        construct: Any = super().__init__
        construct(models, kind, models[kind.columns].get_data_type().as_pointer())


@extend.register_model(_RowType)
class _RowModel(StructModel):
    """To LLVM it is an address and a count."""

    def __init__(self, models: Any, kind: Any) -> None:
        construct: Any = super().__init__
        construct(models, kind, [("first", kinds.CPointer(NUMBER)), ("size", PLACE)])


def _hold(_context: Any, given: Any) -> tuple[Any, Codegen] | None:
    """Return how to hold a tuple, in the frame of whoever calls, or a row."""
    if isinstance(given, kinds.Array):
        is_row = given.ndim == 1 and given.dtype == NUMBER and given.layout == "C"
        return (ROW(given), _hold_row) if is_row else None
    return _HeldType(given)(given), _hold_tuple


def _hold_tuple(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    model = context.data_model_manager[signature.args[0]]
    address = build.alloca_once(builder, model.get_data_type())
    builder.store(model.as_data(builder, arguments[0]), address)
    return address


def _hold_row(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    row = build.create_struct_proxy(ROW)(context, builder)
    row.first, row.size = array.data, array.nitems
    return row._getvalue()


held = cast(Callable[[Given], Given], extend.intrinsic(_hold))


@extend.infer_getattr
class _Members(templates.AttributeTemplate):
    """A held tuple's members are those of the tuple."""

    key = _HeldType

    def generic_resolve(  # type: ignore[override] # Numba has a placeholder there
        self, kind: Any, name: str
    ) -> Any:
        """Return the type of a member, None if there is none of that name."""
        fields = kind.columns.fields
        return kind.columns.types[fields.index(name)] if name in fields else None


def _member(context: Any, builder: Any, kind: Any, address: Any, name: str) -> Any:
    """Return a member, read from where the tuple lies."""
    place = kind.columns.fields.index(name)
    member = kind.columns.types[place]
    own = build.gep_inbounds(builder, address, 0, place)
    value = context.unpack_value(builder, member, own)
    return counted.impl_ret_borrowed(context, builder, member, value)


extend.lower_getattr_generic(_HeldType)(_member)


@typed.infer_global(operator.getitem)
@typed.infer_global(operator.setitem)
class _Places(templates.AbstractTemplate):
    """A row's numbers are read and written by their places, whole numbers."""

    def generic(self, given: Any, _named: Any) -> Any:
        """Return the types of an access, None if it is none to a row."""
        if given[0] != ROW or not isinstance(given[1], kinds.Integer):
            return None
        if len(given) == 2:
            return NUMBER(ROW, PLACE)
        return kinds.none(ROW, PLACE, NUMBER)


def _place_of(context: Any, builder: Any, arguments: Any) -> Any:
    row = build.create_struct_proxy(ROW)(context, builder, value=arguments[0])
    return builder.gep(row.first, [arguments[1]], inbounds=True)


def _read(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    return builder.load(_place_of(context, builder, arguments))


def _write(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    builder.store(arguments[2], _place_of(context, builder, arguments))
    return context.get_dummy_value()


@typed.infer_global(len)
class _Length(templates.AbstractTemplate):
    """A row knows how many numbers it has."""

    def generic(self, given: Any, _named: Any) -> Any:
        """Return the types of the question, None if it is not about a row."""
        return PLACE(ROW) if given == (ROW,) else None


def _length(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    return build.create_struct_proxy(ROW)(context, builder, value=arguments[0]).size


extend.lower_builtin(operator.getitem, ROW, PLACE)(_read)
extend.lower_builtin(operator.setitem, ROW, PLACE, NUMBER)(_write)
extend.lower_builtin(len, ROW)(_length)
