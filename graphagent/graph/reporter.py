"""Findings with their place: what every check has at hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphagent.graph.diagnostics import Diagnostic, Edit, Fix, Severity, Span, show_path
from graphagent.graph.document import Document, Scalar
from graphagent.graph.project import Project
from graphagent.graph.spec import Path, Spec
from graphagent.graph.suggest import suggest


class Reporter:
    """Makes findings about a spec, and knows where in the document its parts stand.

    Args:
        spec: What was read.
        document: Where it was read from.
        project: Where prompts and functions are looked up; None skips the rules that need it.
    """

    def __init__(self, spec: Spec, document: Document, project: Project | None) -> None:
        self.spec = spec
        self.document = document
        self.project = project

    def finding(self, code: str, message: str, path: Path, span: Span | None = None, **more: Any) -> Diagnostic:
        """A finding at the value at `path`, or at `span`; an error unless `severity` says otherwise."""
        severity: Severity = more.pop("severity", "error")
        return Diagnostic(code, severity, message, span or self.document.span(path), show_path(path), **more)

    def at_key(self, code: str, message: str, path: Path, **more: Any) -> Diagnostic:
        """A finding at the key at the end of `path`."""
        return self.finding(code, message, path, self.document.key_span(path), **more)

    def guess(
        self, word: str, candidates: Iterable[str], span: Span | None, otherwise: str | None = None
    ) -> dict[str, Any]:
        """`help` and `fix` for a name that doesn't exist, as keywords of `finding`."""
        meant = suggest(word, candidates)
        if meant is None:
            return {"help": otherwise}
        fix = Fix(f"replace by `{meant}`", (Edit(span, meant),)) if span and self.document.source.text else None
        return {"help": f"did you mean `{meant}`?", "fix": fix}

    def scalar(self, path: Path) -> Scalar | None:
        found = self.document.node(path)
        return found if isinstance(found, Scalar) else None
