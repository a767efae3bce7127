"""The network rewritten for one purpose: gradients of many pictures, in little time and memory.

Autograd must be ready to differentiate by anything. Here only the picture's gradient is wanted, and that allows

- a convolution to forget its input: the gradient by the input needs the weights alone;
- a 3x3 convolution to be done with fewer multiplications, in both directions (see ``convis_core.engines.winograd``);
- an activation to work in place and to be remembered by its output, which also says where it was cut off;
- an activation before a max pooling to be remembered by the maxima, for no other value has a gradient, and the pooling
  to forget its input;
- a 1x1 convolution in channels-last order to be what it is, a product of two matrices (on one thread, torch would
  choose a slower way);
- lopsided zero-padding before a depthwise convolution to become zeros in its kernel, instead of a copy of the maps.

The result differs from the network's own by rounding only. Whatever is not a convolution or its activation stays
torch's own operation.
"""

from convis_core.engines.input_gradients.rewriting import gradient_network, in_two_parts

__all__ = ["gradient_network", "in_two_parts"]
