"""`dataclass` and `replace` for value types on the hot path: frozen for the type checker, plain at run time.

A frozen dataclass sets each field through `object.__setattr__`, which makes an object of 13 fields cost 3.4 us
instead of 0.5 us (CPython 3.11); a superstep makes a dozen. `mypy --strict` still refuses every assignment to a
field, and equal values still have equal hashes. `dataclasses.replace` takes 8 us for 13 fields, this one 1 us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:
    import dataclasses
    from functools import cache
    from operator import attrgetter

    def dataclass(*, frozen: bool, slots: bool) -> Any:
        """`dataclasses.dataclass(frozen=True, slots=True)` with a quick `__init__`."""
        return dataclasses.dataclass(slots=slots, unsafe_hash=frozen)

    def replace(value: Any, /, **changes: Any) -> Any:
        """`dataclasses.replace`, for classes whose fields are all parameters of `__init__`, in their order."""
        cls = type(value)
        places, values = _fields(cls)
        new = list(values(value))
        for name, given in changes.items():
            if name not in places:
                raise TypeError(f"{cls.__name__} has no field {name!r}")
            new[places[name]] = given
        return cls(*new)

    @cache
    def _fields(cls: type) -> Any:
        """Where each field stands among the parameters, and what reads them all."""
        fields = dataclasses.fields(cls)
        if len(fields) < 2 or not all(f.init and not f.kw_only for f in fields):
            raise TypeError(f"{cls.__name__} can't be copied by its fields")
        return {f.name: i for i, f in enumerate(fields)}, attrgetter(*[f.name for f in fields])


__all__ = ["dataclass", "replace"]
