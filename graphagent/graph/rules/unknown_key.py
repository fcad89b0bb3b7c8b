"""A key that means nothing here.

What: the language has no such key, it belongs to another kind of node, or this release doesn't support it yet.
Why: a misspelt key that is ignored would silently change what the graph does.
Example: `promt: "Hello"`
Instead: `prompt: "Hello"`
"""

CODE = "GA004"
TITLE = "unknown key"
