"""A key that is needed and missing, or not exactly one of several.

What: every node needs `kind` and `next`, a route needs `to`, and each kind has keys of its own that it needs.
Why: there is no sensible default for them.
Example: `write: { kind: llm, next: end }`
Instead: `write: { kind: llm, prompt: "Write it.", next: end }`
"""

CODE = "GA005"
TITLE = "missing key"
