"""From an attribution to the object: seeds from the map, edges from the picture.

A map of single pixels is no mask: it marks what decided, an eye or a wheel, and leaves the rest of the object out.
But it says well enough where the object is and where to begin, and GrabCut does the rest by colour. The only module
that imports OpenCV.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from convis_core.errors import SpecError
from convis_core.images import crop_box
from convis_core.network.baselines import gaussian_blur
from convis_core.results import Attribution, GrabCutSpec, Segmentation
from convis_core.results.segmentation import BACKGROUND, FOREGROUND, OUTSIDE, UNKNOWN
from convis_core.values import check_real, check_whole

_SMALLEST_CROP = 8
"""Pixels along the shorter side of what the network saw, below which there is nothing to segment."""

_FEWEST_SEEDS = 10
"""GrabCut fits five Gaussians to the colours of each side; with fewer pixels it has nothing to fit them to."""

_EDGE_SIDE = 640
"""Longer side of the copy on which the edge is found, in pixels."""

_EDGE_BAND = 4
"""How far the edge may move there, in pixels of the small copy."""

_EDGE_ROUNDS = 2
_ARBITRARY_SEED = 1

Pixels: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

# By itself OpenCV takes every core, on top of the lanes that have them already.
cv2.setNumThreads(1)


def grabcut(img: Image.Image, attribution: Attribution, spec: GrabCutSpec) -> Segmentation:
    """Cut the object that an attribution points at out of the original picture.

    The magnitude of the attribution is blurred. Where it is above its ``foreground_percentile`` the object certainly
    is. GrabCut begins by taking all that is above the ``background_percentile`` for object too, and the rest for
    background; it models the colours of both, divides all but the certain pixels anew along the picture's edges, and
    so on for some rounds. The largest connected part is the object.

    A low value is a hint and no more, because a network need not look at the whole of an object. Nor did it see what
    lies outside the central square: that begins as background and may become object, if its colours say so.

    What belongs together is decided on a small copy, where the texture of fur or grass does not count as edges; then
    a band along the mask's edge is divided once more on a larger one, and the result enlarged smoothly to the
    original. So a picture of any size takes about the same time. Same arguments, same mask.

    Args:
        img: the original picture, RGB, of any size.
        attribution: of ``images.to_tensor(img, S)``, values [C, S, S].
        spec: percentiles, rounds and blur.

    Returns:
        The mask of the whole original, the seeds that led to it, and the cut-out.

    Raises:
        SpecError: when the attribution is the same everywhere or not finite, the picture too small, ``spec`` out of
            range, or no object is found.

    Simonyan, Vedaldi and Zisserman, 2013 (arXiv:1312.6034), section 3.2; Rother, Kolmogorov and Blake, "GrabCut",
    2004.
    """
    _check_spec(spec)
    picture = img.convert("RGB")
    small = _fitted(picture, spec.working_side)
    seeds = _seeds(attribution, picture.size, small.size, spec)
    if min(int((seeds == kind).sum()) for kind in (FOREGROUND, BACKGROUND)) < _FEWEST_SEEDS:
        raise SpecError("The map leaves too few certain pixels; lower the upper percentile or raise the lower one.")
    mask = _largest_part(_divide(small, _labels(seeds), spec.iterations))
    if not mask.any():
        raise SpecError("No object was found; try other percentiles or another class.")
    if max(picture.size) > spec.working_side:
        mask = _with_sharper_edge(_fitted(picture, max(_EDGE_SIDE, spec.working_side)), mask)
    return Segmentation(picture, _enlarged(mask, picture.size), _tensor(_nearest(seeds, picture.size)), spec)


def outline(mask: Tensor, *, thickness: int = 1) -> Tensor:
    """The pixels along the inside of a mask's edge.

    Args:
        mask: bool [H, W].
        thickness: of the line, in pixels.

    Returns:
        bool [H, W].
    """
    outside = (~mask)[None, None].float()
    grown = functional.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)[0, 0]
    return mask & (grown > 0)


def _check_spec(spec: GrabCutSpec) -> None:
    check_real("The upper percentile", spec.foreground_percentile, 0, 100)
    check_real("The lower percentile", spec.background_percentile, 0, 100)
    if spec.background_percentile >= spec.foreground_percentile:
        raise SpecError("The percentiles must rise: 0 <= background < foreground <= 100.")
    check_whole("The number of rounds", spec.iterations, 1, 50)
    check_real("The blur's standard deviation in pixels", spec.smoothing, 0, 100)
    check_whole("The longer side of the picture that GrabCut works on", spec.working_side, 64, 4000)


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture with at most so many pixels along its longer side; small ones are not enlarged."""
    scale = min(1.0, side / max(picture.size))
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def _seeds(attribution: Attribution, original: tuple[int, int], size: tuple[int, int], spec: GrabCutSpec) -> Pixels:
    """What the map says of each pixel of the working copy, [h, w]."""
    magnitude = attribution.magnitude()
    if not bool(magnitude.isfinite().all()):
        raise SpecError("The map has values that are no numbers; there is nothing to cut out.")
    smooth = gaussian_blur(magnitude[None, None].double(), spec.smoothing)[0, 0]
    if float(smooth.max()) - float(smooth.min()) <= 1e-6 * float(smooth.max()):
        raise SpecError("The map is the same everywhere and points at nothing; choose another class or method.")
    lowest, highest = np.percentile(smooth.numpy(), [spec.background_percentile, spec.foreground_percentile])
    kinds = np.full(tuple(smooth.shape), UNKNOWN, dtype=np.uint8)
    kinds[smooth.numpy() <= lowest] = BACKGROUND
    kinds[smooth.numpy() > highest] = FOREGROUND
    scale = size[0] / original[0], size[1] / original[1]
    box = crop_box(original, magnitude.shape[-1])
    left, top, right, bottom = (round(edge * scale[place % 2]) for place, edge in enumerate(box))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    if min(right - left, bottom - top) < _SMALLEST_CROP:
        raise SpecError(
            f"The picture is too small or too narrow to cut anything out of it: {original[0]} x {original[1]}."
        )
    seeds = np.full((size[1], size[0]), OUTSIDE, dtype=np.uint8)
    seeds[top:bottom, left:right] = _nearest(kinds, (right - left, bottom - top))
    return seeds


