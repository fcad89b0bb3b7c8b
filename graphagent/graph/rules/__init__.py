"""One file per check. Each names its `CODE` and `TITLE`; its docstring is the page that `graphagent explain` shows.

`RULES` lists them as strings, so that nothing is imported before it is used. Those that read a document from
the ground up (GA001 to GA007) have no `check`: the reader and the walker find what they describe. GA512 has none
either: only the builder can find it.
"""

from __future__ import annotations

from typing import Final

RULES: Final[dict[str, str]] = {
    "GA001": "graphagent.graph.rules.unknown_language",
    "GA002": "graphagent.graph.rules.yaml_syntax",
    "GA003": "graphagent.graph.rules.duplicate_key",
    "GA004": "graphagent.graph.rules.unknown_key",
    "GA005": "graphagent.graph.rules.missing_key",
    "GA006": "graphagent.graph.rules.wrong_scalar",
    "GA007": "graphagent.graph.rules.budget",
    "GA101": "graphagent.graph.rules.unknown_node",
    "GA102": "graphagent.graph.rules.unknown_channel",
    "GA103": "graphagent.graph.rules.unknown_name",
    "GA104": "graphagent.graph.rules.reserved_name",
    "GA106": "graphagent.graph.rules.graph_recursion",
    "GA108": "graphagent.graph.rules.unknown_function",
    "GA201": "graphagent.graph.rules.expression_syntax",
    "GA202": "graphagent.graph.rules.expression_construct",
    "GA203": "graphagent.graph.rules.unknown_root",
    "GA204": "graphagent.graph.rules.unknown_field",
    "GA205": "graphagent.graph.rules.operand_types",
    "GA206": "graphagent.graph.rules.guard_not_bool",
    "GA207": "graphagent.graph.rules.bare_field",
    "GA208": "graphagent.graph.rules.scope",
    "GA301": "graphagent.graph.rules.written_type",
    "GA302": "graphagent.graph.rules.reducer_type",
    "GA303": "graphagent.graph.rules.default_type",
    "GA304": "graphagent.graph.rules.arguments",
    "GA305": "graphagent.graph.rules.outputs",
    "GA306": "graphagent.graph.rules.unset_read",
    "GA307": "graphagent.graph.rules.map_items",
    "GA401": "graphagent.graph.rules.unreachable_node",
    "GA402": "graphagent.graph.rules.no_end",
    "GA403": "graphagent.graph.rules.exhaustive_routes",
    "GA404": "graphagent.graph.rules.dead_route",
    "GA405": "graphagent.graph.rules.unbounded_cycle",
    "GA406": "graphagent.graph.rules.parallel_writers",
    "GA407": "graphagent.graph.rules.joins",
    "GA501": "graphagent.graph.rules.template_variables",
    "GA503": "graphagent.graph.rules.template_file",
    "GA512": "graphagent.graph.rules.builder_callable",
}
SILENCEABLE: Final = frozenset({"GA406", "GA407", "GA409"})
"""Errors that `# graphagent: allow CODE reason` silences; it silences every warning."""
