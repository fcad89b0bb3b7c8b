"""The node kinds, one file each. A kind reaches everything outside itself through `ports.Task`."""
