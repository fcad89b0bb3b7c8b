"""The file is too big, too deep, blown up by aliases, or uses tags or merge keys.

What: at most 1 MiB of UTF-8, 64 levels, 200,000 pieces, 10,000 aliased values; no `!tag`, no `<<`.
Why: a few lines of YAML can stand for billions of values; tags name types of a programming language.
Example: `<<: *defaults`
Instead: the key `defaults`, or a sub-graph
"""

CODE = "GA007"
TITLE = "budget of the file, tag or merge key"
