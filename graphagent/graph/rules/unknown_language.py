"""Unknown `apiVersion` or `kind`.

What: the document or a node is of a version or kind that this release doesn't know.
Why: guessing what was meant would run something else than what was written.
Example: `kind: agnt`
Instead: `kind: llm`
"""

CODE = "GA001"
TITLE = "unknown `apiVersion` or `kind`"
