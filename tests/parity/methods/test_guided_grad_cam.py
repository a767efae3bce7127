"""Guided Grad-CAM against Captum's."""

from captum.attr import GuidedGradCam

from tests.parity.methods.test_guided_backprop import with_capped_relus
from tests.parity.peers import Peer


def captum(model, x, target, asked):
    module = with_capped_relus(model)
    layer = module.get_submodule(asked.layer or model.spec.cam_layer)
    return {"values": GuidedGradCam(module, layer).attribute(x, target=target, interpolate_mode="bilinear")[0]}


PEER = Peer(captum)
