"""Real servers for tests and examples. Each starts on 127.0.0.1 in a folder of its own and ends with its block."""
