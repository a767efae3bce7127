"""Should you believe an attribution? Three tests that do not need an eye.

``deletion_insertion``: does the class go when the pixels go that the map calls important? ``weight_randomisation``:
does the map change when the network forgets what it has learned? ``class_swap``: does it change with the class?
"""

from convis_core.attribution.sanity.class_swap import class_swap
from convis_core.attribution.sanity.deletion_insertion import deletion_insertion
from convis_core.attribution.sanity.weight_randomisation import weight_randomisation

__all__ = ["class_swap", "deletion_insertion", "weight_randomisation"]
