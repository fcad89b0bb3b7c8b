"""For tests of graphs: the scripted model, and a model server that fails on demand.

from graphagent.testing import ModelServer, Reply, ScriptedModel, Turn
"""

from graphagent.llm.script_file import Script, load_script, parse_script
from graphagent.llm.scripted import EchoModel, ScriptedModel, Turn
from graphagent.testing.model_server import ModelServer, Received, Reply

__all__ = [
    "EchoModel",
    "ModelServer",
    "Received",
    "Reply",
    "Script",
    "ScriptedModel",
    "Turn",
    "load_script",
    "parse_script",
]
