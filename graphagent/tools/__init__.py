"""What the entries of a graph's `tools` stand for: functions of the project, MCP servers, OpenAPI documents."""
