"""Pictures: from bytes to PIL to tensor and back, the sample pictures, and the refusal of unreadable files."""

from convis_core.images.headers import FORMATS, MAX_BYTES, MAX_PIXELS
from convis_core.images.reading import read_image
from convis_core.images.samples import SAMPLES, Sample, digest, sample, sample_bytes
from convis_core.images.tensors import Box, crop_box, to_image, to_tensor, view

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "SAMPLES",
    "Box",
    "Sample",
    "crop_box",
    "digest",
    "read_image",
    "sample",
    "sample_bytes",
    "to_image",
    "to_tensor",
    "view",
]
