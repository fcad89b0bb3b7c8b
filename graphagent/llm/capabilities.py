"""What an operator says that a model can do, where nobody else knows: the setting `capabilities`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from graphagent.errors import InputInvalid
from graphagent.messages import ModelInfo

FLAGS: Final = ("tools", "parallel_tools", "json_schema", "reasoning", "vision")
SIZES: Final = ("context_window", "max_output")
EMULATIONS: Final = ("two_step", "one_step")
KEYS: Final = (*FLAGS, *SIZES, "emulation")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`facts` are fields of `ModelInfo`. `emulation` is how a model without tools chooses one."""

    facts: tuple[tuple[str, bool | int], ...] = ()
    emulation: Literal["two_step", "one_step"] = "two_step"

    def of(self, info: ModelInfo) -> ModelInfo:
        """The model's information with these facts in place of what was assumed."""
        changes: dict[str, Any] = dict(self.facts)
        if changes.get("tools") is False:
            changes.setdefault("parallel_tools", False)
        return replace(info, **changes)


NOTHING_SAID: Final = Capabilities()


def read_capabilities(given: Any, path: str) -> Capabilities:
    """The capabilities in a settings table. Raises InputInvalid; `path` says where the table stands."""
    if not isinstance(given, Mapping):
        raise InputInvalid(path, "a table is expected", hint=f"it may have {', '.join(KEYS)}")
    for key, value in given.items():
        if key not in KEYS:
            raise InputInvalid(f"{path}.{key}", "no such capability", hint=f"known: {', '.join(KEYS)}")
        if key in FLAGS and type(value) is not bool:
            raise InputInvalid(f"{path}.{key}", "true or false is expected")
        if key in SIZES and (type(value) is not int or value < 1):
            raise InputInvalid(f"{path}.{key}", "a number of model tokens is expected")
        if key == "emulation" and value not in EMULATIONS:
            raise InputInvalid(f"{path}.{key}", f"{value!r} is none of {', '.join(EMULATIONS)}")
    facts = tuple((key, value) for key, value in given.items() if key != "emulation")
    return Capabilities(facts, given.get("emulation", "two_step"))
