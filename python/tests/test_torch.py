"""Masks on PyTorch's modules: counts, training, files, names, refusals; kernels against automatic differentiation."""

from __future__ import annotations

import copy
import doctest
import gc
import importlib.util
import io
import itertools
import os
import pickle
import pkgutil
import subprocess
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

if importlib.util.find_spec("torch") is None:
    reason = "SKIPPED: PyTorch is not installed here, so sparsewidth.torch was not tested (pip install torch)"
    print(reason, file=sys.stderr)
    pytest.skip(reason, allow_module_level=True)

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as typeless_prune

import sparsewidth
import sparsewidth.torch as sparse
from sparsewidth.torch import _perceptron

torch.set_num_threads(1)
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# PyTorch has no types for pruning, nor for the parts of a module.
prune: Any = typeless_prune
Network = Any
Snapshot = tuple[dict[str, Tensor], dict[str, int], list[int]]


def skip(reason: str) -> NoReturn:
    print(f"SKIPPED: {reason}", file=sys.stderr)
    pytest.skip(f"SKIPPED: {reason}")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def mlp(inputs: int = 20, width: int = 30, outputs: int = 4) -> Network:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))


def conv2d() -> Network:
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(12 * 4 * 4, 4))


def conv1d() -> Network:
    return nn.Sequential(nn.Conv1d(2, 6, 3), nn.ReLU(), nn.ConvTranspose1d(6, 5, 3), nn.Flatten(), nn.Linear(50, 4))


def conv3d() -> Network:
    return nn.Sequential(nn.Conv3d(1, 4, 2), nn.ReLU(), nn.Conv3d(4, 6, 2), nn.Flatten(), nn.Linear(6 * 8, 4))


def resnet18() -> Network:
    path = EXAMPLES / "resnet18.py"
    spec = importlib.util.spec_from_file_location("resnet18", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ResNet18(3, 3, 4)


NETWORKS: dict[str, tuple[Callable[[], Network], tuple[int, ...]]] = {
    "mlp": (mlp, (20,)),
    "conv1d": (conv1d, (2, 10)),
    "conv2d": (conv2d, (3, 8, 8)),
    "conv3d": (conv3d, (1, 4, 4, 4)),
    "resnet18": (resnet18, (3, 32, 32)),
}
OPTIMIZERS: dict[str, Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.01),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, weight_decay=0.01),
}


def train(network: Network, shape: tuple[int, ...], kind: str = "sgd", epochs: int = 3, batches: int = 2) -> None:
    generator = torch.Generator().manual_seed(1)
    device = next(network.parameters()).device
    optimizer = OPTIMIZERS[kind](network.parameters())
    network.train()
    for _ in range(epochs * batches):
        x = torch.randn(4, *shape, generator=generator).to(device)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), torch.arange(4, device=device)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def weights_of(network: Network) -> dict[str, Tensor]:
    """All weights that an optimizer moves, by the names that they had."""
    return {name.removesuffix("_orig"): value.detach().clone() for name, value in network.named_parameters()}


def snapshot(network: Network) -> Snapshot:
    """What a refused call must not change."""
    state = {name: value.detach().clone() for name, value in network.state_dict().items()}
    hooks = {name: len(module._forward_pre_hooks) for name, module in network.named_modules()}
    return state, hooks, [id(parameter) for parameter in network.parameters()]


def same(before: Snapshot, after: Snapshot) -> bool:
    return (
        before[0].keys() == after[0].keys()
        and all(torch.equal(value, after[0][name]) for name, value in before[0].items())
        and before[1:] == after[1:]
    )


# ------------------------------------------------------------------------------------------------------------ sparsify


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_training_keeps_the_masks_and_the_number_of_weights(name: str, optimizer: str) -> None:
    make, shape = NETWORKS[name]
    network = make()
    total = sum(np.prod(shape) for shape in sparse.shapes_of(network).values())
    weights = int(total) // 3
    masks = sparse.sparsify(network, weights=weights, rule="uniform", seed=5)
    assert sum(int(mask.sum()) for mask in masks.values()) == weights

    before = weights_of(network)
    train(network, shape, optimizer)
    after = weights_of(network)
    found = sparse.masks_of(network)
    assert list(found) == list(masks)
    moved = 0
    for key, mask in masks.items():
        assert found[key].dtype == bool and np.array_equal(found[key], mask)
        moved += int((after[key] != before[key])[torch.from_numpy(mask)].sum())
    # All but those behind units that no input activates.
    assert moved > weights / 3

    network.eval()
    with torch.no_grad():
        x = torch.randn(2, *shape)
        outputs = network(x)
        assert all((network.get_parameter(f"{key}_orig") != 0).any() for key in masks)
        sparse.make_permanent(network)
        assert torch.equal(network(x), outputs)
    state = network.state_dict()
    for key, mask in masks.items():
        assert not state[key][torch.from_numpy(~mask)].any(), key
    assert sum(int(state[key].count_nonzero()) for key in masks) == weights
    assert sparse.masks_of(network) == {}
    zeros = sparse.masks_of(network, zeros_are_masked=True)
    assert all(np.array_equal(zeros[key], mask) for key, mask in masks.items())


