"""Segmentation of an object from an attribution: seeds from the map, edges from the picture.

An attribution map is not a mask: it marks the pixels that matter to the score, such as an eye or a wheel, and not the
rest of the object. But it locates the object well enough for seeds, from which GrabCut segments it by colour. This is
the only module that imports OpenCV.
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
"""Fewest pixels along the shorter side of the network's view that are enough to segment."""

_FEWEST_SEEDS = 10
"""GrabCut fits five Gaussians each to the colours of the object and of the background, which takes some pixels."""

_EDGE_SIDE = 640
"""Longer side of the copy on which the edge is refined, in pixels."""

_EDGE_BAND = 4
"""How far the edge may move in that step, in pixels of the small copy."""

_EDGE_ROUNDS = 2
_ARBITRARY_SEED = 1

Pixels: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

# By default OpenCV uses every core, on top of the lanes, which use them already.
cv2.setNumThreads(1)


def grabcut(img: Image.Image, attribution: Attribution, spec: GrabCutSpec) -> Segmentation:
    """The object that an attribution marks, cut out of the original picture.

    The magnitude of the attribution is blurred. Pixels above its ``foreground_percentile`` certainly belong to the
    object. At first GrabCut assigns all other pixels above the ``background_percentile`` to the object as well, and the
    rest to the background. In every round it models the colours of both and assigns all but the certain pixels anew
    along the picture's edges. The largest connected part is the object.

    Low values are only a hint, because the score of a class need not depend on the whole object. The network does not
    see the parts outside the central square: they begin as background and may become object if their colours agree.

    The segmentation is computed on a small copy, where the texture of fur or grass does not count as edges. Then a band
    along the mask's edge is refined on a larger copy, and the result is enlarged smoothly to the original, so that a
    picture of any size takes about the same time. The same arguments give the same mask.

    Args:
        img: the original picture, RGB, of any size.
        attribution: of ``images.to_tensor(img, S)``, values [C, S, S].
        spec: percentiles, rounds and blur.

    Returns:
        The mask of the whole original, the seeds that led to it, and the cut-out.

    Raises:
        SpecError: when the attribution is the same everywhere or not finite, the picture too small, ``spec`` out of
            range, or no object is detected.

    Simonyan, Vedaldi and Zisserman, 2013 (arXiv:1312.6034), section 3.2; Rother, Kolmogorov and Blake, "GrabCut",
    2004.

    >>> import torch
    >>> from PIL import Image
    >>> from convis_core import segmentation
    >>> from convis_core.results import Attribution, GrabCutSpec
    >>> picture = Image.new("RGB", (64, 64), "navy")
    >>> picture.paste("lime", (16, 16, 48, 48))
    >>> row = torch.arange(64.0)
    >>> bump = torch.exp(-((row[:, None] - 31.5) ** 2 + (row - 31.5) ** 2) / 200)  # highest in the middle
    >>> cut_out = segmentation.grabcut(picture, Attribution(bump.expand(3, -1, -1), 0, "by hand"), GrabCutSpec())
    >>> cut_out.mask.shape, bool(cut_out.mask[32, 32]), bool(cut_out.mask[4, 4]), round(cut_out.share(), 1)
    (torch.Size([64, 64]), True, False, 0.2)
    """
    _check_spec(spec)
    picture = img.convert("RGB")
    small = _fitted(picture, spec.working_side)
    seeds = _seeds(attribution, picture.size, small.size, spec)
    if min(int((seeds == kind).sum()) for kind in (FOREGROUND, BACKGROUND)) < _FEWEST_SEEDS:
        raise SpecError("There are too few certain pixels; lower the upper percentile or raise the lower one.")
    mask = _largest_part(_run_grabcut(small, _labels(seeds), spec.iterations))
    if not mask.any():
        raise SpecError("No object was detected; try other percentiles or another class.")
    if max(picture.size) > spec.working_side:
        mask = _with_sharper_edge(_fitted(picture, max(_EDGE_SIDE, spec.working_side)), mask)
    return Segmentation(picture, _enlarged(mask, picture.size), _tensor(_nearest(seeds, picture.size)), spec)


def outline(mask: Tensor, *, thickness: int = 1) -> Tensor:
    """The outline of a mask, drawn along the inside of its edge.

    Args:
        mask: bool [H, W].
        thickness: of the line, in pixels.

    Returns:
        bool [H, W].

    >>> import torch
    >>> from convis_core import segmentation
    >>> mask = torch.zeros(5, 5, dtype=torch.bool)
    >>> mask[1:4, 1:4] = True
    >>> segmentation.outline(mask)[2].tolist()
    [False, True, False, True, False]
    """
    outside = (~mask)[None, None].float()
    grown = functional.max_pool2d(outside, 2 * thickness + 1, stride=1, padding=thickness)[0, 0]
    return mask & (grown > 0)


