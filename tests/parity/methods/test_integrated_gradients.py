"""Integrated gradients against Captum's, with the same points."""

from captum.attr import IntegratedGradients

from convis_core.results import IntegratedGradientsSpec
from tests.parity.peers import Peer


def captum(model, x, target, asked):
    # Captum's default baseline is zero: black.
    steps = asked.spec.steps
    found = IntegratedGradients(model.module).attribute(x, target=target, n_steps=steps, internal_batch_size=2)
    return {"values": found[0]}


def asks(model):
    return [IntegratedGradientsSpec(steps=7 if model.input_size == 96 else 8)]


PEER = Peer(captum, asks, exact=True)
