"""A server on this machine that behaves as badly as a test wants, one behaviour a request."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE_NAME = "tiny-1.pth"


class LoopbackServer(ThreadingHTTPServer):
    """Answers each request with the next of its behaviours, and the last of them for ever."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.behaviours: list[Behaviour] = [whole]
        self.ranges: list[str | None] = []
        self.sent_bytes: list[int] = []
        self.paths: list[str] = []
        self.shutting_down = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/models/{FILE_NAME}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what these tests are about: print nothing."""


class Handler(BaseHTTPRequestHandler):
    server: LoopbackServer

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            behaviour = server.behaviours[0]
            if len(server.behaviours) > 1:
                server.behaviours.pop(0)
            server.ranges.append(self.headers["Range"])
            server.paths.append(self.path)
            server.sent_bytes.append(0)
            self.number = len(server.ranges) - 1
        behaviour(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def send(self, block: bytes) -> None:
        self.wfile.write(block)
        self.wfile.flush()
        self.server.sent_bytes[self.number] += len(block)


Behaviour = Callable[[Handler], None]


def whole(handler: Handler) -> None:
    """What a good server does, Range included."""
    content = handler.server.content
    start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    if start >= len(content):
        handler.head(416, Content_Length=0)
        return
    if start:
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.head(206, Content_Length=len(content) - start, Content_Range=span)
    else:
        handler.head(200, Content_Length=len(content))
    handler.send(content[start:])


def ignoring_range(handler: Handler) -> None:
    handler.head(200, Content_Length=len(handler.server.content))
    handler.send(handler.server.content)


def answering_another_range(handler: Handler) -> None:
    content = handler.server.content
    if handler.headers["Range"]:
        handler.head(206, Content_Length=10, Content_Range=f"bytes 5-14/{len(content)}")
        handler.send(content[5:15])
    else:
        whole(handler)


def refusing_range(handler: Handler) -> None:
    if handler.headers["Range"]:
        handler.head(416, Content_Length=0)
    else:
        whole(handler)


def slowly(handler: Handler) -> None:
    content = handler.server.content
    handler.head(200, Content_Length=len(content))
    step = len(content) // 8
    for start in range(0, len(content), step):
        handler.send(content[start : start + step])
        time.sleep(0.02)


def cut_midway(handler: Handler) -> None:
    content = handler.server.content
    handler.head(200, Content_Length=len(content))
    handler.send(content[: len(content) // 2])


def without_length(handler: Handler) -> None:
    handler.head(200)
    handler.send(handler.server.content)


def cut_without_length(handler: Handler) -> None:
    handler.head(200)
    handler.send(handler.server.content[:1000])


def cut_in_a_chunk(handler: Handler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.head(200, Transfer_Encoding="chunked", Connection="close")
    handler.send(b"10000\r\n" + handler.server.content[:5000])


def corrupted(handler: Handler) -> None:
    content = bytearray(handler.server.content)
    content[len(content) // 2] ^= 1
    handler.head(200, Content_Length=len(content))
    handler.send(bytes(content))


def login_page(handler: Handler) -> None:
    page = b"<html>Please log in to the seminar's network</html>"
    handler.head(200, Content_Length=len(page))
    handler.send(page)


def far_too_long(handler: Handler) -> None:
    handler.head(200)
    for _ in range(16):
        handler.send(bytes(1 << 20))


def stalling(handler: Handler) -> None:
    content = handler.server.content
    handler.head(200, Content_Length=len(content))
    handler.send(content[: len(content) // 3])
    handler.server.shutting_down.wait(5)


def silent(handler: Handler) -> None:
    handler.server.shutting_down.wait(5)


def trickling(handler: Handler) -> None:
    handler.head(200, Content_Length=len(handler.server.content))
    for byte in handler.server.content[:150]:
        if handler.server.shutting_down.wait(0.03):
            return
        handler.send(bytes([byte]))


def hesitating(handler: Handler) -> None:
    content = handler.server.content
    handler.head(200, Content_Length=len(content))
    for block in (content[:50], content[50:100], content[100:]):
        handler.send(block)
        time.sleep(0.05)


def status(code: int) -> Behaviour:
    def answer(handler: Handler) -> None:
        body = b"no"
        handler.head(code, Content_Length=len(body))
        handler.send(body)

    return answer


def moved(handler: Handler) -> None:
    if handler.path.startswith("/elsewhere/"):
        whole(handler)
    else:
        handler.head(302, Location=f"/elsewhere/{FILE_NAME}", Content_Length=0)
