"""The small local model: SmolLM2, run by llama.cpp's HTTP server in a child process.

model     the model port: starts the server with the first call, then talks to it as to any other
server    the one child process of this process
child     what runs in it
install   where the weights are, and how they get there; `weights.toml` pins them
"""
