"""``python -m convis_core`` is the command ``convis`` where the package is not installed."""

import sys

from convis_core.cli import main

sys.exit(main())
