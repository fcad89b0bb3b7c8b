"""A function that the Python builder can't name.

What: `python=` got a lambda, a function defined inside of another one, a method, or a function of a notebook.
Why: a plan names its functions as `module:name`, so that any process can import and run them, after a crash too.
Example: `g.code("split", python=lambda text: text.split())`
Instead: `g.code("split", python=split)`, with `def split(text)` at the top of a module.
"""

from __future__ import annotations

CODE = "GA512"
TITLE = "function without a name to import it by"
