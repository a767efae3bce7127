"""Input x gradient against Captum's."""

from captum.attr import InputXGradient

from tests.parity.peers import Peer


def captum(model, x, target, _asked):
    return {"values": InputXGradient(model.module).attribute(x, target=target)[0]}


PEER = Peer(captum)