def test_masks_are_those_of_draw_masks() -> None:
    network = conv2d()
    shapes = sparse.shapes_of(network)
    assert shapes == {"0.weight": (8, 3, 3, 3), "3.weight": (12, 2, 3, 3), "6.weight": (4, 192)}
    options: dict[str, Any] = {"density": 0.2, "rule": "erk", "seed": 7}
    expected = sparsewidth.draw_masks(shapes, **options)
    found = sparse.sparsify(network, **options)
    assert list(found) == list(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)

    network = conv2d()
    options = {"sparsity": 0.45, "rule": "uniform", "dense": ["0.weight"], "seed": 7}
    found = sparse.sparsify(network, keep={"6": 0.5}, **options)
    expected = sparsewidth.draw_masks(shapes, keep={"6.weight": 0.5}, **options)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert found["0.weight"].all() and found["6.weight"].sum() == 384

    network = conv2d()
    found = sparse.sparsify(network, density=0.5, pattern="kernel-wise", exclude=["6.weight"])
    expected = sparsewidth.draw_masks(dict(list(shapes.items())[:2]), density=0.5, pattern="kernel-wise")
    assert list(found) == ["0.weight", "3.weight"]
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert isinstance(network[6].weight, nn.Parameter)


def test_seeds_and_fan_in() -> None:
    same_seed = [sparse.sparsify(mlp(), density=0.1, seed=3)["0.weight"] for _ in range(2)]
    other = sparse.sparsify(mlp(), density=0.1, seed=4)["0.weight"]
    assert np.array_equal(same_seed[0], same_seed[1]) and not np.array_equal(same_seed[0], other)
    masks = sparse.sparsify(mlp(), density=0.5, rule="uniform", fan_in="constant")
    assert all(len(set(mask.sum(1))) == 1 for mask in masks.values())


def test_weights_are_rescaled_by_the_root_of_the_density() -> None:
    network = mlp()
    plain = copy.deepcopy(network)
    before = weights_of(network)
    masks = sparse.sparsify(network, density=0.2, rule="last-dense")
    sparse.sparsify(plain, density=0.2, rule="last-dense", rescale=False)
    after, untouched = weights_of(network), weights_of(plain)
    for name, mask in masks.items():
        torch.testing.assert_close(after[name], before[name] / mask.mean() ** 0.5)
        assert torch.equal(untouched[name], before[name])
    assert torch.equal(after["0.bias"], before["0.bias"])
    # Activations keep their size.
    x = torch.randn(4000, 1000)
    wide = nn.Linear(1000, 200, bias=False)
    size = wide(x).std()
    sparse.sparsify(wide, density=0.1)
    assert abs(wide(x).std() / size - 1) < 0.05


def test_a_layer_that_keeps_nothing_is_warned_of() -> None:
    network = mlp()
    with pytest.warns(UserWarning, match="keep no weight: 2.weight"):
        sparse.sparsify(network, weights=60, rule="uniform", keep={"2": 0})
    assert torch.isfinite(network(torch.randn(3, 20))).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_kinds_of_modules_stay_as_they_are(dtype: torch.dtype) -> None:
    network = mlp().to(dtype).eval()
    network[2].requires_grad_(False)
    ids = {id(parameter) for parameter in network.parameters()}
    sparse.sparsify(network, density=0.5)
    assert not network.training and not network[2].weight_orig.requires_grad and network[0].weight_orig.requires_grad
    assert {id(parameter) for parameter in network.parameters()} == ids
    assert all(tensor.dtype == dtype for tensor in network.state_dict().values())
    assert network(torch.randn(2, 20, dtype=dtype)).dtype == dtype
    masks = sparse.masks_of(network)
    sparse.make_permanent(network)
    sparse.apply_masks(network, masks)
    assert network[0].weight.dtype == dtype


def test_an_optimizer_made_before_moves_the_same_weights() -> None:
    network = mlp()
    optimizer = OPTIMIZERS["sgd"](network.parameters())
    sparse.sparsify(network, density=0.5)
    before = weights_of(network)
    network(torch.randn(8, 20)).square().sum().backward()
    optimizer.step()
    assert any((value != before[name]).any() for name, value in weights_of(network).items())


def test_a_module_of_one_layer() -> None:
    layer = nn.Linear(20, 10)
    assert sparse.sparsify(copy.deepcopy(layer), density=0.5, keep={"": 0.5})["weight"].sum() == 100
    masks = sparse.sparsify(layer, weights=17)
    assert list(masks) == ["weight"] and masks["weight"].sum() == 17
    assert np.array_equal(sparse.masks_of(layer)["weight"], masks["weight"])
    assert sparse.summary(layer)[0] | {"layer": "", "kept": 17, "pruned": True} == sparse.summary(layer)[0]


def test_lazy_layers_once_they_are_initialised() -> None:
    network = nn.Sequential(nn.LazyConv1d(6, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4))
    before = [name for name, _ in network.named_parameters()]
    with pytest.raises(ValueError, match="call the network once"):
        sparse.sparsify(network, density=0.5)
    assert [name for name, _ in network.named_parameters()] == before
    network(torch.randn(2, 3, 10))
    assert sum(mask.sum() for mask in sparse.sparsify(network, weights=100).values()) == 100


def test_shared_weights_have_one_mask() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4)
            self.second.weight = self.first.weight
            self.again = self.first

        def forward(self, x: Tensor) -> Any:
            return self.last(self.again(torch.relu(self.second(torch.relu(self.first(x))))))

    network: Network = Shared()
    assert sparse.shapes_of(network) == {"first.weight": (8, 8), "last.weight": (4, 8)}
    before = network.first.weight.detach().clone()
    masks = sparse.sparsify(network, weights=48, rule="uniform")
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"first.weight": 32, "last.weight": 16}
    # Once, though it is used three times.
    torch.testing.assert_close(network.first.weight_orig.detach(), before * 2**0.5)
    train(network, (8,))
    assert network.second.weight_orig is network.first.weight_orig
    assert sparse.masks_of(network).keys() == masks.keys()
    fresh = Shared()
    sparse.load_sparse(fresh, network.state_dict())
    x = torch.randn(3, 8)
    assert torch.equal(fresh(x), network(x))
    sparse.make_permanent(network)
    assert network.second.weight is network.first.weight
    assert np.array_equal((network.second.weight != 0).numpy(), masks["first.weight"])
    # By another of its names, and by two of them.
    fresh = Shared()
    sparse.apply_masks(fresh, {"again.weight": masks["first.weight"], "second": masks["first.weight"]})
    assert np.array_equal(sparse.masks_of(fresh)["first.weight"], masks["first.weight"])
    with pytest.raises(ValueError, match="differs from another mask of the same weights"):
        sparse.apply_masks(Shared(), {"first": masks["first.weight"], "second": ~masks["first.weight"]})


