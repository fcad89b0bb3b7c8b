"""A value of the wrong sort; as a warning, text that looks like a boolean of YAML 1.1.

What: text where a number is expected, a number where text is, a name with a blank in it.
Why: values are never converted behind the author's back. `yes no on off` are text in YAML 1.2.
Example: `timeout: 30`
Instead: `timeout: 30s`
"""

CODE = "GA006"
TITLE = "wrong sort of value"
