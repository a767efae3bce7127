"""Occlusion: how the scores of a network change when a part of the picture is hidden."""

from convis_core.occlusion.hiding import fill_picture, hide, hide_pixels
from convis_core.occlusion.maps import estimate, occlusion

__all__ = ["estimate", "fill_picture", "hide", "hide_pixels", "occlusion"]
