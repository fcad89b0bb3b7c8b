"""The knowledge base of this example: `python knowledge_base.py [PORT]` serves a few articles until it is stopped."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ARTICLES = [
    {"title": "A lamp flickers", "text": "Tighten the bulb. If that doesn't help, change it."},
    {"title": "A lamp stays dark", "text": "See whether it is plugged in."},
]


class Answers(BaseHTTPRequestHandler):
    """`GET /articles?q=words` gives the articles that hold one of the words."""

    def do_GET(self) -> None:
        words = parse_qs(urlsplit(self.path).query).get("q", [""])[0].lower().split()
        found = [article for article in ARTICLES if any(word in str(article).lower() for word in words)]
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090), Answers)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
