"""The content of a URL, read ahead by a thread: waiting for the network never blocks the consumer."""

import queue
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import requests

FRAME_SECONDS = 0.1
"""How long a step may wait before control returns to the consumer."""

_BLOCK_BYTES = 256 * 1024
_BLOCKS_AHEAD = 8
# A server slower than this for a whole timeout counts as stalled: VGG16 would take six days.
_LEAST_BYTES_PER_SECOND = 1024


class StreamError(Exception):
    """The content cannot be received; the text is a clause that says why, without a full stop."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The server has responded, and its content follows.

    Attributes:
        start: offset of the first byte: the one requested, or 0 if the server cannot resume.
        end: offset after the last byte; None if the server does not announce it.
    """

    start: int
    end: int | None


# What the reading thread passes on: the response, blocks, an error, and None at the end.
_Item: TypeAlias = Opened | bytes | Exception | None
_Inbox: TypeAlias = "queue.Queue[_Item]"


def stream(url: str, *, offset: int, timeout: float) -> Generator[Opened | bytes, None, None]:
    """The content of a URL from an offset: one Opened, then blocks, empty ones while nothing arrives.

    Args:
        url: an http or https address.
        offset: number of bytes that are here already.
        timeout: seconds without progress after which the server counts as stalled.

    Raises:
        StreamError: when the server cannot be reached, refuses, stalls, or ends before the announced length.
    """
    inbox: _Inbox = queue.Queue(maxsize=_BLOCKS_AHEAD)
    closed = threading.Event()
    reader = threading.Thread(
        target=_read_ahead, args=(url, offset, timeout, inbox, closed), name="convis-download", daemon=True
    )
    reader.start()
    position, end = 0, None
    try:
        for item in _until_stalled(inbox, timeout):
            if isinstance(item, Opened):
                position, end = item.start, item.end
            else:
                position += len(item)
            yield item
    except TimeoutError as error:
        raise StreamError(_stalled(_host(url), timeout)) from error
    finally:
        closed.set()
    if end is not None and position < end:
        raise StreamError(f"{_host(url)} ended the connection after {position:,} of {end:,} bytes")


def _until_stalled(inbox: _Inbox, timeout: float) -> Iterator[Opened | bytes]:
    """What arrives, up to the end; time that the consumer spends elsewhere does not count towards the timeout."""
    waited, arrived = 0.0, 0
    while True:
        began = time.monotonic()
        try:
            item = inbox.get(timeout=min(FRAME_SECONDS, timeout))
        except queue.Empty:
            item = b""
        waited += time.monotonic() - began
        if item is None:
            return
        if isinstance(item, Exception):
            raise item
        if isinstance(item, Opened):
            waited, arrived = 0.0, 0
        else:
            arrived += len(item)
        if waited > timeout:
            if arrived < _LEAST_BYTES_PER_SECOND * timeout:
                raise TimeoutError
            waited, arrived = 0.0, 0
        yield item


def _read_ahead(url: str, offset: int, timeout: float, inbox: _Inbox, closed: threading.Event) -> None:
    """Body of the reading thread: pass on whatever arrives, errors included, until the consumer stops."""
    from urllib3.exceptions import HTTPError

    try:
        response, start = _open(url, offset, timeout)
        with response:
            raw = response.raw
            raw.enforce_content_length = False  # the consumer reports where the content ended
            length = raw.length_remaining
            _hand_over(Opened(start, None if length is None else start + length), inbox, closed)
            # read1 returns the content of one packet; read would wait for a whole block from a slow server.
            while not closed.is_set() and (block := raw.read1(_BLOCK_BYTES, decode_content=False)):
                _hand_over(block, inbox, closed)
        _hand_over(None, inbox, closed)
    except (OSError, ValueError, HTTPError) as error:  # everything that requests raises is an OSError
        failure = StreamError(_cause(error, _host(url), timeout))
        failure.__cause__ = error
        _hand_over(failure, inbox, closed)
    except Exception as error:  # noqa: BLE001 - raised again in the consumer's thread
        _hand_over(error, inbox, closed)


def _hand_over(item: _Item, inbox: _Inbox, closed: threading.Event) -> None:
    while not closed.is_set():
        try:
            inbox.put(item, timeout=FRAME_SECONDS)
        except queue.Full:
            continue
        return


def _open(url: str, offset: int, timeout: float) -> "tuple[requests.Response, int]":
    """The response to a request for everything from the offset, and the offset at which it actually starts."""
    import requests

    headers = {"User-Agent": "convis", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    response = requests.get(url, headers=headers, stream=True, timeout=timeout)
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        response.close()
        if offset and response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(url, 0, timeout)
        raise StreamError(_refusal(response.status_code, _host(url)))
    # A server that answers with another range than the one asked for is caught by the checksum of the whole.
    return response, offset if response.status_code == HTTPStatus.PARTIAL_CONTENT else 0


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def _stalled(host: str, timeout: float) -> str:
    return f"{host} stalled: almost nothing came from it for {timeout:g} seconds"


def _cause(error: BaseException, host: str, timeout: float) -> str:
    """Why the content cannot be received, in words; requests wraps the reason, the last link of a chain."""
    from requests.exceptions import ProxyError
    from urllib3.exceptions import ProtocolError

    links = list(_chain(error))
    peer = f"the proxy before {host}" if any(isinstance(link, ProxyError) for link in links) else host
    for link in reversed(links):
        match link:
            case ConnectionRefusedError():
                return f"{peer} refused the connection"
            case socket.gaierror():
                return f"the name {host} cannot be resolved, so there may be no network here"
            case ssl.SSLError():
                return f"no secure connection to {host} is possible ({link.reason or link})"
            case TimeoutError():
                return _stalled(host, timeout)
            case ConnectionError() | ProtocolError():
                return f"{peer} broke the connection off"
    return f"{host} cannot be reached ({str(links[-1]).strip('<>') or type(links[-1]).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    seen: list[BaseException] = []
    while link is not None and link not in seen:
        yield link
        seen.append(link)
        link = link.__cause__ or link.__context__


def _refusal(code: int, host: str) -> str:
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        return f"{host} refuses to give it (HTTP {code})"
    if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return f"{host} does not have it (HTTP {code})"
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return f"{host} has had too many requests from here (HTTP {code}); it may help to wait a few minutes"
    if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"{host} is out of order at the moment (HTTP {code})"
    return f"{host} answered with HTTP {code}"
