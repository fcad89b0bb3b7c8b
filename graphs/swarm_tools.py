"""The tool of `swarm.graph.yaml`: what a member calls to give the talk to another one."""

from __future__ import annotations

from typing import Literal


def hand_over(to: Literal["librarian", "clerk"], why: str) -> str:
    """Hands the conversation over to another member, who goes on with it.

    Args:
        to: Who goes on.
        why: What is left to do, in one sentence.
    """
    return f"{to} goes on: {why}"
