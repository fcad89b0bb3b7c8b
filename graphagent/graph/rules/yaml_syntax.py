"""YAML syntax.

What: the text is not YAML 1.2.
Why: a graph is a YAML file. Most of these errors come from text that needs quotes: `${ }`, `list[str]` and guards
with a comma or a `: ` inside of `{ }` do.
Example: `with: { x: ${ a.b } }`
Instead: `with: { x: "${ a.b }" }`
"""

CODE = "GA002"
TITLE = "YAML syntax"
