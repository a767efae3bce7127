"""A traced network: its names, and what works in place, at random or by the batch, brought to one form."""

import math
import operator
import threading
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import NodePathTracer
from torchvision.ops import stochastic_depth

from convis_core import models
from convis_core.errors import SpecError
from convis_core.models.pixels import Normalise
from convis_core.models.tracing import symbolic

X = torch.linspace(-1, 1, 2 * 3 * 6 * 6).view(2, 3, 6, 6)


def network(forward: Any, **layers: nn.Module) -> nn.Module:
    """A network of the given layers and forward(self, x)."""
    made = type("Made", (nn.Module,), {"forward": forward})()
    for name, layer in layers.items():
        made.add_module(name, layer)
    return made.eval()


def conv(seed: int = 0) -> nn.Conv2d:
    torch.manual_seed(seed)
    return nn.Conv2d(3, 3, 3, padding=1)


def run(module: nn.Module, x: Tensor = X) -> Tensor:
    with torch.no_grad():
        return module(x.clone())


def values(module: nn.Module) -> dict[str, Tensor]:
    """What every operation of the rewritten network returns, by name."""
    graph_module, names = symbolic(module)
    seen: dict[str, Tensor] = {}

    class Reader(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if n in names:
                seen[names[n]] = result
            return result

    with torch.no_grad():
        Reader(graph_module).run(X.clone())
    return seen


# Names


@pytest.mark.parametrize("model_id", [spec.id for spec in models.MODELS])
def test_names_are_those_of_torchvision(model_id: str):
    with torch.device("meta"):
        module = models.registry.build(model_id)
    tracer = NodePathTracer()
    tracer.trace(module)
    _, names = symbolic(module)
    assert list(names.values()) == list(tracer.node_to_qualname.values())


def test_a_layer_keeps_its_own_name_whatever_it_ends_in():
    module = network(
        lambda self, x: self.conv_10(self.conv_3(self.conv_2(self.conv_1(self.conv(x))))),
        **{name: conv(seed) for seed, name in enumerate(("conv", "conv_1", "conv_2", "conv_3", "conv_10"))},
    )
    graph_module, names = symbolic(module)
    layers = {node: name for node, name in names.items() if node.op == "call_module"}
    assert list(layers.values()) == ["conv", "conv_1", "conv_2", "conv_3", "conv_10"]
    assert all(node.target == name for node, name in layers.items())
    assert torch.equal(run(graph_module), run(module))


def test_further_uses_get_names_that_no_module_has():
    module = network(
        lambda self, x: self.relu_1(self.relu(self.relu(self.relu(x)) + 1) + 1),
        relu=nn.ReLU(),
        relu_1=nn.ReLU6(),
        add=nn.Tanh(),
    )
    _, names = symbolic(module)
    assert list(names.values()) == ["x", "relu", "relu@1", "add@1", "relu_2", "add_1", "relu_1"]


def test_functions_never_take_the_name_of_a_layer():
    def forward(self, x):
        return self.relu(torch.relu(x) + self.x(x))

    module = network(forward, relu=nn.ReLU6(), x=conv())
    _, names = symbolic(module)
    assert list(names.values()) == ["x@1", "relu@1", "x", "add", "relu"]
    assert len(set(names.values())) == len(names)


def test_names_within_blocks():
    inner = network(lambda self, x: torch.relu(self.conv(x)) + x, conv=conv())
    _, names = symbolic(network(lambda self, x: self.block(self.block(x)) + x, block=inner))
    assert list(names.values()) == [
        "x",
        "block.conv",
        "block.relu",
        "block.add",
        "block.conv_1",
        "block.relu_1",
        "block.add_1",
        "add",
    ]


def test_what_was_traced_is_returned_as_it_is():
    graph_module, names = symbolic(network(lambda self, x: torch.relu(self.a(x)), a=conv()))
    again, same = symbolic(graph_module)
    assert again is graph_module and same == names


# In place


def relu_method(self, x):
    y = self.conv(x)
    z = y.relu_()
    return y + z


def relu_positional(self, x):
    y = self.conv(x)
    F.relu(y, True)
    return y * 2


def relu_function(self, x):
    y = self.conv(x)
    torch.relu_(y)
    F.leaky_relu_(y, 0.3)
    F.hardtanh_(y, -0.1, 0.2)
    return y


def clamp_then_add(self, x):
    y = self.conv(x)
    kept = y
    y.clamp_(min=-0.1).add_(1).mul_(kept).sub_(0.5)
    return kept + y


def operators(self, x):
    y = self.conv(x)
    identity = y
    y += 1
    y *= identity
    y -= x
    y /= 3
    return y + identity


def operator_functions(self, x):
    y = self.conv(x)
    operator.iadd(y, x)
    return operator.imul(y, 2) + y


def fills(self, x):
    y = self.conv(x)
    z = y * 2
    z.zero_()
    y.fill_(0.25)
    return y + z + self.conv(x).masked_fill_(x > 0, 3.0)


def layer_in_place(self, x):
    y = self.conv(x)
    z = self.relu(y)
    return y + z


def through_dropout_and_identity(self, x):
    y = self.conv(x)
    same = self.dropout(self.identity(y)).detach()
    same.relu_()
    return y + same


def view_that_is_not_read(self, x):
    y = self.conv(x).flatten(1)
    y.relu_()
    return y


def view_taken_later(self, x):
    y = self.conv(x)
    y.relu_()
    return y.flatten(1) + y.view(y.size(0), -1)


def parts(self, x):
    a, b, c = self.conv(x).chunk(3, 1)
    a.relu_()
    b.mul_(2)
    return torch.cat([c, b, a], 1)


def part_of_a_whole(self, x):
    y = self.conv(x)
    y[:, :1].mul_(2)
    y.add_(1)
    part = y[:, :, 1 : x.size(2)]
    part.relu_()
    part -= 3
    return y + y[:, :1]


def part_of_a_part(self, x):
    y = self.conv(x)
    y.mul_(0.5)
    y[:, 1:][:, :, ::2].add_(7)
    return y


def reshaped_in_place(self, x):
    y = self.conv(x)
    y.unsqueeze_(1)
    return y.squeeze_(1).transpose_(2, 3)


def sizes(self, x):
    y = self.conv(x)
    n = y.size(1)
    m = n
    n += 2
    n *= m
    return y.relu_() * n + m


def own_weight_is_copied(self, x):
    weight = self.conv.weight.clone()
    weight.mul_(2)
    return F.conv2d(x, weight)


FORWARDS = [
    relu_method,
    relu_positional,
    relu_function,
    clamp_then_add,
    operators,
    operator_functions,
    fills,
    layer_in_place,
    through_dropout_and_identity,
    view_that_is_not_read,
    view_taken_later,
    parts,
    part_of_a_whole,
    part_of_a_part,
    reshaped_in_place,
    sizes,
    own_weight_is_copied,
]


def in_place(forward: Any) -> nn.Module:
    return network(forward, conv=conv(), relu=nn.ReLU(inplace=True), dropout=nn.Dropout(), identity=nn.Identity())


@pytest.mark.parametrize("forward", FORWARDS, ids=lambda forward: forward.__name__)
def test_what_works_in_place_gives_the_same_result_out_of_place(forward: Any):
    module = in_place(forward)
    graph_module, _ = symbolic(module)
    assert torch.equal(run(graph_module), run(module))
    for node in graph_module.graph.nodes:
        name = str(getattr(node.target, "__name__", node.target))
        assert not (node.op.startswith("call_f") and name.startswith("i") and hasattr(operator, name))
        assert not (node.op == "call_method" and name.endswith("_")) and name not in ("relu_", "leaky_relu_")
        assert node.kwargs.get("inplace", False) is False and not any(value is True for value in node.args)
    assert not any(getattr(layer, "inplace", False) for layer in graph_module.modules())
    assert module.relu.inplace, "the network that was given is not changed"


@pytest.mark.parametrize("forward", [relu_method, relu_positional, clamp_then_add, layer_in_place, operators])
def test_the_value_before_can_still_be_read(forward: Any):
    module = in_place(forward)
    assert torch.equal(values(module)["conv"], run(module.conv)) and float(run(module.conv).min()) < 0


def test_gradients_are_those_of_the_twin_out_of_place():
    def twin(self, x):
        y = self.conv(x)
        y = y.relu()
        return y + y

    pictures = [X.clone().requires_grad_() for _ in range(2)]
    for module, x in zip((symbolic(in_place(relu_method))[0], in_place(twin)), pictures, strict=True):
        module(x).square().sum().backward()
    assert torch.equal(pictures[0].grad, pictures[1].grad)


def part_and_overlapping_part(self, x):
    y = self.conv(x)
    other = y[:, :, 1:]
    y[:, :, :3].mul_(2)
    return other


def whole_of_a_part(self, x):
    y = self.conv(x)
    flat = y.flatten(1)
    y.relu_()
    return flat


def out_argument(self, x):
    y = self.conv(x)
    torch.add(x, 1, out=y)
    return y


def item_assignment(self, x):
    y = self.conv(x)
    y[:, 0] = 0
    return y


def own_weights(self, x):
    self.conv.weight.mul_(2)
    return self.conv(x)


def copied_into(self, x):
    y = self.conv(x)
    y.copy_(x)
    return y


@pytest.mark.parametrize(
    "forward", [part_and_overlapping_part, whole_of_a_part, out_argument, item_assignment, own_weights, copied_into]
)
def test_writing_that_cannot_be_followed_is_refused(forward: Any):
    with pytest.raises(SpecError, match=rf"line \d+ of {__file__}") as refusal:
        symbolic(in_place(forward))
    assert str(refusal.value).endswith(".") and "\n" not in str(refusal.value)


# At random, by the batch, by the memory layout


@pytest.mark.parametrize(
    "drop",
    [
        lambda x: F.dropout(x, 0.5),
        lambda x: F.dropout(x, 0.5, True, True),
        lambda x: F.dropout2d(x, 0.5),
        lambda x: F.alpha_dropout(x, 0.5, training=True),
        lambda x: F.feature_alpha_dropout(x, 0.5, True),
        lambda x: torch.dropout(x, 0.5, True),
        lambda x: torch.feature_dropout(x, 0.5, train=True),
        lambda x: stochastic_depth(x, 0.5, "row"),
    ],
)
def test_dropout_outside_training_returns_its_input(drop: Any):
    module = network(lambda self, x: drop(self.conv(x)), conv=conv())
    assert torch.equal(run(symbolic(module)[0]), run(module.conv))


def test_a_layer_that_stays_in_training_is_brought_to_eval_mode():
    module = network(lambda self, x: self.drop(x), drop=nn.Dropout())
    module.drop.train()
    graph_module, _ = symbolic(module)
    assert torch.equal(run(graph_module), X) and module.drop.training and not graph_module.training


@pytest.mark.parametrize("draw", [torch.rand_like, torch.bernoulli, lambda x: x.normal_(), lambda x: x.bernoulli()])
def test_random_numbers_are_refused(draw: Any):
    with pytest.raises(SpecError, match="random"):
        symbolic(network(lambda self, x: draw(self.conv(x).sigmoid()), conv=conv()))


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_without_statistics_answers_for_each_picture_by_itself(affine: bool):
    norm = nn.BatchNorm2d(3, affine=affine, track_running_stats=False, eps=1e-3)
    if affine:
        nn.init.uniform_(norm.weight), nn.init.uniform_(norm.bias)
    module = network(lambda self, x: self.norm(self.conv(x)), conv=conv(), norm=norm)
    graph_module, names = symbolic(module)
    alone = torch.cat([run(module, x[None]) for x in X])
    assert torch.allclose(run(graph_module), alone, atol=1e-6) and "norm" in names.values()
    assert not torch.allclose(run(module), alone, atol=1e-3), "the module itself mixes the pictures"
    for name, value in norm.named_parameters():
        assert graph_module.get_parameter(f"norm.{name}") is value


def test_batch_norm_as_a_function_answers_for_each_picture_by_itself():
    mean, variance = torch.zeros(3), torch.ones(3)

    def forward(self, x):
        return F.batch_norm(self.conv(x), mean, variance, training=True, eps=1e-3) + F.batch_norm(x, None, None, None)

    def stated(self, x):
        return F.batch_norm(x, mean, variance)

    def alone(self, x):
        return F.instance_norm(self.conv(x), eps=1e-3) + F.instance_norm(x)

    assert torch.equal(run(symbolic(network(stated))[0]), run(network(stated))), "with statistics it is left alone"
    graph_module, _ = symbolic(network(forward, conv=conv()))
    assert torch.allclose(run(graph_module), run(network(alone, conv=conv())), atol=1e-6)


def test_view_takes_every_memory_layout():
    def forward(self, x):
        y = self.conv(x)
        return y.view(x.size(0), -1) + y.view(size=(2, 108)) + y.flatten(1).view_as(y.reshape(2, -1))

    module = network(forward, conv=conv())
    graph_module, names = symbolic(module)
    assert torch.equal(run(graph_module), run(module)) and "view" in names.values()
    last = X.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.allclose(graph_module(last), run(module), atol=1e-6)
        with pytest.raises(RuntimeError, match="view"):
            module(last)


def test_what_does_not_reach_the_output_is_gone():
    def forward(self, x):
        self.late(x)
        torch._assert(x.shape[1] == 3, "three channels")
        return self.early(x)

    module = network(forward, late=conv(1), early=conv(2))
    graph_module, names = symbolic(module)
    assert list(names.values()) == ["x", "early"]
    assert {name for name, _ in graph_module.named_parameters()} == {"early.weight", "early.bias"}
    assert torch.equal(run(graph_module), run(module))


# What torch.fx cannot follow


def branch_on_data(self, x):
    return x if x.sum() > 0 else -x


def module_in_forward(self, x):
    return nn.ReLU()(x)


def range_over_shape(self, x):
    return sum(x[index] for index in range(x.shape[0]))


def loop_over_tensor(self, x):
    return sum(part for part in x)


def unknown_name(self, x):
    return undefined_function(x)  # noqa: F821


def unknown_layer(self, x):
    return self.missing(x)


def length(self, x):
    return x * len(x)


def number(self, x):
    return x * float(x.mean())


def square_root(self, x):
    return x * int(math.sqrt(x.shape[1]))


@pytest.mark.parametrize(
    "forward",
    [
        branch_on_data,
        module_in_forward,
        range_over_shape,
        loop_over_tensor,
        unknown_name,
        unknown_layer,
        length,
        number,
        square_root,
    ],
)
def test_what_torch_fx_cannot_follow_is_refused_with_its_line(forward: Any):
    line = forward.__code__.co_firstlineno + 1
    with pytest.raises(SpecError, match=rf"torch\.fx cannot follow line {line} of {__file__} \(") as refusal:
        symbolic(network(lambda self, x: self.inner(x), inner=network(forward)))
    text = str(refusal.value)
    assert text.endswith(".") and "\n" not in text and "Proxy" not in text


def test_tracing_leaves_no_trace():
    scale = torch.tensor(3.0)
    module = network(lambda self, x: self.conv(x) * scale * self.own, conv=conv())
    module.own = torch.tensor(2.0)
    before = dict(vars(module))
    graph_module, _ = symbolic(module)
    assert vars(module) == before
    assert torch.equal(run(graph_module), run(module))
    call = nn.Module.__call__
    with pytest.raises(SpecError):
        symbolic(network(branch_on_data))
    assert nn.Module.__call__ is call


def test_other_threads_compute_while_one_is_tracing():
    slow = network(lambda self, x: self.inner(x), inner=nn.Sequential(*(conv(index) for index in range(30))))
    expected = run(slow)
    failures: list[BaseException] = []
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            try:
                assert torch.equal(run(slow), expected)
            except BaseException as error:  # noqa: BLE001 -- shown by the test
                failures.append(error)
                return

    threads = [threading.Thread(target=compute), threading.Thread(target=lambda: [symbolic(slow) for _ in range(10)])]
    for thread in threads:
        thread.start()
    for _ in range(10):
        symbolic(slow)
    threads[1].join()
    done.set()
    threads[0].join()
    assert not failures


def test_normalise_is_one_operation():
    _, names = symbolic(nn.Sequential(Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), nn.ReLU()))
    assert list(names.values()) == ["input", "0", "1"]
