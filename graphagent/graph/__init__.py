"""The language: from YAML text to a checked plan."""
