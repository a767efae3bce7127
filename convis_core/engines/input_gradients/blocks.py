"""The blocks of the gradient network: convolutions and poolings that store only what the picture's gradient needs."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core.engines import onednn, winograd
from convis_core.network.operations import Gate

FUSES = onednn.available()
"""Whether a convolution and its activation can be one operation here; otherwise they are carried out in steps."""

_LARGE_LAYER = 500e6
"""Multiply-adds from which on a convolution justifies the large tile, whose rounding error is twice that of the direct
sum: a value so close to an activation's bound that rounding moves it across has another gradient."""


class Block(nn.Module):
    """A convolution with the padding before it and the activation after it.

    Attributes:
        light: whether it takes little arithmetic, being 1x1 or grouped.
        gate: the bounds of the ReLU after it, or None.
        pooled: whether the max pooling after it stores where the activation was clamped.
        owns_gradient: whether the incoming gradient has no other reader and may be overwritten.
    """

    def __init__(
        self, layer: nn.Conv2d, *, pad: nn.ZeroPad2d | None, gate: Gate | None, pooled: bool, owns_gradient: bool
    ):
        super().__init__()
        weight = layer.weight.detach()
        padding: tuple[int, int] = layer.padding  # type: ignore[assignment]  # not in words: see _is_plain
        if pad is not None:
            weight, padding = padding_inside(weight, pad)
        self.weight, self.padding, self.bias = weight, padding, layer.bias
        self.stride, self.dilation, self.groups = layer.stride, layer.dilation, layer.groups
        self.gate, self.pooled, self.owns_gradient = gate, pooled, owns_gradient
        plain = (self.stride, self.padding, self.groups) == ((1, 1), (0, 0), 1)
        self.matrix = weight[:, :, 0, 0] if plain and weight.shape[2:] == (1, 1) else None
        self.light = self.matrix is not None or self.groups > 1
        self._transformed: Callable[[int], winograd.Filters] | None = None
        if FUSES and winograd.suits(layer):
            self._transformed = partial(winograd.filters_of, layer)

    def filters(self, x: Tensor) -> winograd.Filters | None:
        """The weights in the transformed domain if this input is convolved faster there, else None."""
        if self._transformed is None or x.dtype != torch.float32:
            return None
        down, across = self.padding
        size = (x.shape[2] + 2 * down - 2, x.shape[3] + 2 * across - 2)
        largest = 4 if size[0] * size[1] * self.weight.numel() >= _LARGE_LAYER else 2
        tile = winograd.tile_for((self.weight.shape[1], self.weight.shape[0]), size, largest)
        return self._transformed(tile) if tile else None

    def forward(self, x: Tensor) -> Tensor:
        if self.light and len(x) == 1 and x.requires_grad:
            # For one picture it takes so little time that lanes would wait for Python's lock, which a function written
            # in Python needs in the backward pass and torch's own do not.
            return in_steps(x, self)
        y: Tensor = _Convolve.apply(x, self)
        return y


class _Convolve(torch.autograd.Function):
    """Carries out a block; the activation's output is all that is stored for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, block: Block) -> Tensor:
        ctx.block, ctx.shape, ctx.filters = block, x.shape, block.filters(x)
        if ctx.filters is not None:
            y = winograd.convolve(x, ctx.filters, block.padding, block.bias, block.gate)
        else:
            y = fused(x, block) if FUSES and x.dtype == torch.float32 else in_steps(x, block)
        if block.gate is not None and not block.pooled:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        block: Block = ctx.block
        if ctx.saved_tensors:
            (y,) = ctx.saved_tensors
            out = gradient if block.owns_gradient and gradient.stride() == y.stride() else torch.empty_like(y)
            gradient = _through_gate(gradient, y, block.gate, out)
        if block.matrix is not None:
            return _maps(_rows(gradient) @ block.matrix, ctx.shape), None
        if ctx.filters is not None:
            return winograd.gradient_by_input(gradient, ctx.filters, block.padding), None
        # Only the shape of the input is read; the memory of this placeholder is never touched.
        unseen = torch.empty(ctx.shape, dtype=gradient.dtype, memory_format=torch.channels_last)
        by_input, _, _ = torch.ops.aten.convolution_backward.default(
            gradient,
            unseen,
            block.weight,
            None,
            block.stride,
            block.padding,
            block.dilation,
            False,
            (0, 0),
            block.groups,
            (True, False, False),
        )
        return by_input, None


class Pool(nn.Module):
    """A max pooling.

    Attributes:
        geometry: kernel, stride, padding, dilation and ceil_mode.
        gate: the bounds of the ReLU before it, if that is stored here.
    """

    def __init__(self, layer: nn.MaxPool2d, gate: Gate | None):
        super().__init__()
        lengths = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        self.geometry = (*(_pair(length) for length in lengths), layer.ceil_mode)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _PoolMaxima.apply(x, self)
        return y


class _PoolMaxima(torch.autograd.Function):
    """Carries out a max pooling; only the maxima and their positions are stored."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pool: Pool) -> Tensor:
        y, positions = torch.ops.aten.max_pool2d_with_indices.default(x, *pool.geometry)
        ctx.pool, ctx.shape = pool, x.shape
        ctx.save_for_backward(positions.int(), *([] if pool.gate is None else [y]))  # half the bytes of torch's own
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        positions, *maxima = ctx.saved_tensors
        for y in maxima:
            gradient = _through_gate(gradient, y, ctx.pool.gate, torch.empty_like(y))
        unseen = torch.empty(ctx.shape, dtype=gradient.dtype, memory_format=torch.channels_last)
        by_input = torch.ops.aten.max_pool2d_with_indices_backward.default(
            gradient, unseen, *ctx.pool.geometry, positions.long()
        )
        return by_input, None


