"""Saliency against Captum's."""

from captum.attr import Saliency

from tests.parity.peers import Peer


def captum(model, x, target, _asked):
    return {"values": Saliency(model.module).attribute(x, target=target, abs=False)[0]}


PEER = Peer(captum)
