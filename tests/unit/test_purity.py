"""The core stays importable without the dashboard."""

import subprocess
import sys


def test_the_core_imports_no_streamlit_and_starts_no_threads():
    program = (
        "import sys, threading, pkgutil, importlib, convis_core\n"
        "names = [m.name for m in pkgutil.walk_packages(convis_core.__path__, 'convis_core.')]\n"
        "[importlib.import_module(n) for n in names if not n.endswith('__main__')]\n"
        "assert len(names) > 15, names\n"
        "assert 'streamlit' not in sys.modules and 'pages' not in sys.modules\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
