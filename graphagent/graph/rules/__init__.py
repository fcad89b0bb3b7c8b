"""One file per check. Each names its `CODE` and `TITLE`; its docstring is the page that `graphagent explain` shows.

`RULES` lists them as strings, so that nothing is imported before it is used. Those that read a document from
the ground up (GA001 to GA007) have no `check`: the reader and the walker find what they describe. Those in `ELSEWHERE`
have none either.
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
    "GA105": "graphagent.graph.rules.unused_name",
    "GA106": "graphagent.graph.rules.graph_recursion",
    "GA107": "graphagent.graph.rules.override",
    "GA108": "graphagent.graph.rules.unknown_function",
    "GA201": "graphagent.graph.rules.expression_syntax",
    "GA202": "graphagent.graph.rules.expression_construct",
    "GA203": "graphagent.graph.rules.unknown_root",
    "GA204": "graphagent.graph.rules.unknown_field",
    "GA205": "graphagent.graph.rules.operand_types",
    "GA206": "graphagent.graph.rules.guard_not_bool",
    "GA207": "graphagent.graph.rules.bare_field",
    "GA208": "graphagent.graph.rules.scope",
    "GA209": "graphagent.graph.rules.constant_guard",
    "GA301": "graphagent.graph.rules.written_type",
    "GA302": "graphagent.graph.rules.reducer_type",
    "GA303": "graphagent.graph.rules.default_type",
    "GA304": "graphagent.graph.rules.arguments",
    "GA305": "graphagent.graph.rules.outputs",
    "GA306": "graphagent.graph.rules.unset_read",
    "GA307": "graphagent.graph.rules.map_items",
    "GA308": "graphagent.graph.rules.loose_schema",
    "GA309": "graphagent.graph.rules.import_contract",
    "GA310": "graphagent.graph.rules.unwritten_output",
    "GA401": "graphagent.graph.rules.unreachable_node",
    "GA402": "graphagent.graph.rules.no_end",
    "GA403": "graphagent.graph.rules.exhaustive_routes",
    "GA404": "graphagent.graph.rules.dead_route",
    "GA405": "graphagent.graph.rules.unbounded_cycle",
    "GA406": "graphagent.graph.rules.parallel_writers",
    "GA407": "graphagent.graph.rules.joins",
    "GA408": "graphagent.graph.rules.join_count",
    "GA409": "graphagent.graph.rules.shared_event",
    "GA410": "graphagent.graph.rules.repeatable_write",
    "GA411": "graphagent.graph.rules.error_cycle",
    "GA412": "graphagent.graph.rules.error_kind_never",
    "GA413": "graphagent.graph.rules.endless_wait",
    "GA414": "graphagent.graph.rules.delegate_recursion",
    "GA415": "graphagent.graph.rules.withdrawn_write",
    "GA416": "graphagent.graph.rules.limit_path",
    "GA417": "graphagent.graph.rules.held_barrier",
    "GA501": "graphagent.graph.rules.template_variables",
    "GA502": "graphagent.graph.rules.template_fields",
    "GA503": "graphagent.graph.rules.template_file",
    "GA504": "graphagent.graph.rules.template_unused",
    "GA505": "graphagent.graph.rules.template_words",
    "GA506": "graphagent.graph.rules.agent_tool",
    "GA507": "graphagent.graph.rules.exposed_name",
    "GA508": "graphagent.graph.rules.many_tools",
    "GA509": "graphagent.graph.rules.fallback_cycle",
    "GA510": "graphagent.graph.rules.structured_output",
    "GA511": "graphagent.graph.rules.history_window",
    "GA512": "graphagent.graph.rules.builder_callable",
    "GA601": "graphagent.graph.rules.secret_flow",
    "GA602": "graphagent.graph.rules.literal_key",
    "GA603": "graphagent.graph.rules.no_sandbox",
    "GA604": "graphagent.graph.rules.reducer_mark",
    "GA605": "graphagent.graph.rules.cached_write",
    "GA606": "graphagent.graph.rules.session_plan",
    "GA607": "graphagent.graph.rules.effects_promise",
    "GA608": "graphagent.graph.rules.trio_mark",
    "GA609": "graphagent.graph.rules.pure_timeout",
}
SILENCEABLE: Final = frozenset({"GA406", "GA407", "GA409"})
"""Errors that `# graphagent: allow CODE reason` silences; it silences every warning."""
ELSEWHERE: Final = frozenset({"GA512", "GA606"})
"""What no text alone can have: only the builder finds GA512, and GA606 needs a session."""