def _check_spec(spec: GrabCutSpec) -> None:
    check_real("The upper percentile", spec.foreground_percentile, 0, 100)
    check_real("The lower percentile", spec.background_percentile, 0, 100)
    if spec.background_percentile >= spec.foreground_percentile:
        raise SpecError("The percentiles must increase: 0 <= background < foreground <= 100.")
    check_whole("The number of rounds", spec.iterations, 1, 50)
    check_real("The blur's standard deviation in pixels", spec.smoothing, 0, 100)
    check_whole("The longer side of the picture that GrabCut works on", spec.working_side, 64, 4000)


def _fitted(picture: Image.Image, side: int) -> Image.Image:
    """The picture with at most ``side`` pixels along its longer side; small ones are not enlarged."""
    scale = min(1.0, side / max(picture.size))
    width, height = (max(1, round(edge * scale)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def _seeds(attribution: Attribution, original: tuple[int, int], size: tuple[int, int], spec: GrabCutSpec) -> Pixels:
    """The seed of each pixel of the working copy, [h, w]."""
    magnitude = attribution.magnitude()
    if not bool(magnitude.isfinite().all()):
        raise SpecError("The map has values that are not finite, so no object can be cut out.")
    smooth = gaussian_blur(magnitude[None, None].double(), spec.smoothing)[0, 0]
    if float(smooth.max()) - float(smooth.min()) <= 1e-6 * float(smooth.max()):
        raise SpecError("The map is the same everywhere and marks no object; choose another class or method.")
    lowest, highest = np.percentile(smooth.numpy(), [spec.background_percentile, spec.foreground_percentile])
    kinds = np.full(tuple(smooth.shape), UNKNOWN, dtype=np.uint8)
    kinds[smooth.numpy() <= lowest] = BACKGROUND
    kinds[smooth.numpy() > highest] = FOREGROUND
    scale = size[0] / original[0], size[1] / original[1]
    box = crop_box(original, magnitude.shape[-1])
    left, top, right, bottom = (round(edge * scale[index % 2]) for index, edge in enumerate(box))
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    if min(right - left, bottom - top) < _SMALLEST_CROP:
        raise SpecError(
            f"The picture is too small or too narrow to cut out an object: {original[0]} × {original[1]} pixels."
        )
    seeds = np.full((size[1], size[0]), OUTSIDE, dtype=np.uint8)
    seeds[top:bottom, left:right] = _nearest(kinds, (right - left, bottom - top))
    return seeds


def _labels(seeds: Pixels) -> Pixels:
    """The initial label of each pixel for GrabCut."""
    labels = np.full_like(seeds, cv2.GC_PR_BGD)
    labels[seeds == UNKNOWN] = cv2.GC_PR_FGD
    labels[seeds == FOREGROUND] = cv2.GC_FGD
    return labels


def _run_grabcut(picture: Image.Image, labels: Pixels, iterations: int) -> Mask:
    """The pixels that GrabCut assigns to the object."""
    pixels = np.asarray(picture)[:, :, ::-1].copy()  # OpenCV's order of the channels
    assigned = labels.copy()
    inside, outside = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, picture.width, picture.height)  # ignored, since the labels give the start
    cv2.setRNGSeed(_ARBITRARY_SEED)  # of this thread
    cv2.grabCut(pixels, assigned, whole, outside, inside, iterations, cv2.GC_INIT_WITH_MASK)
    return np.isin(assigned, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _with_sharper_edge(picture: Image.Image, coarse: Mask) -> Mask:
    """The mask on a larger copy of the picture, refined in a band along its edge."""
    mask = _nearest(coarse.astype(np.uint8), picture.size)
    reach = max(1, round(_EDGE_BAND * picture.width / coarse.shape[1]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    labels = np.where(mask > 0, np.uint8(cv2.GC_PR_FGD), np.uint8(cv2.GC_PR_BGD))
    labels[cv2.erode(mask, disc) > 0] = cv2.GC_FGD
    labels[cv2.dilate(mask, disc) == 0] = cv2.GC_BGD
    if min(int((labels == kind).sum()) for kind in (cv2.GC_FGD, cv2.GC_BGD)) < _FEWEST_SEEDS:
        return mask > 0  # so thin, or so large, that it has no inside or no outside with colours to model
    return _largest_part(_run_grabcut(picture, labels, _EDGE_ROUNDS))


def _largest_part(mask: Mask) -> Mask:
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    chosen: Mask = parts == largest
    return chosen


def _enlarged(mask: Mask, size: tuple[int, int]) -> Tensor:
    """The mask at the original's size as alpha, uint8 [H, W], with its steps smoothed."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255, mode="L")
    return _tensor(np.asarray(grey.resize(size, Image.Resampling.BICUBIC)))


def _nearest(values: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(values, mode="L").resize(size, Image.Resampling.NEAREST))


def _tensor(values: Pixels) -> Tensor:
    return torch.from_numpy(values.copy())
