"""From one version of the language to the next: a chain of pure functions from tree to tree.

A new version adds its step: a file `vN_to_vM.py` with a function from the tree of `formatting`, which has comments
and order, to another; a line in `STEPS`; its old version in `versions.OLDER`; golden pairs. There is none yet.
"""

from __future__ import annotations

from typing import Final

from graphagent.graph.migrations.chain import Step

STEPS: Final[tuple[Step, ...]] = ()