def _labels(seeds: Pixels) -> Pixels:
    """What GrabCut is told of each pixel to begin with."""
    labels = np.full_like(seeds, cv2.GC_PR_BGD)
    labels[seeds == UNKNOWN] = cv2.GC_PR_FGD
    labels[seeds == FOREGROUND] = cv2.GC_FGD
    return labels


def _divide(picture: Image.Image, labels: Pixels, iterations: int) -> Mask:
    """GrabCut: every pixel is given to the object or to the rest."""
    pixels = np.asarray(picture)[:, :, ::-1].copy()  # OpenCV's order of the channels
    divided = labels.copy()
    inside, outside = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, picture.width, picture.height)  # not read when the labels say where to start
    cv2.setRNGSeed(_ARBITRARY_SEED)  # of this thread
    cv2.grabCut(pixels, divided, whole, outside, inside, iterations, cv2.GC_INIT_WITH_MASK)
    return np.isin(divided, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _with_sharper_edge(picture: Image.Image, coarse: Mask) -> Mask:
    """The mask on a larger copy of the picture, divided anew in a band along its edge."""
    mask = _nearest(coarse.astype(np.uint8), picture.size)
    reach = max(1, round(_EDGE_BAND * picture.width / coarse.shape[1]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    labels = np.where(mask > 0, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    labels[cv2.erode(mask, disc) > 0] = cv2.GC_FGD
    labels[cv2.dilate(mask, disc) == 0] = cv2.GC_BGD
    if min(int((labels == kind).sum()) for kind in (cv2.GC_FGD, cv2.GC_BGD)) < _FEWEST_SEEDS:
        return mask > 0  # so thin, or so nearly everything, that there is no inside or no outside to learn from
    return _largest_part(_divide(picture, labels, _EDGE_ROUNDS))


def _largest_part(mask: Mask) -> Mask:
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    chosen: Mask = parts == largest
    return chosen


def _enlarged(mask: Mask, size: tuple[int, int]) -> Tensor:
    """The mask on the original as alpha, uint8 [H, W], its staircase smoothed."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255, mode="L")
    return _tensor(np.asarray(grey.resize(size, Image.Resampling.BICUBIC)))


def _nearest(values: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(values, mode="L").resize(size, Image.Resampling.NEAREST))


def _tensor(values: Pixels) -> Tensor:
    return torch.from_numpy(values.copy())