def test_layers_that_a_mask_would_not_hold_are_refused_by_name() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.body, self.head = nn.Embedding(10, 6), nn.Linear(6, 6), nn.Linear(6, 10, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, x: Tensor) -> Any:
            return self.head(self.body(self.embedding(x)))

    with pytest.raises(ValueError, match="layer = head: .*embedding"):
        sparse.sparsify(Tied(), density=0.5)
    assert list(sparse.sparsify(Tied(), density=0.5, exclude="head")) == ["body.weight"]

    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with pytest.raises(ValueError, match=r"layer = self_attn.out_proj: .*MultiheadAttention"):
        sparse.sparsify(encoder, density=0.5)
    masks = sparse.sparsify(encoder, density=0.5, exclude=["self_attn.out_proj"])
    assert list(masks) == ["linear1.weight", "linear2.weight"]
    x = torch.randn(2, 3, 8)
    optimizer = OPTIMIZERS["sgd"](encoder.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        encoder(x).square().mean().backward()
        optimizer.step()
    # Evaluation, which has a faster way, uses the weights as they are now.
    encoder.eval()
    with torch.no_grad():
        fast = encoder(x)
        sparse.make_permanent(encoder)
        torch.testing.assert_close(encoder(x), fast)

    for weight_norm in (parametrizations.weight_norm, parametrizations.spectral_norm):
        network = nn.Sequential(weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4))
        before = snapshot(network)
        with pytest.raises(ValueError, match="layer = 0: .*parametrization"):
            sparse.sparsify(network, density=0.5)
        with pytest.raises(ValueError, match="layer = 0: .*parametrization"):
            sparse.apply_masks(network, {"0": np.ones((4, 4))})
        assert same(before, snapshot(network))
        masks = sparse.sparsify(network, density=0.5, exclude=["0"])
        assert sparse.masks_of(network).keys() == masks.keys() == {"1.weight"}
        assert [(row["layer"], row["kept"]) for row in sparse.summary(network)] == [("1", 8)]


def test_transposed_convolutions() -> None:
    masks = sparse.sparsify(conv1d(), weights=60, rule="uniform")
    assert masks["2.weight"].shape == (6, 5, 3) and sum(mask.sum() for mask in masks.values()) == 60
    with pytest.raises(ValueError, match="fan_in = even: .*transposed"):
        sparse.sparsify(conv1d(), weights=60, rule="uniform", fan_in="even")
    sparse.sparsify(conv1d(), weights=60, rule="uniform", fan_in="even", exclude=["2"])


def test_widen() -> None:
    def make(width: int) -> Network:
        return mlp(20, width, 4)

    narrow = make(10)
    wide = sparse.widen(make, 40, weights=narrow, rule="last-dense", seed=2)
    assert sum(row["kept"] for row in sparse.summary(wide)) == 240
    expected = sparsewidth.draw_masks(sparse.shapes_of(make(40)), weights=240, rule="last-dense", seed=2)
    assert all(np.array_equal(mask, expected[name]) for name, mask in sparse.masks_of(wide).items())
    wider = sparse.widen(make, 80, weights=wide)
    assert [row["kept"] for row in sparse.summary(wider)] == [mask.sum() for mask in sparse.masks_of(wider).values()]
    assert sum(row["kept"] for row in sparse.summary(wider)) == 240
    assert sum(mask.sum() for mask in sparse.masks_of(sparse.widen(make, 40, weights=99)).values()) == 99
    without = sparse.widen(make, 40, weights=narrow, exclude=["2"])
    assert [row["kept"] for row in sparse.summary(without)] == [200, 160]
    with pytest.raises(ValueError):
        sparse.widen(make, 5, weights=narrow)
    with pytest.raises(TypeError, match="module_factory = Sequential: cannot|module_factory"):
        sparse.widen(3, 5, weights=10)  # type: ignore[arg-type]


def test_cuda() -> None:
    if not torch.cuda.is_available():
        skip("no CUDA device here, so masks on one were not tested")
    network = conv2d().cuda()
    masks = sparse.sparsify(network, weights=200, seed=1)
    assert all(tensor.is_cuda for tensor in network.state_dict().values())
    train(network, (3, 8, 8))
    assert all(np.array_equal(mask, masks[name]) for name, mask in sparse.masks_of(network).items())
    sparse.make_permanent(network)
    sparse.apply_masks(network, {name: torch.from_numpy(mask).cuda() for name, mask in masks.items()})
    fresh = conv2d()
    sparse.load_sparse(fresh, network.state_dict())
    network = mlp().cuda()
    sparse.sparsify(network, density=0.5)
    x = torch.randn(6, 20)
    there = sparse.empirical_kernel(network, x.cuda(), get=("nngp", "ntk"))
    here = sparse.empirical_kernel(network.cpu(), x, get=("nngp", "ntk"))
    assert all(np.allclose(*pair, rtol=1e-10) for pair in zip(here, there))


