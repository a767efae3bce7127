"""What is imported is out of the garbage collector's rounds, and only once each time something is imported."""

import gc
import subprocess
import sys

from pages._shell import garbage


def test_the_collector_is_told_once_and_again_after_an_import(monkeypatch):
    told = []
    monkeypatch.setattr(garbage, "_modules", 0)
    monkeypatch.setattr(gc, "freeze", lambda: told.append(len(sys.modules)))
    garbage.settle()
    garbage.settle()
    assert len(told) == 1
    monkeypatch.setitem(sys.modules, "convis_never_seen", sys)
    garbage.settle()
    assert len(told) == 2


def test_a_round_of_the_collector_no_longer_takes_long():
    script = """
import gc, time
import streamlit, torch, plotly.graph_objects
from pages._shell import garbage

def round():
    begun = time.thread_time()
    gc.collect()
    return time.thread_time() - begun

round()
before = min(round() for _ in range(3))
garbage.settle()
print(before / min(round() for _ in range(3)))
"""
    ratio = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert float(ratio) > 20


def test_cycles_made_afterwards_are_still_collected():
    script = """
import gc, weakref
from pages._shell import garbage

class Cycle: pass

garbage.settle()
cycle = Cycle()
cycle.self, ref = cycle, weakref.ref(cycle)
del cycle
gc.collect()
print(ref() is None)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "True"
