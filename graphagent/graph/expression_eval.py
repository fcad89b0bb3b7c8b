"""From an expression tree to a closure that computes its value.

A closure takes the environment (names to plain data) and the frame `[steps left, size left, variable, ...]`.
The common cases (`a.b > 3`, `x == 'text'`) are closures of their own, since guards run in every superstep. There
is no operation on a Python object here but those of plain data: no attribute, no call of a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from graphagent.graph.comparison_eval import Closure, Env, compare_constant, comparison
from graphagent.graph.expression_errors import EvaluationError, Failure, placed
from graphagent.graph.expression_names import SCOPE_NAMES
from graphagent.graph.expression_size import SCALARS, makes_data
from graphagent.graph.expression_tree import (
    Binary,
    Call,
    Choice,
    Compare,
    Comprehension,
    Constant,
    DictNode,
    Generator,
    Index,
    ListNode,
    Logic,
    Member,
    Name,
    Negative,
    Node,
    Not,
    Slice,
)
from graphagent.graph.functions import FUNCTIONS
from graphagent.graph.plain import (
    ARITHMETIC,
    Budget,
    check_result,
    is_number,
    kind,
    made_list,
    number,
    room_for,
    spend_size,
    spend_steps,
)
from graphagent.graph.suggest import suggest

_Loop = Callable[[Env, Budget, list[Any]], None]

_MISSING: Final = object()
FIRST_SLOT: Final = 2
"""Where the comprehension variables begin in a frame."""


def build(node: Node, text: str) -> Closure:
    """The closure of a tree; `text` is for the messages. It refuses a result of more than 1 MiB."""
    return _Builder(text).result(node)


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text

    def result(self, node: Node) -> Closure:
        """The closure of a node whose value is the result: what the expression made itself is measured.

        What is only read from the environment passes as it is, however large.
        """
        if isinstance(node, Choice):
            return self._choice(node, self.result)
        if isinstance(node, Call) and node.function == "default":
            return self._default(node, self.result)
        inner = self.build(node)
        if not makes_data(node):
            return inner

        def measured(env: Env, frame: Budget) -> Any:
            value = inner(env, frame)
            try:
                if type(value) not in SCALARS:
                    check_result(value)
            except Failure as failure:
                raise placed(failure, node) from None
            return value

        return measured

    def build(self, node: Node) -> Closure:
        """The closure of one node."""
        match node:
            case Constant():
                return _constant(node.value)
            case Name():
                return self._name(node)
            case Member():
                return self._member(node)
            case Index():
                return self._index(node)
            case Slice():
                return self._slice(node)
            case Not() | Negative():
                return self._unary(node)
            case Logic():
                return self._logic(node)
            case Binary():
                return self._binary(node)
            case Compare():
                return self._compare(node)
            case Choice():
                return self._choice(node, self.build)
            case ListNode():
                return self._list(node)
            case DictNode():
                return self._dict(node)
            case Comprehension():
                return self._comprehension(node)
            case Call():
                return self._call(node)

    def _shown(self, node: Node) -> str:
        text = self._text[node.start : node.end]
        return text if len(text) <= 40 else text[:37] + "..."

    def _name(self, node: Name) -> Closure:
        name = node.name
        if node.slot is not None:
            slot = FIRST_SLOT + node.slot
            return lambda env, frame: frame[slot]

        def from_env(env: Env, frame: Budget) -> Any:
            try:
                return env[name]
            except KeyError:
                hint = SCOPE_NAMES.get(name) or f"it has no value yet: `default({name}, ...)`"
                raise EvaluationError(f"`{name}` is not set", node.start, node.end, hint) from None

        return from_env

    def _member(self, node: Member) -> Closure:
        inner, key = self.build(node.value), node.name
        missing = self._missing

        def member(env: Env, frame: Budget) -> Any:
            value = inner(env, frame)
            if type(value) is dict and key in value:
                return value[key]
            raise missing(node, value, key)

        if not isinstance(node.value, Name) or node.value.slot is not None:
            return member
        name = node.value.name

        def member_of_name(env: Env, frame: Budget) -> Any:
            try:
                value = env[name]
                if type(value) is dict:
                    return value[key]
            except KeyError:
                pass
            return member(env, frame)  # which says what is wrong

        return member_of_name

    def _missing(self, node: Member | Index, value: Any, key: str) -> EvaluationError:
        shown = self._shown(node.value)
        if type(value) is dict:
            meant = suggest(key, value)
            hint = f"did you mean `{meant}`?" if meant else "a key that may be missing: `has(...)` or `default(..., x)`"
            return EvaluationError(f"`{shown}` has no field `{key[:40]}`", node.start, node.end, hint)
        if value is None:
            hint = "ask with `has(...)` first, or use `default(..., x)`"
            return EvaluationError(f"`{shown}` is null", node.value.start, node.value.end, hint)
        try:
            what = kind(value)
        except Failure as failure:
            return placed(failure, node.value)
        hint = f"`[x.{key[:40]} for x in {shown}]`" if type(value) is list else ""
        return EvaluationError(f"`{shown}` is {what}, it has no fields", node.start, node.end, hint or None)

    def _index(self, node: Index) -> Closure:
        inner, index = self.build(node.value), self.build(node.key)
        missing = self._missing

        def item(env: Env, frame: Budget) -> Any:
            value, key = inner(env, frame), index(env, frame)
            if type(value) is dict and type(key) is str:
                if key in value:
                    return value[key]
                raise missing(node, value, key)
            if value is None:
                raise missing(node, value, "")
            try:
                return _item(value, key)
            except Failure as failure:
                raise placed(failure, node) from None

        return item

    def _slice(self, node: Slice) -> Closure:
        inner = self.build(node.value)
        lower, upper = (_constant(None) if part is None else self.build(part) for part in (node.lower, node.upper))
        open_low, open_high = node.lower is None, node.upper is None

        def cut(env: Env, frame: Budget) -> Any:
            value, low, high = inner(env, frame), lower(env, frame), upper(env, frame)
            try:
                if type(value) is not list and type(value) is not str:
                    raise Failure(f"{kind(value)} can't be sliced", "lists and texts can")
                if not ((open_low or type(low) is int) and (open_high or type(high) is int)):
                    raise Failure("the bounds of a slice are ints")
                length = len(range(*slice(low, high).indices(len(value))))
                room_for(length, frame) if type(value) is list else spend_size(frame, length)
                return value[low:high]
            except Failure as failure:
                raise placed(failure, node) from None

        return cut

    def _unary(self, node: Not | Negative) -> Closure:
        if isinstance(node, Not):
            test = self._test(node.value, "`not`")
            return lambda env, frame: not test(env, frame)
        inner = self.build(node.value)

        def negative(env: Env, frame: Budget) -> Any:
            value = inner(env, frame)
            try:
                if not is_number(value):
                    raise Failure(f"`-` takes a number, this is {kind(value)}")
                return number(-value)
            except Failure as failure:
                raise placed(failure, node) from None

        return negative

    def _test(self, node: Node, where: str) -> Closure:
        """A closure whose value is a bool, or it raises."""
        inner = self.build(node)
        if isinstance(node, Compare | Not | Logic):
            return inner

        def test(env: Env, frame: Budget) -> Any:
            value = inner(env, frame)
            if value is True or value is False:
                return value
            try:
                what = kind(value)
            except Failure as failure:
                raise placed(failure, node) from None
            hint = "there is no truthiness: compare, `len(xs) > 0`, `x != ''`, `has(x)`"
            raise EvaluationError(f"{where} takes a bool, this is {what}", node.start, node.end, hint)

        return test

    def _logic(self, node: Logic) -> Closure:
        tests = tuple(self._test(value, f"`{node.operator}`") for value in node.values)
        stop = node.operator == "or"

        def logic(env: Env, frame: Budget) -> Any:
            return any(test(env, frame) is stop for test in tests) is stop

        if len(tests) > 2:
            return logic
        left, right = tests
        if stop:
            return lambda env, frame: left(env, frame) or right(env, frame)
        return lambda env, frame: left(env, frame) and right(env, frame)

    def _binary(self, node: Binary) -> Closure:
        left, right, operation = self.build(node.left), self.build(node.right), ARITHMETIC[node.operator]

        def binary(env: Env, frame: Budget) -> Any:
            a, b = left(env, frame), right(env, frame)
            try:
                return operation(a, b, frame)
            except Failure as failure:
                raise placed(failure, node) from None

        return binary

    def _compare(self, node: Compare) -> Closure:
        first = self.build(node.first)
        if len(node.rest) == 1:
            operator, right = node.rest[0]
            if isinstance(right, Constant):
                return compare_constant(node, first, operator, right.value)
        parts = tuple((comparison(operator), self.build(value)) for operator, value in node.rest)

        def compare(env: Env, frame: Budget) -> Any:
            a = first(env, frame)
            try:
                for operation, value in parts:
                    b = value(env, frame)
                    if not operation(a, b, frame):
                        return False
                    a = b
            except Failure as failure:
                raise placed(failure, node) from None
            return True

        return compare

    def _choice(self, node: Choice, build: Callable[[Node], Closure]) -> Closure:
        test, then, other = self._test(node.test, "`if`"), build(node.then), build(node.other)
        return lambda env, frame: then(env, frame) if test(env, frame) else other(env, frame)

    def _list(self, node: ListNode) -> Closure:
        items = tuple(self.build(item) for item in node.items)

        def listed(env: Env, frame: Budget) -> Any:
            try:
                return made_list([item(env, frame) for item in items], frame)
            except Failure as failure:
                raise placed(failure, node) from None

        return listed

    def _dict(self, node: DictNode) -> Closure:
        items = tuple((self.build(key), self.build(value), key) for key, value in node.items)

        def mapping(env: Env, frame: Budget) -> Any:
            out = {}
            for key, value, place in items:
                name = key(env, frame)
                if type(name) is not str:
                    raise EvaluationError("keys are text, this is none", place.start, place.end, "`str(x)`")
                out[name] = value(env, frame)
            try:
                room_for(2 * len(items), frame)
            except Failure as failure:
                raise placed(failure, node) from None
            return out

        return mapping

    def _comprehension(self, node: Comprehension) -> Closure:
        item = self.build(node.item)

        def emit(env: Env, frame: Budget, out: list[Any]) -> None:
            out.append(item(env, frame))

        loop: _Loop = emit
        for generator in reversed(node.generators):
            loop = self._loop(generator, loop)

        def comprehension(env: Env, frame: Budget) -> Any:
            out: list[Any] = []
            loop(env, frame, out)
            try:
                return made_list(out, frame)
            except Failure as failure:
                raise placed(failure, node) from None

        return comprehension

    def _loop(self, generator: Generator, inner: _Loop) -> _Loop:
        source, place = self.build(generator.source), generator.source
        tests = tuple(self._test(test, "`if`") for test in generator.tests)
        slot = FIRST_SLOT + generator.slot

        def loop(env: Env, frame: Budget, out: list[Any]) -> None:
            items = source(env, frame)
            try:
                if type(items) is not list:
                    hint = "`keys(x)` or `values(x)`" if type(items) is dict else None
                    raise Failure(f"`for` goes through a list, this is {kind(items)}", hint)
                spend_steps(frame, len(items))
            except Failure as failure:
                raise placed(failure, place) from None
            for value in items:
                frame[slot] = value
                if all(test(env, frame) for test in tests):
                    inner(env, frame, out)

        return loop

    def _call(self, node: Call) -> Closure:
        if node.function == "has":
            probe = self._probe(node.arguments[0])
            return lambda env, frame: not _absent(probe(env, frame))
        if node.function == "default":
            return self._default(node, self.build)
        function = FUNCTIONS[node.function]
        arguments = tuple(self.build(argument) for argument in node.arguments)

        def call(env: Env, frame: Budget) -> Any:
            values = [argument(env, frame) for argument in arguments]
            try:
                return function(values, frame)
            except Failure as failure:
                raise placed(failure, node) from None

        return call

    def _default(self, node: Call, build: Callable[[Node], Closure]) -> Closure:
        probes = tuple(self._probe(path) for path in node.arguments[:-1])
        last = build(node.arguments[-1])

        def default(env: Env, frame: Budget) -> Any:
            for probe in probes:
                value = probe(env, frame)
                if not _absent(value):
                    return value
            return last(env, frame)

        return default

    def _probe(self, path: Node) -> Closure:
        """A path that may lead nowhere: its closure returns _MISSING then."""
        if isinstance(path, Name):
            if path.slot is not None:
                return self.build(path)
            name = path.name

            def root(env: Env, frame: Budget) -> Any:
                try:
                    return env[name]
                except KeyError:
                    return _MISSING

            return root
        if not isinstance(path, Member | Index):
            raise AssertionError(path)  # the syntax lets only paths through
        inner = self._probe(path.value)
        key = _constant(path.name) if isinstance(path, Member) else self.build(path.key)

        def step(env: Env, frame: Budget) -> Any:
            value = inner(env, frame)
            if value is None or value is _MISSING:
                return _MISSING
            try:
                return _item(value, key(env, frame))
            except Failure:
                return _MISSING

        return step


def _absent(value: Any) -> bool:
    return value is None or value is _MISSING


def _constant(value: Any) -> Closure:
    return lambda env, frame: value


def _item(value: Any, key: Any) -> Any:
    """An item of a list or text, or what an object has under a key."""
    if type(value) is dict:
        if type(key) is not str:
            raise Failure(f"keys are text, this is {kind(key)}")
        if key not in value:
            raise Failure(f"there is no field `{key[:40]}`")
        return value[key]
    if type(value) is not list and type(value) is not str:
        raise Failure(f"{kind(value)} has no items")
    if type(key) is not int:
        hint = "`[x.name for x in xs]`" if type(key) is str and type(value) is list else None
        raise Failure(f"the index of {kind(value)} is an int, this is {kind(key)}", hint)
    if not -len(value) <= key < len(value):
        raise Failure(f"index {key} is out of range, the length is {len(value)}", "ask with `has(...)` or `len(...)`")
    return value[key]
