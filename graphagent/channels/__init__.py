"""Channels: typed, versioned values that only a superstep changes."""
