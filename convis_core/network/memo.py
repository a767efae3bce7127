"""What is worked out once about an object and remembered for as long as the object lives.

A traced network, the shapes of its layers, the program of its occlusion engine: each depends on the network alone
and costs more than a look-up. There is one memory of such things, and ``once`` is the way into it.
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
    """What is remembered about one object, and the lock under which it is worked out."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # working one thing out may need another
        self.known: dict[Hashable, Any] = {}


_lock = threading.Lock()
_entries: WeakKeyDictionary[Any, _Entry] = WeakKeyDictionary()


def once(function: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Carry a function out once for each object and remember its result for as long as the object lives.

    The first argument is the object, such as a ``LoadedModel``: it is told apart by identity and held weakly. All
    further arguments must be hashable. Threads that ask for the same thing at once wait for one computation; an
    exception is not remembered.

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
        # Without the lock first: who looks up a thing that is there does not wait while another is worked out.
        if key not in entry.known:
            with entry.lock:
                if key not in entry.known:
                    entry.known[key] = function(subject, *args, **kwargs)
        found: T = entry.known[key]
        return found

    return remembered  # type: ignore[return-value]  # wraps names the first parameter
