"""Stands before an S3 server and makes bad weather: answers some requests with 503, or all of them late.

    python3 tests/weather.py --listen 127.0.0.1:9001 --to 127.0.0.1:9000 --fail 0.2 --late 0.3
"""

import argparse
import http.client
import random
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Weather(BaseHTTPRequestHandler):
    """Passes requests on as they are, since signatures cover the host that the client named, and prints each answer's status."""

    protocol_version = "HTTP/1.1"
    given: argparse.Namespace

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.given.late)
        if random.random() < self.given.fail:
            self._answer(503, [], b"")
            return
        upstream = http.client.HTTPConnection(self.given.to, timeout=60)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            response = upstream.getresponse()
            self._answer(response.status, response.getheaders(), response.read())
        finally:
            upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        print(self.command, status, flush=True)
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--listen", required=True)
    options.add_argument("--to", required=True)
    options.add_argument("--fail", type=float, default=0.0, help="part of the requests that get 503")
    options.add_argument("--late", type=float, default=0.0, help="seconds that every request waits")
    Weather.given = options.parse_args()
    host, port = Weather.given.listen.rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Weather).serve_forever()


if __name__ == "__main__":
    main()
