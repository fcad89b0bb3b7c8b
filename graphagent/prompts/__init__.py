"""Prompts: Jinja2 in a sandbox, rendered once and within caps."""