# ---------------------------------------------------------------------------------------------------- files and copies


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
@pytest.mark.parametrize("keys", ["weights", "torch"])
def test_masks_through_files(tmp_path: Path, ending: str, keys: str) -> None:
    masks = sparse.sparsify(conv2d(), density=0.3, seed=1)
    file = tmp_path / f"masks.{ending}"
    sparsewidth.save_masks(file, masks, keys=keys)
    read = sparsewidth.load_masks(file)
    network = conv2d()
    sparse.apply_masks(network, read)
    found = sparse.masks_of(network)
    assert found.keys() == masks.keys()
    assert all(np.array_equal(found[name], mask) for name, mask in masks.items())


def test_masks_of_kinds_of_arrays_and_names() -> None:
    mask = np.random.default_rng(0).random((30, 20)) < 0.5
    kinds: list[dict[str, Any]] = [
        {"0.weight": mask},
        {"0.weight_mask": mask.astype(np.float32)},
        {"0": mask.astype(np.int64)},
        {"0.weight": np.asfortranarray(mask)[::-1][::-1]},
        {"0.weight": torch.from_numpy(mask)},
        {"0.weight": torch.from_numpy(mask).to(torch.bfloat16).requires_grad_()},
        {"0.weight": mask.tolist()},
    ]
    for given in kinds:
        network = mlp()
        before = weights_of(network)
        sparse.apply_masks(network, given)
        assert np.array_equal(sparse.masks_of(network)["0.weight"], mask)
        assert all(torch.equal(value, before[name]) for name, value in weights_of(network).items())
    network = mlp()
    before = network[0].weight.detach().clone()
    sparse.apply_masks(network, {"0": mask}, rescale=True)
    torch.testing.assert_close(network[0].weight_orig.detach(), before / mask.mean() ** 0.5)
    read_only = mask.copy()
    read_only.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sparse.apply_masks(mlp(), {"0": read_only})


def test_states_in_and_out(tmp_path: Path) -> None:
    trained = conv2d()
    sparse.sparsify(trained, density=0.3)
    train(trained, (3, 8, 8))
    trained.eval()
    x = torch.randn(2, 3, 8, 8)
    buffer = io.BytesIO()
    torch.save(trained.state_dict(), buffer)
    buffer.seek(0)
    states = [trained.state_dict(), torch.load(buffer, weights_only=True)]
    states.append({name: value.numpy() for name, value in trained.state_dict().items()})
    if importlib.util.find_spec("safetensors") is None:
        print("SKIPPED: safetensors is not installed here, so its files were not tested", file=sys.stderr)
    else:
        from safetensors.torch import load_file, save_file

        file = tmp_path / "trained.safetensors"
        save_file(trained.state_dict(), file)
        states.append(load_file(file))
        # The library's own reader takes the same file.
        read = sparsewidth.load_masks(file)
        masks = sparse.masks_of(trained)
        assert all(np.array_equal(read[name], mask) for name, mask in masks.items())
    for state in states:
        fresh = conv2d().eval()
        sparse.load_sparse(fresh, state)
        copied = copy.deepcopy(fresh)
        assert torch.equal(fresh(x), trained(x)) and torch.equal(copied(x), trained(x))
        train(fresh, (3, 8, 8))
        expected = sparse.masks_of(trained)
        assert all(np.array_equal(mask, expected[name]) for name, mask in sparse.masks_of(fresh).items())
    # One that is sparse already takes it by itself.
    other = conv2d().eval()
    sparse.sparsify(other, density=0.9, seed=8)
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other(x), trained(x))


def test_states_of_other_networks_are_refused() -> None:
    trained = mlp()
    sparse.sparsify(trained, density=0.3)
    state = trained.state_dict()
    lacking = {name: value for name, value in state.items() if name != "2.bias"}
    whole = {**state, "0.weight": state["0.weight_orig"]}
    shaped = {**state, "2.bias": torch.zeros(5)}
    wrong_mask = {**state, "0.weight_mask": state["0.weight_mask"] * 2}
    for wrong, words in [
        (mlp().state_dict(), "no LAYER.weight_mask"),
        (lacking, "lacks 2.bias"),
        (whole, "has beside those of the network 0.weight"),
        (shaped, r"2.bias of shape \(5,\): the network has the shape \(4,\)"),
        (wrong_mask, "neither 0 nor 1"),
    ]:
        fresh = mlp()
        before = snapshot(fresh)
        with pytest.raises(ValueError, match=words):
            sparse.load_sparse(fresh, wrong)
        assert same(before, snapshot(fresh))
    with pytest.raises(ValueError, match="the weights have the shape"):
        sparse.load_sparse(mlp(21), state)
    with pytest.raises(ValueError, match="pruned already"):
        sparse.load_sparse(trained, state)
    with pytest.raises(TypeError):
        sparse.load_sparse(mlp(), [1])  # type: ignore[arg-type]


def test_copies_and_pickles() -> None:
    network = conv2d()
    masks = sparse.sparsify(network, density=0.3)
    x = torch.randn(2, 3, 8, 8)
    copies = [copy.deepcopy(network), pickle.loads(pickle.dumps(network))]
    train(network, (3, 8, 8))
    # As a part of a graph PyTorch pickles it, and copies it once it was used outside of one.
    copies.append(pickle.loads(pickle.dumps(network)))
    network.eval()
    with torch.no_grad():
        outputs = network(x)
    copies.append(copy.deepcopy(network))
    for copied in copies:
        assert all(np.array_equal(mask, masks[name]) for name, mask in sparse.masks_of(copied).items())
        train(copied, (3, 8, 8))
        sparse.make_permanent(copied)
        state = copied.state_dict()
        assert all(int(state[name].count_nonzero()) == mask.sum() for name, mask in masks.items())
    # Training copies left the network alone.
    with torch.no_grad():
        assert torch.equal(network(x), outputs)


