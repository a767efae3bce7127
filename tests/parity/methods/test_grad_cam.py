"""Grad-CAM against Captum's and, for its default layer, torchcam's."""

import dataclasses

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torchcam.methods import GradCAM

from convis_core import attribution
from tests.parity.peers import TARGET, Peer, distance, explained


def captum(model, x, target, asked):
    coarse = LayerGradCam(model.module, explained(model, asked)).attribute(x, target=target).detach()
    enlarged = LayerAttribution.interpolate(coarse.relu(), tuple(x.shape[-2:]), "bilinear")
    return {"coarse": coarse[0, 0], "values": enlarged[0]}


PEER = Peer(captum)


def test_the_positive_part_is_torchcams(single, pictures):
    model = dataclasses.replace(single, input_size=96)
    with GradCAM(model.module, explained(model, attribution.method_with("grad_cam"))) as extractor:
        scores = model.module(pictures[96].clone().requires_grad_())
        (theirs,) = extractor(TARGET, scores, normalized=False)
    ours = attribution.grad_cam(model, pictures[96], TARGET)
    assert distance(ours.coarse.relu(), theirs[0]) <= 1e-5


def test_the_map_is_as_large_as_the_picture(single, pictures):
    ours = attribution.grad_cam(single, pictures[224], TARGET)
    assert ours.values.shape == (1, 224, 224) and torch.equal(ours.magnitude(), ours.values[0])
