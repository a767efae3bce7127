"""Results computed once per object and remembered for as long as the object lives.

A traced network, the shapes of its layers, the program of its occlusion engine: each depends on the network alone
and takes longer to compute than to retrieve. All are remembered in one place, through ``once``.
"""

import threading
from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


class _Entry:
    """The results remembered for one object, and the lock under which they are computed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # reentrant: computing one result may require another
        self.known: dict[Hashable, Any] = {}


_lock = threading.Lock()
_entries: WeakKeyDictionary[Any, _Entry] = WeakKeyDictionary()


def once(function: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Compute a function once for each object and remember its result for as long as the object lives.

    The first argument is the object, such as a ``LoadedModel``: it is distinguished by identity and held weakly. All
    further arguments must be hashable. Threads that request the same result at once wait for one computation; an
    exception is not remembered.

    Args:
        function: what to compute from an object and any further arguments.

    >>> class Network: pass
    >>> @once
    ... def measured(network, size):
    ...     print("measuring", size)
    ...     return size * size
    >>> network = Network()
    >>> measured(network, 3), measured(network, 3)
    measuring 3
    (9, 9)
    """

    @wraps(function)
    def remembered(subject: S, *args: P.args, **kwargs: P.kwargs) -> T:
        with _lock:
            entry = _entries.get(subject)
            if entry is None:
                entry = _entries[subject] = _Entry()
        key = (function, args, tuple(sorted(kwargs.items())))
        # Without the lock first: retrieving a known result must not wait while another is computed.
        if key not in entry.known:
            with entry.lock:
                if key not in entry.known:
                    entry.known[key] = function(subject, *args, **kwargs)
        result: T = entry.known[key]
        return result

    return remembered  # type: ignore[return-value]  # wraps names the first parameter
