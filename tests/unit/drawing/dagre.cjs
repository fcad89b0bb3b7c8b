// The oracle of test_crossings.py. `npm install @dagrejs/dagre@3.1.3` somewhere, set NODE_PATH to its node_modules, then
// python -m tests.unit.drawing.test_crossings | node tests/unit/drawing/dagre.cjs > tests/golden/dagre.json
const dagre = require("@dagrejs/dagre");

/** Whether two stretches cross inside both. */
function cross([p, q], [r, s]) {
  const side = (a, b, c) => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  return side(p, q, r) * side(p, q, s) < 0 && side(r, s, p) * side(r, s, q) < 0;
}

function crossings({ nodes, edges }) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB" });
  for (const [id, width, height] of nodes) graph.setNode(id, { width, height });
  for (const [id, from, to, width, height] of edges) graph.setEdge(from, to, { width, height, labelpos: "c" }, id);
  dagre.layout(graph);
  const lines = graph.edges().map((edge) => graph.edge(edge).points);
  const stretches = lines.map((points) => points.slice(1).map((point, i) => [points[i], point]));
  let count = 0;
  for (let i = 0; i < stretches.length; i++)
    for (let k = i + 1; k < stretches.length; k++)
      for (const one of stretches[i]) for (const other of stretches[k]) count += cross(one, other);
  return count;
}

const diagrams = JSON.parse(require("fs").readFileSync(0, "utf8"));
const counts = Object.entries(diagrams).map(([name, diagram]) => [name, crossings(diagram)]);
process.stdout.write(JSON.stringify(Object.fromEntries(counts), null, 1) + "\n");
