"""Can an attribution be trusted? Three tests that do not rely on visual inspection.

``deletion_insertion``: does the probability of the class fall when the pixels ranked highest are deleted?
``weight_randomisation``: does the map change when trained weights are replaced by random ones? ``class_swap``: does it
change with the class?
"""

from convis_core.attribution.sanity.class_swap import class_swap
from convis_core.attribution.sanity.deletion_insertion import deletion_insertion
from convis_core.attribution.sanity.weight_randomisation import weight_randomisation

__all__ = ["class_swap", "deletion_insertion", "weight_randomisation"]
