"""What each key of the language means, for `graphagent explain KEY`. A test holds it to the tables in `keys`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graphagent.graph import keys
from graphagent.graph.keys import Shape


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One key at one place: `where` it stands, what may be written there, and what it means."""

    where: str
    key: str
    form: str
    default: str
    meaning: str
    required: bool

    @property
    def text(self) -> str:
        """The page as people read it."""
        needed = "required" if self.required else f"default: {self.default or 'none'}"
        return f"`{self.key}` of {self.where}\n  {self.form}; {needed}\n  {self.meaning}"


def pages_of(key: str) -> list[KeyPage]:
    """The pages of a key, one for each place where it may stand."""
    return [page for page in all_pages() if page.key == key]


def describe(shape: Shape, key: str) -> str | None:
    """What a key means in a table, or in the one that most of a joined table comes from."""
    inside = [
        (len(found), where) for where, (found, _) in TABLES.items() if key in found and found.items() <= shape.items()
    ]
    if not inside:
        return None
    where = max(inside)[1]
    return next(page.meaning for page in pages_of(key) if page.where == where)


def all_pages() -> list[KeyPage]:
    """The pages of all keys, in the order of the language."""
    out = []
    for where, (shape, rows) in TABLES.items():
        for row in rows.strip().splitlines():
            key, form, default, meaning = (part.strip() for part in row.split(" | "))
            entry = shape[key]
            default = "" if default == "-" else default
            out.append(KeyPage(where, key, form, default, meaning, entry.required))
    return out


