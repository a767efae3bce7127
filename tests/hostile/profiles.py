"""Small ICC profiles, written from the format's description: matrices and the curve of sRGB."""

import struct

DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Red, green and blue as XYZ under D50."""

_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def matrix_profile(primaries: tuple[tuple[float, float, float], ...], gamma: float | None = None) -> bytes:
    """An RGB profile; ``gamma`` in place of sRGB's curve."""
    curve = (
        b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(_fixed, _SRGB_CURVE))
        if gamma is None
        else b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)
    )
    tags = {b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
    tags |= {name: _xyz(point) for name, point in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey profile of a power curve."""
    curve = b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + _fixed(gamma)
    return _profile(b"GRAY", {b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"kTRC": curve})


def _xyz(point: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, point))


def _profile(
    space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", between: bytes = b"XYZ ", version: int = 0x04300000
) -> bytes:
    text = "test".encode("utf-16-be")
    written = b"mluc\0\0\0\0" + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(text), 28) + text
    tags = {b"desc": written, b"cprt": written, **tags}
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", at + len(body), b"lcms", version, kind, space, between)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    header += b"".join(map(_fixed, (0.9642, 1.0, 0.8249)))
    return header.ljust(128, b"\0") + table + body


def cmyk_profile() -> bytes:
    """A printer's profile: a table of the sixteen corners, in Lab."""
    ramp = bytes(range(256))
    corners = b""
    for corner in range(16):
        c, m, y, k = ((corner >> shift) & 1 for shift in (3, 2, 1, 0))
        light = 100 * (1 - 0.45 * c) * (1 - 0.5 * m) * (1 - 0.1 * y) * (1 - k)
        a, b = (-35 * c + 70 * m) * (1 - k), (-45 * c + 85 * y) * (1 - k)
        corners += bytes([round(light * 2.55), round(a + 128), round(b + 128)])
    matrix = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + corners + ramp * 3
    return _profile(b"CMYK", {b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"A2B0": table}, b"prtr", b"Lab ", 0x02400000)