def test_pruned_by_torch() -> None:
    network = mlp()
    prune.l1_unstructured(network[0], "weight", amount=0.7)
    prune.random_unstructured(network[0], "weight", amount=0.5)
    prune.l1_unstructured(network[0], "bias", amount=3)
    masks = sparse.masks_of(network)
    assert list(masks) == ["0.weight"] and masks["0.weight"].sum() == 90
    assert [row["pruned"] for row in sparse.summary(network)] == [True, False]
    sparse.make_permanent(network)
    assert network[0].weight.count_nonzero() == 90 and hasattr(network[0], "bias_mask")


def test_budgets_and_distances_of_pruned_networks() -> None:
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    plain = sparsewidth.allocate(network.state_dict(), density=0.5)
    masks = sparse.sparsify(network, density=0.5, seed=2)
    # As weight_orig and weight_mask.
    assert sparsewidth.allocate(network.state_dict(), density=0.5) == plain
    x = np.random.default_rng(0).standard_normal((20, 6))
    chosen: dict[str, Any] = {"pairs": 20, "drawn": 0, "initialisations": 2}
    report = sparsewidth.mask_report(sparse.masks_of(network), x, **chosen)
    assert [layer["layer"] for layer in report["layers"]] == ["0", "2"]
    assert report == sparsewidth.mask_report({"mask": masks}, x, **chosen)


def test_lists_of_tensors_are_no_sets() -> None:
    x, y = torch.randn(20, 6), torch.arange(20) % 2
    with pytest.raises(ValueError, match="data: is a list of four arrays.*tuple"):
        sparsewidth.train([x, y, x, y], widths=[8], learning_rate=1)
    with pytest.raises(ValueError, match="data: is a list of arrays of differing shapes.*tuple"):
        sparsewidth.distance([x, x[:5]])


def test_repeated_calls_keep_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((100, 400))

    def once() -> tuple[weakref.ref[Network], weakref.ref[Network]]:
        network = mlp(400, 1000, 10)
        masks = sparse.sparsify(network, density=0.02)
        sparse.empirical_kernel(network, x, get=("nngp", "ntk"))
        fresh = mlp(400, 1000, 10)
        sparse.load_sparse(fresh, network.state_dict())
        sparse.make_permanent(network)
        sparse.apply_masks(network, masks)
        return weakref.ref(network), weakref.ref(fresh)

    references = [reference for _ in range(3) for reference in once()]
    gc.collect()
    assert all(reference() is None for reference in references)
    statm = Path("/proc/self/statm")
    if not statm.exists():
        skip("no /proc here, so memory was not measured")

    def growth() -> int:
        before = int(statm.read_text().split()[1])
        for _ in range(10):
            once()
        gc.collect()
        return (int(statm.read_text().split()[1]) - before) * os.sysconf("SC_PAGE_SIZE")

    # What is kept grows every time: one layer's weights a call would be 16 MB. What an allocator keeps does not.
    assert min(growth() for _ in range(4)) < 8e6


# --------------------------------------------------------------------------------------------------------- wrong inputs


def raises(error: type[Exception], words: str, call: Callable[[], object]) -> None:
    """The error says the argument, and what to do after a semicolon."""
    with pytest.raises(error, match=words) as caught:
        call()
    message = str(caught.value)
    assert " = " in message and "; " in message, message


@pytest.mark.parametrize(
    ("error", "words", "options"),
    [
        (ValueError, "density|sparsity", {"density": 0.1, "sparsity": 0.9}),
        (ValueError, "density|sparsity", {}),
        (ValueError, "density", {"density": -0.1}),
        (ValueError, "density", {"density": float("nan")}),
        (ValueError, "density", {"density": 1.5}),
        (ValueError, "sparsity", {"sparsity": 1.0}),
        (TypeError, "density", {"density": "dense"}),
        (ValueError, "weights", {"weights": 10**9}),
        (ValueError, "weights", {"weights": -1}),
        (ValueError, "rule", {"density": 0.1, "rule": "fancy"}),
        (ValueError, "keep = 'fcc': no such layer; the layers are 0.w", {"density": 0.1, "keep": {"fcc": 0.1}}),
        (TypeError, "keep", {"density": 0.1, "keep": 0.5}),
        (ValueError, "dense = 'fcc': no such layer; the layers are", {"density": 0.5, "dense": ["fcc"]}),
        (ValueError, "exclude = 'fcc': no such layer; the layers are", {"density": 0.1, "exclude": ["fcc"]}),
        (TypeError, "exclude", {"density": 0.1, "exclude": [0]}),
        (TypeError, "exclude", {"density": 0.1, "exclude": 0}),
        (ValueError, "no layer is left", {"density": 0.1, "exclude": ["0", "2"]}),
        (ValueError, "pattern", {"density": 0.1, "pattern": "striped"}),
        (ValueError, "fan.in", {"density": 0.5, "fan_in": "odd"}),
        (ValueError, "seed", {"density": 0.1, "seed": -1}),
    ],
)
def test_wrong_budgets_leave_the_network_alone(error: type[Exception], words: str, options: dict[str, Any]) -> None:
    network = mlp()
    before = snapshot(network)
    raises(error, f"(?i){words}", lambda: sparse.sparsify(network, **options))
    assert same(before, snapshot(network))


