"""The operator's hooks around model calls: what the settings say, and the functions that they name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

from graphagent.errors import InputInvalid, NodeError
from graphagent.graph.duration import parse_duration
from graphagent.graph.suggest import suggest
from graphagent.hooks import HookStage
from graphagent.ports import Hook
from graphagent.session.functions import Functions

TIMEOUT_S: Final = 30.0
EVERYWHERE: Final = "*/*"
STAGES: Final[tuple[HookStage, ...]] = get_args(HookStage)
KEYS: Final = ("function", "nodes", "timeout")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_NAME = r"(?:[\w.*?-]|\[!?[\w.-]+\])+"
_PATTERN, _PART = re.compile(f"{_NAME}(/{_NAME})+"), re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class HookSetting:
    """A function `module:name` of the project, and the nodes whose model calls it decides about.

    `nodes` are patterns `graph/node` as a shell has them: `support/*`, `*/writer`.
    """

    function: str
    nodes: tuple[str, ...] = (EVERYWHERE,)
    timeout_s: float = TIMEOUT_S

    def covers(self, graph: str, node: str) -> bool:
        """Whether it stands at this node."""
        parts = (pattern.rpartition("/") for pattern in self.nodes)
        return any(fnmatchcase(graph, g) and fnmatchcase(node, n) for g, _, n in parts)


@dataclass(frozen=True, slots=True)
class HookSettings:
    """The hooks before model calls and after them, each in the order in which they are asked."""

    before: tuple[HookSetting, ...] = ()
    after: tuple[HookSetting, ...] = ()

    def of(self, stage: HookStage) -> tuple[HookSetting, ...]:
        """Those of one side."""
        return self.before if stage == "before" else self.after


def read_hooks(given: Mapping[str, Any], file: str | None = None) -> HookSettings:
    """What stands under `hooks`, in a settings file or in code.

    Raises:
        InputInvalid: with the path of what is wrong.
    """
    of = "" if file is None else f" of {file}"
    for key in given:
        if key not in STAGES:
            raise InputInvalid(f"$.hooks.{key}{of}", "no such setting", hint=f"known: {', '.join(STAGES)}")
    read: dict[str, tuple[HookSetting, ...]] = {}
    for stage in STAGES:
        listed = given.get(stage, ())
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            hint = f'write [[hooks.{stage}]] above `function = "policy:check"`'
            raise InputInvalid(f"$.hooks.{stage}{of}", "a list is expected", hint=hint)
        read[stage] = tuple(_read(entry, f"$.hooks.{stage}[{i}]", of) for i, entry in enumerate(listed))
    return HookSettings(**read)


def _read(entry: Any, path: str, of: str) -> HookSetting:
    entry = {"function": entry} if isinstance(entry, str) else entry
    if not isinstance(entry, Mapping):
        raise InputInvalid(f"{path}{of}", "a table is expected", hint='write { function = "policy:check" }')
    for key in entry:
        if key not in KEYS:
            near = suggest(key, KEYS)
            hint = f"did you mean {near!r}?" if near else f"known: {', '.join(KEYS)}"
            raise InputInvalid(f"{path}.{key}{of}", "no such setting", hint=hint)
    function = entry.get("function")
    if not isinstance(function, str) or _FUNCTION.fullmatch(function) is None:
        what = "is missing" if function is None else f"{function!r} names no function"
        raise InputInvalid(f"{path}.function{of}", what, hint="write `module:function`, such as `policy:check`")
    nodes = entry.get("nodes", EVERYWHERE)
    nodes = [nodes] if isinstance(nodes, str) else nodes
    if not isinstance(nodes, Sequence) or not nodes:
        hint = "write `graph/node`, such as `support/*`, or a list of these"
        raise InputInvalid(f"{path}.nodes{of}", "a pattern is expected", hint=hint)
    for pattern in nodes:
        _check_pattern(pattern, f"{path}.nodes{of}")
    return HookSetting(function, tuple(nodes), _timeout(entry.get("timeout"), f"{path}.timeout{of}"))


def _check_pattern(pattern: Any, path: str) -> None:
    if isinstance(pattern, str) and _PATTERN.fullmatch(pattern):
        return
    hint = "write `graph/node`, with * for any text: `support/*`, `*/writer`, `*/*`"
    if isinstance(pattern, str) and _PART.fullmatch(pattern):
        hint = f"write `{pattern}/*` for all nodes of such graphs, `*/{pattern}` for such nodes of all graphs"
    raise InputInvalid(path, f"{pattern!r} is no pattern of nodes", hint=hint)


def _timeout(given: Any, path: str) -> float:
    if given is None:
        return TIMEOUT_S
    found = parse_duration(given) if isinstance(given, str) else None
    if found is None or found.ms == 0:
        raise InputInvalid(path, f"{given!r} is no duration", hint="write 500ms, 10s or 2m")
    return found.seconds


class Hooks:
    """The hooks of one host. Their functions come from the project and `allow_modules`, never from a graph's folder."""

    def __init__(self, settings: HookSettings, root: Path, allow_modules: tuple[str, ...]) -> None:
        self.settings = settings
        self.functions = Functions((root,), allow_modules)
        self._checked = False

    def of(self, stage: HookStage, graph: str, node: str) -> tuple[Hook, ...]:
        """Those around the model calls of a node, each function once."""
        found: dict[str, Hook] = {}
        for one in self.settings.of(stage):
            if one.covers(graph, node):
                load = partial(self.load, one.function)
                found.setdefault(one.function, Hook(one.function, graph, one.timeout_s, load))
        return tuple(found.values())

    def load(self, reference: str) -> tuple[Callable[..., Any], Sequence[str]]:
        """The function, and the names of the one or two parameters that a hook is given.

        Raises:
            NodeError: there is none, or it takes something else.
        """
        function = self.functions.load(reference)
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError) as error:
            raise NodeError(f"what {reference} takes can't be read: {error}") from error
        names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD][:2]
        rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = {p.name for p in parameters if p.default is p.empty and p.kind not in rest}
        if not names or needed - set(names):
            raise NodeError(
                f"{reference} takes ({', '.join(p.name for p in parameters)})",
                hint="a hook takes the messages or the message, and a second parameter if it wants the HookContext",
            )
        return function, names

    def fingerprint(self) -> list[list[Any]]:
        """A hash of every function, and what stands with it."""
        return [
            [stage, one.function, list(one.nodes), self._hash(one.function)]
            for stage in STAGES
            for one in self.settings.of(stage)
        ]

    def _hash(self, reference: str) -> str:
        try:
            return self.functions.fingerprint(reference).hex()
        except NodeError:
            return ""  # whoever calls it says what is wrong

    def check(self) -> None:
        """Load every function.

        Raises:
            InputInvalid: it names the setting.
        """
        if self._checked:
            return
        for stage in STAGES:
            for i, one in enumerate(self.settings.of(stage)):
                try:
                    self.load(one.function)
                except NodeError as error:
                    path = f"$.hooks.{stage}[{i}].function"
                    raise InputInvalid(path, f"{one.function}: {error.message}", hint=error.hint) from error
        self._checked = True
