"""Python's garbage collector, told what will never be garbage."""

import gc
import sys
import threading

_lock = threading.Lock()
_modules = 0


def settle() -> None:
    """Take what has been imported and loaded out of the collector's rounds.

    Streamlit collects after every run of a script or fragment, three times a second while a computation is watched.
    Each round would go through all of torch and Plotly, 0.15 s in which Python's lock keeps the lanes waiting; half of
    a drawing's time went there. Done once, and again when a page has imported more.
    """
    global _modules
    with _lock:
        if len(sys.modules) == _modules:
            return
        _modules = len(sys.modules)
    gc.collect()
    gc.freeze()