@pytest.mark.parametrize(
    ("error", "words", "masks"),
    [
        (ValueError, "masks = 'fc.weight': no such layer; the layers are 0.w", {"fc.weight": np.ones((3, 4))}),
        (ValueError, r"mask of shape \(20, 30\): the weights have the shape \(30, 20\)", {"0": np.ones((20, 30))}),
        (ValueError, "neither 0 nor 1, such as 0.5", {"0": np.full((30, 20), 0.5)}),
        (ValueError, "neither 0 nor 1, such as nan", {"0": np.full((30, 20), np.nan)}),
        (ValueError, "neither 0 nor 1, such as -1", {"0": -np.ones((30, 20), int)}),
        (ValueError, "holds no mask", {}),
        (TypeError, "array of object", {"0": np.ones((30, 20), object)}),
        (TypeError, "array of <U", {"0": np.full((30, 20), "1")}),
        (TypeError, "is not an array", {"0": [[1, 0], [1]]}),
        (TypeError, "is no mapping", [np.ones((30, 20))]),
        (TypeError, "is no name", {0: np.ones((30, 20))}),
    ],
)
def test_wrong_masks_leave_the_network_alone(error: type[Exception], words: str, masks: Any) -> None:
    network = mlp()
    before = snapshot(network)
    # After one that is right, which must not be applied either.
    if isinstance(masks, dict) and masks:
        masks = {"2.weight": np.ones((4, 30)), **masks}
    raises(error, words, lambda: sparse.apply_masks(network, masks))
    assert same(before, snapshot(network))


def test_wrong_networks() -> None:
    raises(TypeError, "module = dict: is no torch.nn.Module", lambda: sparse.sparsify({}, density=0.1))  # type: ignore[arg-type]
    raises(ValueError, "neither linear nor convolutional", lambda: sparse.sparsify(nn.ReLU(), density=0.1))
    raises(ValueError, "neither linear nor", lambda: sparse.masks_of(nn.Sequential()))
    network = mlp()
    sparse.sparsify(network, density=0.5)
    before = snapshot(network)
    raises(ValueError, "layer = 0: it is pruned.*make_permanent", lambda: sparse.sparsify(network, density=0.5))
    raises(ValueError, "pruned already", lambda: sparse.apply_masks(network, {"0": np.ones((30, 20))}))
    assert same(before, snapshot(network))
    # Part of it pruned: the rest is left alone as well.
    network = mlp()
    prune.l1_unstructured(network[2], "weight", amount=0.5)
    before = snapshot(network)
    raises(ValueError, "layer = 2: it is pruned", lambda: sparse.sparsify(network, density=0.5))
    assert same(before, snapshot(network))
    assert list(sparse.sparsify(network, density=0.5, exclude=["2"])) == ["0.weight"]
    with torch.device("meta"):
        shapes = mlp()
    raises(ValueError, "no values yet", lambda: sparse.sparsify(shapes, density=0.5))


def test_examples() -> None:
    parts = [
        importlib.import_module(f"{sparse.__name__}.{part.name}") for part in pkgutil.iter_modules(sparse.__path__)
    ]
    found = [doctest.testmod(part) for part in parts]
    assert sum(some.failed for some in found) == 0 and sum(some.attempted for some in found) > 30


def test_imports() -> None:
    """Neither does the package import PyTorch, nor does this module without it fail without a word of advice."""
    program = "import sys, sparsewidth; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
    program = """
import sys
sys.modules["torch"] = None
try:
    import sparsewidth.torch
except ImportError as error:
    assert "pip install torch" in str(error), error
else:
    raise AssertionError("imported")
"""
    subprocess.run([sys.executable, "-c", program], check=True)


# -------------------------------------------------------------------------------------------------------------- kernels


def masked(network: Network, density: float = 0.3, exclude: Iterable[str] = ()) -> Network:
    sparse.sparsify(network, density=density, rule="uniform", exclude=exclude)
    return network


def deep(biases: bool = True) -> Network:
    sizes = [7, 12, 9, 11, 3]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, bias=biases), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def some_biases() -> Network:
    network = masked(deep())
    prune.random_unstructured(network[2], "bias", amount=4)
    prune.random_unstructured(network[6], "bias", amount=1)
    return network


def bias_mask_alone() -> Network:
    network = deep()
    prune.random_unstructured(network[0], "bias", amount=4)
    return network


def nested() -> Network:
    inner = nn.Sequential(nn.Linear(7, 12), nn.ReLU(), nn.Dropout(0.5))
    return nn.Sequential(nn.Flatten(), inner, nn.Identity(), nn.Sequential(nn.Linear(12, 9), nn.Linear(9, 2)))


def rows_without_weights() -> Network:
    network = mlp(7, 12, 3)
    mask = np.random.default_rng(0).random((12, 7)) < 0.4
    mask[[2, 5]] = False
    sparse.apply_masks(network, {"0": mask})
    return network


PERCEPTRONS: dict[str, Callable[[], Network]] = {
    "dense": lambda: mlp(7, 12, 3),
    "one output": lambda: mlp(7, 12, 1),
    "linear": lambda: nn.Linear(7, 3),
    "masked linear": lambda: masked(nn.Linear(7, 3)),
    "masked": lambda: masked(mlp(7, 12, 3)),
    "last layer dense": lambda: masked(mlp(7, 12, 3), exclude=["2"]),
    "rows without weights": rows_without_weights,
    "deep": deep,
    "deep, masked": lambda: masked(deep()),
    "deep, masked, without biases": lambda: masked(deep(biases=False)),
    "some biases": some_biases,
    "a mask of biases alone": bias_mask_alone,
    "nested": nested,
    "nested, masked": lambda: masked(nested()),
    "trained": lambda: trained(masked(deep())),
}


def trained(network: Network) -> Network:
    optimizer = OPTIMIZERS["sgd"](network.parameters())
    for _ in range(5):
        optimizer.zero_grad()
        network(torch.randn(8, 7)).square().mean().backward()
        optimizer.step()
    return network


def existing(network: Network) -> tuple[dict[str, Tensor], dict[str, tuple[float, int]]]:
    """Masks of all parameters, and densities and fans in of those that are weights."""
    masks: dict[str, Tensor] = {}
    scales: dict[str, tuple[float, int]] = {}
    for name, parameter in network.named_parameters():
        plain = name.removesuffix("_orig")
        masks[plain] = network.get_buffer(f"{plain}_mask") if plain != name else torch.ones_like(parameter)
        if parameter.dim() == 2:
            scales[plain] = (float(masks[plain].double().mean()), parameter.shape[1])
    return masks, scales


