"""What an operator says of a model, where nobody else knows: the settings `capabilities`, `rates` and `prices`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

from graphagent.errors import InputInvalid
from graphagent.messages import ModelInfo, Price

FLAGS: Final = ("tools", "parallel_tools", "json_schema", "reasoning", "vision")
SIZES: Final = ("context_window", "max_output")
EMULATIONS: Final = ("two_step", "one_step")
KEYS: Final = (*FLAGS, *SIZES, "emulation")
RATES: Final = ("requests_per_minute", "tokens_per_minute")
DATE: Final = "date"
PRICES: Final = ("input", "output", "cached_input", DATE)
MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model allows within a minute. None is no limit of ours."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`facts` are fields of `ModelInfo`. `emulation` is how a model without tools chooses one."""

    facts: tuple[tuple[str, bool | int], ...] = ()
    emulation: Literal["two_step", "one_step"] = "two_step"
    rates: Rates = Rates()
    price: Price | None = None

    def of(self, info: ModelInfo) -> ModelInfo:
        """The model's information with these facts in place of what was assumed."""
        changes: dict[str, Any] = dict(self.facts)
        if changes.get("tools") is False:
            changes.setdefault("parallel_tools", False)
        if self.price is not None:
            changes["price"] = self.price
        return replace(info, **changes)


NOTHING_SAID: Final = Capabilities()


def read_capabilities(given: Any, path: str, file: str = "") -> Capabilities:
    """The capabilities in a settings table. Raises InputInvalid; `path` and `file` say where it stands."""
    for key, value in _table(given, path, KEYS, file).items():
        if key in FLAGS and type(value) is not bool:
            raise InputInvalid(f"{path}.{key}{file}", "true or false is expected")
        if key in SIZES and (type(value) is not int or value < 1):
            raise InputInvalid(f"{path}.{key}{file}", "a number of model tokens is expected")
        if key == "emulation" and value not in EMULATIONS:
            raise InputInvalid(f"{path}.{key}{file}", f"{value!r} is none of {', '.join(EMULATIONS)}")
    facts = tuple((key, value) for key, value in given.items() if key != "emulation")
    return Capabilities(facts, given.get("emulation", "two_step"))


def read_rates(given: Any, path: str, file: str = "") -> Rates:
    """The limits in a settings table. Raises InputInvalid."""
    for key, value in _table(given, path, RATES, file).items():
        if type(value) is not int or value < 1:
            raise InputInvalid(f"{path}.{key}{file}", "a whole number of at least 1 is expected")
    return Rates(given.get("requests_per_minute"), given.get("tokens_per_minute"))


def read_price(given: Any, path: str, file: str = "", day: str | None = None) -> Price:
    """The price in a settings table, dollars per million model tokens. Raises InputInvalid.

    Args:
        day: The date of the whole table, for a price without one.
    """
    for key, value in _table(given, path, PRICES, file).items():
        if key == DATE:
            day = read_date(value, f"{path}.{key}{file}")
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MICRO:
            raise InputInvalid(f"{path}.{key}{file}", "dollars per million model tokens are expected")
    missing = [key for key in ("input", "output") if key not in given]
    if missing:
        raise InputInvalid(f"{path}.{missing[0]}{file}", "is missing", hint="a price has `input` and `output`")
    cached = given.get("cached_input")
    micro = None if cached is None else round(cached * MICRO)
    return Price(round(given["input"] * MICRO), round(given["output"] * MICRO), micro, day)


def read_date(given: Any, path: str) -> str:
    """A day, as TOML has it or as text. Raises InputInvalid."""
    if isinstance(given, str):
        with suppress(ValueError):
            return date.fromisoformat(given).isoformat()
    if type(given) is date:
        return given.isoformat()
    raise InputInvalid(path, f"{given!s} is no day", hint="write it like 2026-11-01")


def _table(given: Any, path: str, keys: tuple[str, ...], file: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputInvalid(path + file, "a table is expected", hint=f"it may have {', '.join(keys)}")
    for key in given:
        if key not in keys:
            raise InputInvalid(f"{path}.{key}{file}", "no such key", hint=f"known: {', '.join(keys)}")
    return given


def of_models(tables: Mapping[str, Mapping[str, Any]], file: str) -> dict[str, Capabilities]:
    """What the three settings tables say, by `provider/model`. Raises InputInvalid."""
    out: dict[str, Capabilities] = {}
    for use, table in tables["capabilities"].items():
        out[use] = read_capabilities(table, f"$.capabilities.{use}", f" of {file}")
    for use, table in tables["rates"].items():
        out[use] = replace(out.get(use, NOTHING_SAID), rates=read_rates(table, f"$.rates.{use}", f" of {file}"))
    prices = dict(tables["prices"])
    day = read_date(prices.pop(DATE), f"$.prices.{DATE} of {file}") if DATE in prices else None
    for use, table in prices.items():
        price = read_price(table, f"$.prices.{use}", f" of {file}", day)
        out[use] = replace(out.get(use, NOTHING_SAID), price=price)
    return out
