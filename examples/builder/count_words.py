"""A graph written in Python: the most frequent words of some texts."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from graphagent import Graph, X, channel, end, route


class Count(BaseModel):
    word: str
    times: int


def words(text: str) -> list[str]:
    """The words of one text, in small letters."""
    return [word.strip(".,;:!?").lower() for word in text.split()]


def most_frequent(words: list[str], at_least: int) -> list[Count]:
    """The words that come often enough, most frequent first."""
    counted = Counter(words).most_common()
    return [Count(word=word, times=times) for word, times in counted if times >= at_least]


def build() -> Graph:
    """The graph. A keyword is the key of the YAML; `X("...")` is `${ ... }`."""
    g = Graph(
        "count-words",
        inputs={"texts": list[str], "at_least": (int, 2)},
        outputs={"counts": list[Count], "summary": str},
    )
    g.channels(
        words=channel(list[str], reducer="append"),
        counts=channel(list[Count], default=[]),
        summary=str,
    )
    g.start("split")

    with g.map(
        "split",
        over="inputs.texts",
        as_="text",
        writes={"words": X("[word for list in results for word in list]")},
    ) as split:
        split.do.code(python=words, effects="pure", with_={"text": X("text")}, returns=list[str])
    split.next("count")

    g.code(
        "count",
        python=most_frequent,
        effects="pure",
        with_={"words": X("words"), "at_least": X("inputs.at_least")},
        returns=list[Count],
        writes={"counts": X("out")},
    ).next(
        route("found", when="len(counts) > 0"),
        route("nothing"),
    )
    g.set("found", writes={"summary": f"{X('counts[0].word')} comes {X('counts[0].times')} times"}).next(end)
    g.set("nothing", writes={"summary": "every word is rare"}).next(end)
    return g


if __name__ == "__main__":
    graph = build()
    print(graph.to_yaml())
    result = graph.run(texts=["The bee and the flower.", "The flower waits for the bee."])
    print(result.outputs["summary"])
    print(result.session.replay().identical)
