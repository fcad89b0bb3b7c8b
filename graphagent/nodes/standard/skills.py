"""`std.skills`: instructions for special work, of which the model sees the names until it reads one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphagent.graph.skills import Skill
from graphagent.graph.types import LiteralOf
from graphagent.nodes.standard.offer import StandardTool, Told, standard_tool
from graphagent.ports import Task
from graphagent.snapshot import UNSET

ABOUT = "Read a skill: instructions for a special kind of work. Read it before you begin work of that kind."
HEADING = "Skills that you can read with read_skill before you do such work:"


def skills_offers(skills: Sequence[Skill]) -> list[StandardTool]:
    """`read_skill`: the text of one; none without skills."""
    texts = {skill.name: skill.text for skill in skills}

    async def read(task: Task, arguments: dict[str, Any]) -> Told:
        return Told(texts[arguments["name"]])

    fields = {"name": (LiteralOf(tuple(texts)), UNSET)}
    return [standard_tool("read_skill", ABOUT, fields, read)] if texts else []


def listed(skills: Sequence[Skill]) -> str:
    """What the system text says of them; empty without skills."""
    lines = [f"- {skill.name}: {skill.description}" for skill in skills]
    return "\n".join([HEADING, *lines]) if lines else ""
