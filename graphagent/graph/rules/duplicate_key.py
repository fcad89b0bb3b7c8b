"""A key that stands twice in one mapping, or a node named twice in one fork.

What: both places are shown.
Why: YAML would drop one of the two without a word.
Example: two nodes called `write`
Instead: give one of them another name
"""

CODE = "GA003"
TITLE = "duplicate key"
