"""Where the content of artifacts is kept: implementations of `ports.Artifacts`.

Content stands under its SHA-256, one copy a family of sessions. What it is called is a label in the store's rows.
"""