def by_autograd(network: Network, x1: Tensor, x2: Tensor, tangent: str) -> NDArray[np.float64]:
    """The tangent kernel by the Jacobians of the network as a function of its parameters, in double precision."""
    masks, scales = existing(network)
    with torch.no_grad():
        # Outside of a graph, so that it can be copied.
        network(x1.to(next(network.parameters()).dtype))
    whole = copy.deepcopy(network).double().eval()
    for module in whole.modules():
        for name in ("weight", "bias"):
            if hasattr(module, f"{name}_mask"):
                prune.remove(module, name)
    parameters = {name: value.detach() for name, value in whole.named_parameters()}

    def outputs(parameters: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(whole, parameters, (x[None],))[0]

    def jacobian(x: Tensor) -> Any:
        return vmap(jacrev(outputs), (None, 0))(parameters, x)

    first, second = jacobian(x1), jacobian(x2)
    kernel = torch.zeros(len(x1), len(x2), dtype=torch.float64)
    for name, mask in masks.items():
        density, fan_in = scales.get(name, (1.0, 1))
        factor = {"torch": 1.0, "paper": 1 / fan_in, "standardised": 1 / (fan_in * density)}[tangent]
        factor = factor if name.endswith("weight") else 1.0
        ours, theirs = (part[name] * mask.double() for part in (first, second))
        kernel += factor * torch.tensordot(ours.flatten(2), theirs.flatten(2), dims=([1, 2], [1, 2]))
    count: int = next(iter(first.values())).shape[1]
    return (kernel / count).numpy()


def relative(found: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", PERCEPTRONS)
def test_kernels_are_those_of_automatic_differentiation(name: str, dtype: torch.dtype) -> None:
    network = PERCEPTRONS[name]().to(dtype)
    x1, x2 = torch.randn(6, 7, dtype=torch.float64), torch.randn(5, 7, dtype=torch.float64)
    for tangent in ("torch", "standardised", "paper"):
        for computed in (torch.float64, torch.float32):
            for second in (None, x2):
                found = sparse.empirical_kernel(network, x1, second, get="ntk", tangent=tangent, dtype=computed)
                expected = by_autograd(network, x1, x1 if second is None else second, tangent)
                assert found.dtype == np.float64 and found.shape == expected.shape
                assert relative(found, expected) < (1e-12 if computed == torch.float64 else 1e-5)
    features: list[Tensor] = []
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    hook = last.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].detach().double()))
    network.eval()
    with torch.no_grad():
        network(x1.to(dtype)), network(x2.to(dtype))
    hook.remove()
    expected = (features[0] @ features[1].T / last.in_features).numpy()
    found = sparse.empirical_kernel(network, x1, x2, get="nngp")
    assert relative(found, expected) < (1e-12 if dtype == torch.float64 else 1e-5)


def test_the_tangent_kernel_is_that_of_backward_through_the_masks() -> None:
    network = trained(masked(deep())).double()
    x = torch.randn(4, 7, dtype=torch.float64)
    gradients = torch.zeros(4, 3, sum(parameter.numel() for parameter in network.parameters()), dtype=torch.float64)
    for row in range(4):
        for output in range(3):
            network.zero_grad()
            network(x[row : row + 1])[0, output].backward()
            gradients[row, output] = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    expected = torch.einsum("aop,bop->ab", gradients, gradients).numpy() / 3
    network.zero_grad()
    found = sparse.empirical_kernel(network, x, get="ntk")
    assert relative(found, expected) < 1e-12
    # It is of what an optimizer did last, not of the last use; and leaves no gradients.
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    assert relative(sparse.empirical_kernel(network, x, get="ntk"), found) > 1
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_kernels_of_the_paper() -> None:
    """`1/(n d) sum_i { [u_i x]_+ [u_i y]_+ + f v_i^2 H(u_i x) H(u_i y) sum_j x_j y_j }` of `v [u x]_+ / sqrt(n d)`."""
    d, n, p = 6, 40, 0.5
    generator = np.random.default_rng(3)
    mask = sparsewidth.draw_masks({"0.weight": (n, d)}, density=p)["0.weight"]
    u = generator.standard_normal((n, d)) * mask / p**0.5
    v = generator.standard_normal(n)
    x, y = generator.standard_normal((2, 5, d))
    network: Network = nn.Sequential(nn.Linear(d, n, bias=False), nn.ReLU(), nn.Linear(n, 1, bias=False)).double()
    with torch.no_grad():
        network[0].weight.copy_(torch.from_numpy(u / d**0.5))
        network[2].weight.copy_(torch.from_numpy(v / n**0.5))
    sparse.apply_masks(network, {"0": mask})
    a, b = x @ u.T, y @ u.T
    nngp = np.maximum(a, 0) @ np.maximum(b, 0).T / (n * d)
    for tangent, factor in (("standardised", 1 / p), ("paper", 1.0)):
        gains = np.einsum("i,ai,bi,ij,aj,bj->ab", factor * v**2, 1.0 * (a > 0), 1.0 * (b > 0), mask, x, y)
        ntk = nngp + gains / (n * d)
        found = sparse.empirical_kernel(network, x, y, get=("ntk", "nngp"), tangent=tangent)
        assert found._fields == ("ntk", "nngp")
        assert relative(found.ntk, ntk) < 1e-12 and relative(found.nngp, nngp) < 1e-12