TABLES: Final[Mapping[str, tuple[Shape, str]]] = {
    "the document": (keys.DOCUMENT, """
apiVersion | `graphagent/v1` | - | The version of this language.
kind | `Graph` or `Library` | - | A library has no `start`, `nodes` and `result`: it only offers names to importers.
metadata | mapping | - | The graph's name, version, description and labels.
imports | name -> path or mapping | {} | Other files; their names are used as `imp.name`, an imported graph as `imp`.
types | name -> object type | {} | Named object types: `Doc: { id: str, text: str }`.
secrets | list of names | [] | Names that the host must supply; usable only under `models` and `tools`.
models | name -> `provider/model` or mapping | {} | The models that nodes call.
tools | name -> mapping | {} | The tools that agents and tool nodes call.
prompts | name -> template or mapping | {} | Templates that several nodes use, and that an importer may override.
inputs | name -> type | {} | What a run is given; an input may have a default: `depth: "int = 2"`.
outputs | name -> type | {} | What a run gives back.
channels | name -> type or mapping | {} | The state: typed values that nodes read and write.
defaults | mapping | {} | `retry`, `timeout`, `model` and `on_error` for all nodes of this graph.
limits | mapping | {} | Bounds on one run.
start | name or list of names | - | The first node; a list is a fork.
nodes | name -> node | - | The nodes. Their order is the order in which writes are merged.
graphs | name -> graph | {} | Sub-graphs. They see the types, models, tools and prompts, never the channels and inputs.
result | output -> value | the channel of the same name | Evaluated when the last token is gone; a failed run has none.
"""),
    "`metadata`": (keys.METADATA, """
name | small letters, digits and `-` | - | The name of the graph; part of the plan's hash.
version | text | - | For people; the engine never reads it.
description | text | - | For people and drawings.
labels | name -> text | {} | For people and tools; the engine never reads them.
"""),
    "an import": (keys.IMPORT, """
from | path | - | Relative to this file; `graphagent:x.graph.yaml` is a ready-made graph.
override | mapping | {} | Replaces names inside of the import; each has to exist there.
"""),
    "`override`": (keys.OVERRIDE, """
models | name -> model | {} | Other models.
tools | name -> tool | {} | Other tools.
prompts | name -> prompt | {} | Other prompts, or `blocks` that fill those of the prompt.
defaults | mapping | {} | Other defaults.
graphs | name -> name | {} | Other sub-graphs, with the same inputs and outputs.
"""),
    "a channel": (keys.CHANNEL, """
type | type | - | The type of its value; in the short form of a channel the type alone.
reducer | name or `pkg.mod:fn` | last | Folds one superstep: last first append union merge sum min max messages.
default | literal | the reducer's neutral value, else unset | The value before the first write.
scope | `step`, `run` or `session` | run | How long a value lives: one superstep, one run, or from run to run.
secret | bool | false | Redacted in every event, span and view; it may not reach a prompt.
description | text | - | Shown in drawings and schemas.
"""),
    "a model": (keys.MODEL, """
use | `provider/model` | - | In the short form of a model this alone; `scripted/NAME` takes recorded answers.
temperature | number | the provider's | Passed to the model.
params | mapping | {} | Passed through unchanged; part of the key under which an answer is recorded.
fallback | list of models | [] | Tried in order when retries are spent on `rate_limit`, `unavailable` or `timeout`.
base_url | value | the provider's | May use `secrets`.
api_key | value | the provider's environment variable | May use `secrets`.
"""),
    "a tool": (keys.TOOL, """
python | `pkg.mod:fn` | one of five | A function: its signature gives the schema, its docstring the description.
mcp | mapping | one of five | A server of tools, called `name.tool`.
openapi | path or URL | one of five | Operations, called `name.operationId`. A URL ends in `#sha256=` and a hash.
graph | name | one of five | A graph; it runs as a child session.
client | `{ params, returns }` | one of five | Run by whoever called us: it waits until the answer comes.
only | list of names | all | Which tools or operations are shown.
about | text | docstring | The description shown to the model.
effects | pure, read or write; or tool -> class | write | What a call does, and so whether it may be repeated.
idempotency_key | value over `args` and `run` | - | Makes it safe to repeat a write.
check | `pkg.mod:fn` | - | A read that is asked after a crash whether a write happened.
"""),
    "`mcp` of a tool": (keys.MCP, """
command | list of texts | one of two | Starts the server; the setting `tools.allow_commands` has to have the same words.
env | name -> value | {} | Its environment; may use `secrets`.
url | value | one of two | Where the server is; may use `secrets`.
headers | name -> value | {} | Sent with each request; may use `secrets`.
"""),
    "`client` of a tool": (keys.CLIENT, """
params | name -> type | {} | What the caller is given.
returns | type | any | What the caller gives back.
"""),
    "a prompt": (keys.PROMPT, """
text | template | one of three | The template; a prompt that is just text means this.
file | path | one of three | Looked up in the folder of the graph, then in the project.
use | name | one of three | A prompt under `prompts`; only in a node.
vars | name -> type | - | A contract for what `with` must give.
blocks | name -> template | {} | Fills the blocks of the prompt; with `use`, or in an override.
"""),
    "`defaults`": (keys.DEFAULTS, """
retry | mapping | one attempt | For agent, llm, tool and code nodes, in sub-graphs too.
timeout | duration | - | For one attempt of agent, llm, tool and code nodes, in sub-graphs too.
model | name | - | The model of llm and agent nodes that name none.
on_error | name or list of routes | - | Where failed nodes of this graph lead that have no route of their own.
"""),
    "`limits`": (keys.LIMITS, """
supersteps | int | - | How many supersteps a run may take; needed where a cycle has no other bound.
tokens | int | - | Tokens of models, child sessions included; checked before every model call.
cost_usd | number | - | Cost in US dollars, child sessions included; checked before every model call.
wall | duration | - | Time from the run's start, waiting included.
visits | node -> int | {} | How often a node may run.
map_items | int | 1000 | The longest list that a map may go through.
on_limit | name | the run fails with `limit` | All tokens are withdrawn, and one is placed at this node.
"""),
    "a route": (keys.ROUTE, """
when | expression | true | Must be bool; a route without it is the else, and the last.
to | name or list of names | - | Where the token goes; a list forks. `end` ends it, `fail` ends the run as failed.
writes | channel -> value | {} | Applied after the merge when this route is taken.
label | text | the guard | For drawings and events.
"""),
    "`retry`": (keys.RETRY, """
max | int | 1 | Attempts in all, the first included.
on | list of error kinds | timeout, rate_limit, unavailable | Which failures are tried again.
backoff | `fixed` or `exponential` | exponential | Exponential doubles the delay each time.
delay | duration | 1s | Before the second attempt.
max_delay | duration | 60s | The longest delay, that of a provider's retry-after too.
jitter | bool | true | Up to half either way, from the session's seed.
"""),
    "`history`": (keys.HISTORY, """
channel | name | - | A `messages` channel: read before the call; the prompt and the answer are written to it.
last | int | - | How many messages the model sees.
max_tokens | int | - | How many tokens the model sees.
overflow | `drop`, `summarize` or `error` | drop | What happens to what is outside of the window.
"""),
    "`cache`": (keys.CACHE, """
key | value | - | Joined with the hash of the node; a hit is recorded as an effect.
ttl | duration | forever | How long a result may be used again.
"""),
    "`join`": (keys.AT_LEAST, """
at_least | int, or a fraction of the branches | - | The node runs when that many branches have arrived.
cancel | `siblings` | - | Every other token of the fork is withdrawn at that barrier: a race.
"""),
    "`need` of a map": (keys.NEED, """
at_least | int, or a fraction of the items | - | How many items must succeed; `0`: none.
"""),
    "`sandbox`": (keys.SANDBOX, """
image | text | the host's | `wasm`, `monty`, `host`, `docker:REF` or `e2b:TEMPLATE`.
network | `none` or list of hosts | none | What the command may reach.
cpu | duration | 30s | CPU time.
memory | size | 512m | Memory.
disk | size | 256m | Disk space.
env | name -> value | {} | The environment of the command; no secrets.
"""),
    "`approve` of an agent": (keys.APPROVAL, """
tool | name | - | The tool whose calls a person is asked about.
when | expression over `args` | true | Which calls.
on_deny | `fail` or `tell` | fail | A refusal fails the node, or is told to the model.
"""),
    "a delegate": (keys.DELEGATE, """
graph | name | one of two | The graph that is called as a child session.
do | node | one of two | One node, which is called like a graph of one node.
about | text | - | The description of the tool that the model sees.
handoff | name -> value | {} | Values for the inputs; the model fills what is left out.
history | `none`, `all` or `{ last: n }` | none | Passes the messages of the agent as the input `history`.
writes | channel -> value | {} | From the delegate's `out` into the channels of the agent's graph.
"""),
    "a node": (keys.NODE, """
kind | agent llm tool code human graph map router set emit wait | - | What the node does.
description | text | - | For drawings.
with | name -> value | {} | Variables of the prompt, parameters of the function or tool, inputs of the graph.
retry | mapping | `defaults` | When and how often a failed attempt is made again.
timeout | duration | `defaults` | For one attempt; for human and wait the time since they began to wait.
cache | mapping | - | Uses the result of another run again.
writes | channel -> value | {} | Applied at the barrier if the node succeeded.
next | name, list of names, or list of routes | - | One node, a fork, or the first route whose guard holds.
join | `any`, `all` or `{ at_least: n }` | any | How several incoming tokens become one run.
on_update | list of channels | [] | The node is also due when one of them was written since it last ran.
on_error | name or list of routes | `defaults` | Where the token of a failed node goes.
interrupt | `before` or `after` | - | Stops before the node runs, or after it.
"""),
    "`kind: agent`": (keys.KINDS["agent"], """
model | name | `defaults.model` | The model that is called.
system | template | - | The system message.
prompt | template | - | The user's message; one of `prompt` and `history` is needed.
history | mapping | - | The messages that are remembered.
returns | type | `{ text: str }` | The structured result, validated.
tools | list of names | [] | `name`, `name.tool`, `name.*`, or `std.` with `files finish human skills todos`.
approve | list of mappings | [] | Asks a person before a call.
tool_writes | tool -> channel -> value | {} | What a finished call of that tool writes: values over `args` and `result`.
delegates | name -> mapping | {} | Graphs that the model may call like tools.
max_turns | int | 10 | Model calls in one task.
parallel_delegates | int | 1 | How many delegates of one turn run at once.
"""),
    "`kind: llm`": (keys.KINDS["llm"], """
model | name | `defaults.model` | The model that is called.
system | template | - | The system message.
prompt | template | - | The user's message; one of `prompt` and `history` is needed.
history | mapping | - | The messages that are remembered.
returns | type | `{ text: str }` | The structured result, validated.
tools | list of names | [] | What the model may want to call: `out.calls` says what. Not with `returns`.
"""),
    "`kind: tool`": (keys.KINDS["tool"], """
tool | name | one of two | The tool; it is called with `with`.
call | value | one of two | An item of `out.calls` of an `llm`; `out` is the message for the model, failures included.
tools | list of names | - | Of which tools `call` may be: `name`, `name.tool` or `name.*`; needed with `call`.
"""),
    "`kind: code`": (keys.KINDS["code"], """
python | `pkg.mod:fn` | one of two | A function; it is called with `with`.
run | list of texts | one of two | A command in a sandbox; an exit code other than 0 is data, no error.
files | value: dict[str, str] | {} | Path -> content, placed before the command runs.
sandbox | mapping | - | Where the command runs; needed with `run`.
effects | pure, read or write | read | What a call does, and so whether it may be repeated.
idempotency_key | value | - | Makes it safe to repeat a write.
returns | type | the annotation, else `any` | The type of the result, validated.
"""),
    "`kind: human`": (keys.KINDS["human"], """
mode | `approve`, `choose`, `form` or `edit` | - | What is asked for.
prompt | template | - | The question.
form | object type | - | Typed fields of the answer; needed with `mode: form`, allowed with all.
options | value: list[str] | - | What can be chosen; needed with `mode: choose`.
value | value | - | What is edited; needed with `mode: edit`. The answer must fit its type.
assign | value | anyone | Who may answer: `user:NAME` or `role:NAME`.
"""),
    "`kind: graph`": (keys.KINDS["graph"], """
graph | name or `self` | - | The graph; it runs as a child session with `with` as its inputs.
max_depth | int | - | How deep a graph may call itself; needed for that.
"""),
    "`kind: map`": (keys.KINDS["map"], """
over | expression: a list | - | One item, one task; results keep the order of the list.
do | node | - | What runs for each item: agent, llm, tool, code or graph.
as | name | item | The name of the item in the node under `do`; `index` is its place.
concurrency | int | 8 | How many tasks run at once.
need | `all` or `{ at_least: n }` | all | How many items must succeed; failed ones are listed in `errors`.
collect | value | `${ out }` | What an item adds to `results`.
"""),
    "`kind: emit`": (keys.KINDS["emit"], """
event | name | - | The name of the event; it is committed with the checkpoint, exactly once.
data | name -> value | {} | What the event carries.
"""),
    "`kind: wait`": (keys.KINDS["wait"], """
event | name or list of names | one of three | Waits until such an event is sent; `event.name` tells which came.
match | expression over `event` | true | Which events fit; the oldest one wins.
for | duration | one of three | A timer.
until | value: a time | one of three | A timer, as ISO 8601 text.
returns | type | any | The type of the event's data; with several events a mapping from event to type.
"""),
}  # fmt: skip
