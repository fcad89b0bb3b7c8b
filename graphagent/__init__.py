"""graphagent."""
