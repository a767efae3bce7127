"""Reads the files of a folder one after another and says what each cost; a process of its own."""

import json
import os
import resource
import sys
import time
from pathlib import Path

from convis_core import images
from convis_core.errors import ImageError


def peak() -> int:
    """The most memory of this process since the last ``forget``, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def forget() -> None:
    """Begin anew: VmHWM becomes what is resident now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(folder: Path) -> None:
    """Print one line of JSON a file."""
    images.read_image(images.sample_bytes("chelsea"))
    idle = peak()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        forget()
        began, clock = time.perf_counter(), sum(os.times()[:4])
        try:
            picture = images.read_image(content)
            answer = f"{picture.mode} {picture.width} {picture.height}"
        except ImageError as error:
            answer = str(error)
        except Exception as error:  # noqa: BLE001  # what the test is there to find
            answer = f"RAISED {error!r}"
        cost = {"cpu": sum(os.times()[:4]) - clock, "wall": time.perf_counter() - began, "memory": peak() - idle}
        # The greatest child so far: a bound for each.
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        picture = content = None
        sys.stdout.write(json.dumps({"name": path.name, "answer": answer, "child": child, **cost}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
