"""Occlusion: hide a part of the picture and see what the network makes of the rest."""

from convis_core.occlusion.maps import estimate, fill_picture, hide, hide_pixels, occlusion

__all__ = ["estimate", "fill_picture", "hide", "hide_pixels", "occlusion"]
