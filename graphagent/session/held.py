"""What a session holds, and whether a graph's file has a place for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphagent.graph.compatibility import conflicts
from graphagent.graph.plan import Plan
from graphagent.graph.rules.session_plan import findings
from graphagent.ids import SessionId
from graphagent.session.graph_file import GraphFile
from graphagent.session.host import Host
from graphagent.session.reading import checkpoint_at
from graphagent.snapshot import Control, SessionRow


@dataclass(frozen=True, slots=True)
class Held:
    """A session as it stands: its plan, and where control is at its newest snapshot."""

    session: SessionId
    snapshot: int
    plan: Plan
    control: Control

    def against(self, file: GraphFile) -> GraphFile:
        """The file with a finding for each reason why the session can't go on with it; none for one with errors."""
        if file.plan is None:
            return file
        found = findings(conflicts(self.plan, file.plan, self.control), file.document)
        return replace(file, diagnostics=[*file.diagnostics, *found])


async def held(host: Host, row: SessionRow) -> Held:
    """What a session holds at its head. Raises NotFound."""
    plan = await host.plan_of(row)
    checkpoint = await checkpoint_at(host.store, row, row.head_superstep)
    return Held(row.session, row.head_superstep, plan, await host.control_at(row, plan, checkpoint))
