"""Jinja2 cut down to plain data: `x.y` is a key, only macros are called, and every construct that makes data pays.

Source for the sandbox it stands on: https://jinja.palletsprojects.com/en/stable/sandbox/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MethodType
from typing import Any, Final

from jinja2 import FunctionLoader, StrictUndefined, TemplateSyntaxError, Undefined, nodes, pass_context
from jinja2.environment import Template as Compiled
from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.visitor import NodeTransformer

from graphagent.graph.importing.renaming import beside
from graphagent.graph.plain import ARITHMETIC
from graphagent.graph.plan import Template
from graphagent.graph.template_syntax import parse_template
from graphagent.graph.template_words import LOOP_CALLS, LOOP_FIELDS, TESTS
from graphagent.prompts.budget import TooMuch, left, spend, spend_steps, spend_value, weigh
from graphagent.prompts.filters import FILTER_TABLE

_BASE: Final = "/base"
"""The name of the template whose blocks are replaced; no file is called that."""
Files = tuple[tuple[str, str], ...]
"""The texts that `include` and the like find, by name."""


def _looped(items: Any) -> Any:
    """What a loop goes through, paid for."""
    if isinstance(items, str | list | dict | tuple):
        spend_steps(len(items))
        return items
    if isinstance(items, Iterator):
        return _counted(items)
    if isinstance(items, Undefined):
        return items
    raise TooMuch(f"a loop goes through a list, this is {type(items).__name__}")


def _counted(items: Iterator[Any]) -> Iterator[Any]:
    for item in items:
        spend_steps()
        yield item


def _weighed(value: Any) -> Any:
    """A value that is compared."""
    weigh(value)
    return value


def _made(value: Any) -> Any:
    """A list or object that the template makes; its parts count each time that they are in it."""
    spend_value(value)
    return value


def _joined(*parts: Any) -> str:
    """`a ~ b`."""
    for part in parts:
        if not isinstance(part, str):
            spend_value(part)
    texts = list(map(str, parts))
    spend(sum(map(len, texts)))
    return "".join(texts)


_HOOKS: Final = {"_looped": _looped, "_weighed": _weighed, "_made": _made, "_joined": _joined, "_step": spend_steps}
"""What compiled templates call. No template can name them: its names don't begin with `_`."""


class _Priced(NodeTransformer):
    """Puts the hooks where data is made."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = _call("_looped", node.iter)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _call("_weighed", node.expr)
        for operand in node.ops:
            operand.expr = _call("_weighed", operand.expr)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _call("_joined", *node.nodes)

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _call("_made", node)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _call("_made", node)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _call("_made", nodes.List(node.items)) if node.ctx == "load" else node

    def visit_TemplateData(self, node: nodes.TemplateData) -> nodes.Node:
        """Text between the tags, which a loop inside of a macro can repeat."""
        return nodes.Const(node.data)

    def _enter(self, node: Any) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_call("_step")))
        return node  # type: ignore[no-any-return]

    visit_Template = visit_Macro = visit_Block = _enter


def _call(hook: str, *arguments: Any) -> nodes.Call:
    return nodes.Call(nodes.Name(hook, "load"), list(arguments), [], None, None)


@pass_context
def _written(context: Any, value: Any) -> Any:
    """What `{{ }}` writes."""
    if isinstance(value, str | list | dict):
        spend_value(value)
    elif not isinstance(value, int | float | Undefined) and value is not None:
        raise TooMuch(f"a {type(value).__name__} has no text")
    return value


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(ARITHMETIC) | {"**"}

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__(
            undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False, optimized=False,
            finalize=_written, loader=FunctionLoader(files.get),
        )  # fmt: skip
        self.filters = dict(FILTER_TABLE)
        self.tests = {name: JINJA_TESTS[name] for name in TESTS}
        self.globals = dict(_HOOKS)

    def call_binop(self, context: Any, operator: str, left_side: Any, right_side: Any) -> Any:
        """Arithmetic of expressions: `+` joins texts and lists, the others take numbers."""
        for side in (left_side, right_side):
            if isinstance(side, Undefined):
                str(side)  # which raises, and says what is missing
        if operator not in ARITHMETIC:
            raise TooMuch(f"`{operator}` is not allowed")
        return ARITHMETIC[operator](left_side, right_side, left())

    def join_path(self, template: str, parent: str) -> str:
        """The name of what a template includes: that of an imported file is looked up where that file is from."""
        return template if template.endswith(_BASE) else beside(parent, template)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`x.y`: a key of an object, never an attribute of Python's."""
        if isinstance(obj, LoopContext) and (attribute in LOOP_FIELDS or attribute in LOOP_CALLS):
            return getattr(obj, attribute)
        if isinstance(obj, TemplateModule) and not attribute.startswith("_"):
            return vars(obj).get(attribute, self.undefined(obj=obj, name=attribute))
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`x[y]`: a key of an object, an item of a list, a letter of a text."""
        if isinstance(obj, Undefined):
            str(obj)  # which raises, and says what is missing
        if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        if isinstance(obj, list | str | tuple) and type(argument) is int and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:
        """Macros, `super`, and two methods of `loop`."""
        if isinstance(obj, Macro | BlockReference) or obj in _HOOKS.values():
            return True
        own = isinstance(obj, MethodType) and isinstance(obj.__self__, LoopContext)
        return own and obj.__name__ in LOOP_CALLS

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        for problem in parse_template(source).problems:
            line = source.count("\n", 0, problem.start) + 1
            raise TemplateSyntaxError(problem.message, line, name, filename)
        tree: nodes.Template = _Priced().visit(super()._parse(source, name, filename))
        for node in tree.find_all(nodes.Node):
            node.lineno = getattr(node, "lineno", None) or 1
        return tree.set_environment(self)  # type: ignore[return-value]


@lru_cache(maxsize=32)
def _environment(files: Files) -> _Environment:
    return _Environment(dict(files))


@lru_cache(maxsize=256)
def compiled(template: Template, files: Files = ()) -> Compiled:
    """A compiled template; the texts for its blocks make a template that extends it.

    Raises:
        TemplateSyntaxError: it can't be read, or has what isn't allowed.
    """
    if not template.blocks:
        return _named(_environment(files), template.text, template.file)
    blocks = [f"{{% block {name} %}}{text}{{% endblock %}}" for name, text in dict(template.blocks).items()]
    base = beside(template.file, _BASE)
    environment = _environment((*files, (base, template.text)))
    return _named(environment, f"{{% extends '{base}' %}}" + "".join(blocks), template.file)


def _named(environment: _Environment, text: str, name: str) -> Compiled:
    made: Compiled = Compiled.from_code(environment, environment.compile(text, name or None), environment.globals)
    return made
