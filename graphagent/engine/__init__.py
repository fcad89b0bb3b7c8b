"""The superstep engine: a pure core, the loop around it, the journal, and replay."""
