"""The server that `remote.graph.yaml` calls: a graph of its own behind one MCP tool, over stdio.

It stands for any MCP server. Each call is a session here; its id goes back with the answer, so both sides can be
looked at. Needs the extra `mcp`.
"""

from __future__ import annotations

import pydantic
from mcp.server.mcpserver import MCPServer

import graphagent as ga
from graphagent import X, end

server = MCPServer("lookup")


class Answer(pydantic.BaseModel):
    answer: str
    session: str


def graph() -> ga.Graph:
    """Looks a question up in the archive of this project."""
    g = ga.Graph("lookup", inputs={"question": str}, outputs={"answer": str})
    g.imports(archive="graphagent:archive.library.yaml")
    g.channels(answer=str)
    g.start("look")
    g.tool(
        "look",
        tool="archive.search",
        with_={"query": X("inputs.question"), "limit": 1},
        writes={"answer": X("out[0].text if len(out) > 0 else 'The archive says nothing about it.'")},
    ).next(end)
    return g


@server.tool()
async def ask(question: str) -> Answer:
    """Answers a question from the archive."""
    result = await graph().arun(question=question)
    return Answer(answer=result.outputs["answer"], session=str(result.session.id))


if __name__ == "__main__":
    server.run("stdio")