def _through_gate(gradient: Tensor, y: Tensor, gate: Gate | None, out: Tensor) -> Tensor:
    """The gradient passed back through a ReLU with output y: zero where y is at a bound, hence was clamped or on it."""
    passed: Tensor = torch.ops.aten.hardtanh_backward.grad_input(
        gradient, y, 0, math.inf if gate is None else gate.high, grad_input=out
    )
    return passed


def _pair(value: int | tuple[int, int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def in_steps(x: Tensor, block: Block) -> Tensor:
    """A block's convolution and activation as torch's separate operations.

    Args:
        x: [N, I, H, W], fastest in channels-last order.
        block: the convolution, its padding and its activation.
    """
    if block.matrix is None:
        y = functional.conv2d(x, block.weight, block.bias, block.stride, block.padding, block.dilation, block.groups)
    elif block.bias is None:
        y = _rows(x) @ block.matrix.t()
    else:
        y = torch.addmm(block.bias, _rows(x), block.matrix.t())
    # In place, since the convolution's output has no other reader; for hardtanh torch itself makes a copy first.
    if block.gate is not None:
        y = y.relu_() if block.gate.high == math.inf else functional.hardtanh_(y, 0.0, block.gate.high)
    return y if block.matrix is None else _maps(y, x.shape)


def fused(x: Tensor, block: Block) -> Tensor:
    """The same in one operation of oneDNN, which adds the bias and activates while the product is in cache.

    Args:
        x: float32 [N, I, H, W], in channels-last order.
        block: the convolution, its padding and its activation.
    """
    if block.matrix is not None:
        return _maps(onednn.linear(_rows(x), block.matrix, block.bias, block.gate), x.shape)
    geometry: Any = (block.stride, block.padding, block.dilation, block.groups)
    return onednn.convolution(x, block.weight, block.bias, geometry, block.gate)


def _rows(maps: Tensor) -> Tensor:
    """[N, C, H, W] as [N * H * W, C]; no copy when the order is channels last."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _maps(rows: Tensor, like: torch.Size) -> Tensor:
    """[N * H * W, C] as [N, C, H, W] in channels-last order."""
    return rows.view(like[0], like[2], like[3], -1).permute(0, 3, 1, 2)


def padding_inside(weight: Tensor, pad: nn.ZeroPad2d) -> tuple[Tensor, tuple[int, int]]:
    """A kernel and a symmetric padding that together replace an asymmetric padding before the kernel.

    Padding p on every side moves each window p - before further out; as many zeros at the front of the kernel, and
    p - after at its end, restore the positions of its weights.

    Args:
        weight: [O, I / groups, kh, kw].
        pad: the asymmetric padding.

    >>> kernel, padding = padding_inside(torch.ones(1, 1, 1, 2), nn.ZeroPad2d((0, 1, 0, 0)))
    >>> kernel.tolist(), padding
    ([[[[0.0, 1.0, 1.0]]]], (0, 1))
    """
    left, right, top, bottom = pad.padding
    across, down = max(left, right), max(top, bottom)
    zeros = (across - left, across - right, down - top, down - bottom)
    return functional.pad(weight, zeros).contiguous(memory_format=torch.channels_last), (down, across)
