"""Runs every benchmark, each in a process of its own, so that none inherits another's threads or memory."""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the exit status is that of the worst."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    unknown = set(names) - set(found)
    if unknown:
        print(f"No benchmark called {', '.join(sorted(unknown))}; there are {', '.join(found)}.", file=sys.stderr)
        return 2
    worst = 0
    for name in names or found:
        print(f"\n== {name} ==", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
