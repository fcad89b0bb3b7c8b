"""For tests of graphs: the scripted model, a model server that fails on demand, and a simulated world.

from graphagent.testing import ModelServer, Reply, ScriptedModel, Turn, simulate
"""

from graphagent.llm.script_file import Script, load_script, parse_script
from graphagent.llm.scripted import EchoModel, ScriptedModel, Turn
from graphagent.testing.faulty_store import Faults
from graphagent.testing.model_server import ModelServer, Received, Reply
from graphagent.testing.world import Simulated, SimulationFailed, simulate

__all__ = [
    "EchoModel",
    "Faults",
    "ModelServer",
    "Received",
    "Reply",
    "Script",
    "ScriptedModel",
    "Simulated",
    "SimulationFailed",
    "Turn",
    "load_script",
    "parse_script",
    "simulate",
]
