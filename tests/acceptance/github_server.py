"""Stands in for the MCP server that the example `react_assistant` starts with npx. Its token has to be there."""

from __future__ import annotations

import os

import pydantic
from mcp.server.mcpserver import MCPServer

server = MCPServer("github")


class Issue(pydantic.BaseModel):
    number: int
    title: str


class Issues(pydantic.BaseModel):
    items: list[Issue]


@server.tool()
def search_issues(query: str) -> Issues:
    """Finds issues."""
    assert os.environ["GITHUB_TOKEN"] == "token"
    return Issues(items=[Issue(number=7, title=f"About the {query}")])


@server.tool()
def create_issue(title: str, body: str, labels: list[str]) -> Issue:
    """Files an issue."""
    return Issue(number=8, title=title)


if __name__ == "__main__":
    server.run("stdio")
