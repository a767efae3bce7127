"""Fewer rights for a while, since tests in a container often run as the superuser, who may write anywhere."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

needs_permissions = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")


@contextmanager
def nobody() -> Iterator[None]:
    """Within the block the process has no more rights than anybody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
