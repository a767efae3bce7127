"""What a network is made of: its layers, its blocks, its size and its cost."""

from convis_core.architecture.blocks import blocks, costs, inside
from convis_core.architecture.blueprint import blueprint
from convis_core.architecture.formulas import substitutions
from convis_core.architecture.layers import describe, totals
from convis_core.architecture.timing import compare

__all__ = ["blocks", "blueprint", "compare", "costs", "describe", "inside", "substitutions", "totals"]
