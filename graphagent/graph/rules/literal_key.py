"""A key that stands in the file.

What: a text that looks like an API key, a token or a private key.
Why: the file is shared and kept in version control, and the plan is stored with every session.
Example: `api_key: sk-proj-...`
Instead: `secrets: [API_KEY]` and `api_key: "${ secrets.API_KEY }"`
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphagent.graph.analysis import GraphAnalysis
from graphagent.graph.diagnostics import Diagnostic
from graphagent.graph.reader import scalars

CODE = "GA602"
TITLE = "literal that looks like a key"
_KEYS = re.compile(
    r"\bsk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}"
    r"|\bglpat-[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{35}"
    r"|\bhf_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
)
"""Forms of keys that their issuers publish, so that scanners can find them."""


def check(graph: GraphAnalysis) -> Iterator[Diagnostic]:
    root = graph.whole.document.root
    if graph.graph.name or root is None:
        return
    for scalar, path in scalars(root, ()):
        found = _KEYS.search(scalar.text) if isinstance(scalar.value, str) else None
        if found is not None:
            span = graph.whole.document.locate(scalar, found.start(), found.end())
            help = "name it under `secrets`, and write `${ secrets.NAME }`; a key that was shared must be replaced"
            yield graph.whole.finding(CODE, "this looks like a key", path, span, help=help)
