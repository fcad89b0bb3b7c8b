"""Which sessions a worker takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphagent.errors import InputInvalid
from graphagent.snapshot import SessionRow


@dataclass(frozen=True, slots=True)
class Placement:
    """The sessions that a worker takes: all, or those of some graphs, or with some labels.

    A label `k=v` of a worker is a tag `k=v` of a session. A session has to have one value of each key that is named.

    Attributes:
        graphs: Names of graphs; all if there are none.
        labels: By key the values that are taken.
    """

    graphs: frozenset[str] = frozenset()
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def everything(self) -> bool:
        return not self.graphs and not self.labels

    def takes(self, row: SessionRow) -> bool:
        """Whether a session is one of those."""
        if self.graphs and row.graph not in self.graphs:
            return False
        return all(any(f"{key}={value}" in row.tags for value in values) for key, values in self.labels.items())

    def __str__(self) -> str:
        named = [f"graph {', '.join(sorted(self.graphs))}"] if self.graphs else []
        named += [f"{key}={value}" for key, values in sorted(self.labels.items()) for value in sorted(values)]
        return ", ".join(named)


def read_labels(texts: Iterable[str]) -> dict[str, frozenset[str]]:
    """Labels as people write them: `k=v`; the same key twice takes both values.

    Raises:
        InputInvalid: one isn't of this form.
    """
    out: dict[str, frozenset[str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value or text != "".join(text.split()):
            hint = f"did you mean {text.strip()}=VALUE?" if not equals and text.strip() else "such as gpu=a100"
            raise InputInvalid("--label", f"{text!r} is no label k=v", hint=hint)
        out[key] = out.get(key, frozenset()) | {value}
    return out