def test_wide_networks_have_the_kernels_of_the_theory() -> None:
    d, n = 5, 100_000
    network: Network = nn.Sequential(nn.Linear(d, n, bias=False), nn.ReLU(), nn.Linear(n, 1, bias=False))
    with torch.no_grad():
        for layer in (network[0], network[2]):
            layer.weight.normal_(0, layer.in_features**-0.5)
    x = np.random.default_rng(0).standard_normal((4, d))
    found = sparse.empirical_kernel(network, x, get=("nngp", "ntk"), tangent="standardised")
    expected = sparsewidth.kernel(x, get=("nngp", "ntk"))
    assert expected.nngp is not None and expected.ntk is not None
    assert relative(found.nngp, expected.nngp) < 0.03 and relative(found.ntk, expected.ntk) < 0.03


def test_tiles_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    network = masked(deep())
    x1, x2 = torch.randn(23, 7), torch.randn(17, 7)
    whole = [sparse.empirical_kernel(network, x1, x, get=("nngp", "ntk")) for x in (None, x2)]
    monkeypatch.setattr(_perceptron, "TILE_ROWS", 5)
    tiled = [sparse.empirical_kernel(network, x1, x, get=("nngp", "ntk")) for x in (None, x2)]
    for some, others in zip(whole, tiled):
        assert relative(others.nngp, some.nngp) < 1e-14 and relative(others.ntk, some.ntk) < 1e-14
    for kernel in tiled[0]:
        assert np.array_equal(kernel, kernel.T) and np.linalg.eigvalsh(kernel).min() > -1e-12


def test_images_and_kinds_of_inputs() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    images = np.random.default_rng(0).integers(0, 255, (5, 3, 2, 2), dtype=np.uint8)
    expected = sparse.empirical_kernel(network, images.reshape(5, 12).astype(float))
    for given in (images, torch.from_numpy(images), images.reshape(5, 12).tolist(), images.astype(np.float32)):
        assert np.array_equal(sparse.empirical_kernel(network, given), expected)
    grads = torch.from_numpy(images).double().requires_grad_()
    assert np.array_equal(sparse.empirical_kernel(network, grads), expected)


def test_wrong_kernels() -> None:
    network, x = mlp(7, 12, 3), np.ones((4, 7))
    kernel: Any = sparse.empirical_kernel
    raises(ValueError, r"x1 = array of shape \(4, 6\): .*\(n, 7\)", lambda: kernel(network, np.ones((4, 6))))
    raises(ValueError, r"x2 = array of shape \(7,\)", lambda: kernel(network, x, np.ones(7)))
    raises(ValueError, "begin the network with Flatten", lambda: kernel(network, np.ones((4, 7, 1))))
    raises(ValueError, r"shape \(0, 7\)", lambda: kernel(network, np.ones((0, 7))))
    raises(ValueError, "row 1 is not finite", lambda: kernel(network, [[1.0] * 7, [np.nan] * 7]))
    raises(TypeError, "array of object", lambda: kernel(network, np.ones((4, 7), object)))
    raises(TypeError, "complex", lambda: kernel(network, np.ones((4, 7), complex)))
    raises(TypeError, "complex", lambda: kernel(network, torch.ones(4, 7, dtype=torch.complex64)))
    raises(ValueError, "get = ntkk", lambda: kernel(network, x, get="ntkk"))
    raises(ValueError, "get", lambda: kernel(network, x, get=("ntk", "ntk")))
    raises(ValueError, "get", lambda: kernel(network, x, get=()))
    raises(TypeError, "get", lambda: kernel(network, x, get=3))
    raises(ValueError, "tangent = sine", lambda: kernel(network, x, tangent="sine"))
    raises(ValueError, "dtype", lambda: kernel(network, x, dtype=torch.float16))
    raises(TypeError, "Conv2d is no layer of a perceptron", lambda: kernel(conv2d(), x))
    raises(TypeError, "GELU", lambda: kernel(nn.Sequential(nn.Linear(7, 3), nn.GELU(), nn.Linear(3, 1)), x))
    raises(ValueError, "end with a linear layer", lambda: kernel(nn.Sequential(nn.Linear(7, 3), nn.ReLU()), x))
    raises(ValueError, "3 inputs follows one of 4", lambda: kernel(nn.Sequential(nn.Linear(7, 4), nn.Linear(3, 4)), x))
    layer = nn.Linear(7, 7)
    raises(ValueError, "share weights", lambda: kernel(nn.Sequential(layer, nn.ReLU(), layer), x))
    parametrized = nn.Sequential(parametrizations.weight_norm(nn.Linear(7, 4)))
    raises(ValueError, "layer = 0: .*other parameters", lambda: kernel(parametrized, x))
    raises(ValueError, "kernel is not finite", lambda: kernel(network, 1e30 * x, dtype=torch.float32))
    raises(ValueError, "no shape yet", lambda: kernel(nn.Sequential(nn.LazyLinear(7)), x))
    raises(TypeError, "is no torch.nn.Module", lambda: kernel(3, x))


def test_tensors_are_arrays_where_numpy_can_read_them() -> None:
    x = torch.randn(5, 7, dtype=torch.float64)
    np.testing.assert_array_equal(sparsewidth.kernel(x), sparsewidth.kernel(x.numpy()))
    # Without data, as one on a GPU is to NumPy; with a gradient; sparse; of a type that NumPy lacks.
    others = [torch.empty(5, 7, device="meta"), x.clone().requires_grad_(), x.to_sparse(), x.to(torch.bfloat16)]
    for tensor in others:
        with pytest.raises(TypeError, match=r"x1: .*detach\(\)\.cpu\(\)\.numpy\(\)"):
            sparsewidth.kernel(tensor)
        with pytest.raises(TypeError, match="data: .*give an array"):
            sparsewidth.distance(tensor)
