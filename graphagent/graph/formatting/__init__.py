"""One way to write a graph: `graphagent fmt`, and the tree with comments on which `graphagent migrate` works."""
