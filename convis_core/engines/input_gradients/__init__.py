"""The gradient network: a network rewritten to differentiate many pictures in little time and memory.

Autograd must be prepared to differentiate with respect to anything. Here only the gradient with respect to the picture
is needed, which allows

- a convolution to discard its input: the gradient with respect to the input needs the weights alone;
- a 3x3 convolution to be computed with fewer multiplications, in both directions (see ``engines.winograd``);
- an activation to work in place and to store only its output, which also shows where it was clamped;
- an activation before a max pooling to store only the maxima, since no other value has a gradient, and the pooling
  to discard its input;
- a 1x1 convolution in channels-last order to be computed as the product of two matrices (on one thread, torch would
  choose a slower algorithm);
- asymmetric zero padding before a depthwise convolution to become zeros in its kernel, instead of a copy of the maps.

The result differs from the network's own by rounding only. Whatever is not a convolution or its activation remains
torch's own operation.
"""

from convis_core.engines.input_gradients.rewriting import gradient_network, in_two_parts

__all__ = ["gradient_network", "in_two_parts"]
