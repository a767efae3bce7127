"""Every method of the registry against another program: same network, same picture, same settings.

Each method has a file ``methods/test_ID.py`` beside this one, whose ``PEER`` says what it is compared with; what only
one method can show is tested there too.

The gradient of a network of ReLUs jumps where a unit's input changes sign. Two correct programs that round
differently put a few of millions of units on different sides, and then differ by a thousandth or a hundredth: so does
Captum from itself with another batch size or another number of threads. Hence two kinds of comparison. What computes
one picture through the network as it is must be equal in single precision. What computes many, through the folded
network, is compared in double precision, where hardly any unit lies that close to zero.
"""

import dataclasses

import pytest

from convis_core import attribution
from convis_core.attribution import METHODS, Method, MethodInfo
from convis_core.results import Attribution
from tests.parity.peers import TARGET, largest, peer_of, questions


@pytest.mark.parametrize("side", [96, 224])
@pytest.mark.parametrize("info", METHODS, ids=lambda info: info.id)
def test_a_method_equals_its_peer(single, info: MethodInfo, side: int, pictures, request):
    peer = peer_of(info)
    name = single.spec.id
    if name not in peer.networks or side not in peer.sides:
        pytest.skip("its own file compares what can be compared here")
    if peer.exact and (name, side) == ("vgg16", 224):
        pytest.skip("1 GB in double precision, and nothing that the others do not show")
    loaded = request.getfixturevalue("double") if peer.exact else single
    model = dataclasses.replace(loaded, input_size=side)
    x = pictures[side].double() if peer.exact else pictures[side]
    before: tuple[Method, Attribution] | None = None
    for asked in questions(info, peer, model):
        # What a method can continue from is continued from: another variant costs no further pass.
        resume = before[1] if before and attribution.continues(before[0], asked, before[1]) else None
        *_, ours = attribution.attribute(model, x, TARGET, asked, resume=resume)
        before = asked, ours
        theirs = peer.answer(model, x.clone(), TARGET, asked)
        scale = largest(theirs)
        assert "values" in theirs or "coarse" in theirs
        for field, expected in theirs.items():
            found = getattr(ours, field)
            assert found.shape == expected.shape, (asked, field)
            difference = float((found.double() - expected.detach().double()).abs().max())
            assert difference <= peer.within * scale, (asked, field)
