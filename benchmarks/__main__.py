"""Runs every benchmark, each in a process of its own, so that none inherits another's threads or memory."""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the exit status is that of the worst."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    unknown = set(names) - set(known)
    if unknown:
        print(f"No benchmark called {', '.join(sorted(unknown))}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    worst = 0
    for name in names or known:
        print(f"\n== {name} ==", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        worst = max(worst, abs(done.returncode))  # negative when a signal ended it
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
