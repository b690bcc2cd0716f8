"""A perceptron's activations and gradients, and the tiles of its kernels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ._layers import (
    array_of,
    check_module,
    check_usable,
    kind_of,
    layers_of,
    listed,
    parameter_of,
    refusal,
    values_and_mask,
)

# Tiles of a kernel have at most so many rows and columns, and gradients of at most so many numbers.
TILE_ROWS, TILE_NUMBERS = 512, 1 << 25


class _Linear(NamedTuple):
    """A linear layer of a perceptron."""

    # Zero where masked.
    weight: Tensor
    bias: Tensor | None
    # 1 where a weight of a unit exists, and in one column more where its bias does: the weight of an input that is 1.
    exists: Tensor
    # `c_l`.
    factor: float

    @classmethod
    def of(cls, layer: nn.Linear, tangent: str, dtype: torch.dtype) -> _Linear:
        weight, weight_exists = values_and_mask(layer, "weight", dtype)
        bias, bias_exists = None, weight.new_zeros(len(weight))
        if parameter_of(layer, "bias") is not None:
            bias, bias_exists = values_and_mask(layer, "bias", dtype)
        density = float(weight_exists.double().mean())
        scale = {"torch": 1.0, "paper": weight.shape[1], "standardised": weight.shape[1] * density}[tangent]
        # Of a layer without weights there is nothing to multiply.
        factor = 1 / scale if scale > 0 else 0.0
        return cls(weight, bias, torch.cat([weight_exists, bias_exists[:, None]], 1), factor)


class _Trace(NamedTuple):
    """What kernels take of some inputs `x`, for each linear layer."""

    # What it takes, shape (x, entries).
    inputs: list[Tensor]
    # Gradients of the outputs by its units, shape (units, x, outputs); None for the last layer, whose units they are.
    gradients: list[Tensor | None]


class Perceptron:
    """Linear layers, and whether ReLU follows each."""

    def __init__(self, layers: list[_Linear], is_relu: list[bool], flattens: bool) -> None:
        self.layers, self.is_relu, self.flattens = layers, is_relu, flattens

    @classmethod
    def of(cls, module: nn.Module, tangent: str, dtype: torch.dtype) -> Perceptron:
        check_module(module)
        layers: list[nn.Linear] = []
        is_relu: list[bool] = []
        flattens = False
        for step in _steps(module):
            if isinstance(step, nn.Linear):
                layers.append(step)
                is_relu.append(False)
            elif isinstance(step, nn.ReLU) and layers:
                is_relu[-1] = True
            elif isinstance(step, nn.Flatten) and (step.start_dim, step.end_dim) == (1, -1):
                flattens = flattens or not layers
            elif not isinstance(step, (nn.Identity, nn.Dropout)):
                problem = f"{kind_of(step)} is no layer of a perceptron" + ("" if layers else "'s beginning")
                remedy = "give a torch.nn.Sequential of Linear and ReLU, beginning with Linear or Flatten"
                raise TypeError(refusal("module", kind_of(module), problem, remedy))
        if not layers or is_relu[-1]:
            problem = "does not end with a linear layer" if layers else "has no linear layer"
            raise ValueError(refusal("module", kind_of(module), problem, "give a network with linear outputs"))
        usable = layers_of(module, computed=True)
        check_usable(module, usable, pruned=True)
        if len(usable) < len(layers):
            shared = [name for layer in usable.values() for name in layer.names if len(layer.names) > 1]
            remedy = "give a network whose layers have weights of their own"
            raise ValueError(refusal("module", kind_of(module), f"layers share weights ({listed(shared)})", remedy))
        for before, after in itertools.pairwise(layers):
            if before.out_features != after.in_features:
                problem = f"a layer of {after.in_features} inputs follows one of {before.out_features} outputs"
                raise ValueError(refusal("module", kind_of(module), problem, "give layers that fit"))
        return cls([_Linear.of(layer, tangent, dtype) for layer in layers], is_relu, flattens)

    def inputs(self, value: ArrayLike | Tensor, argument: str) -> Tensor:
        """Inputs as a matrix, checked."""
        weight = self.layers[0].weight
        if isinstance(value, Tensor):
            x = value.detach()
            what = f"tensor of shape {tuple(x.shape)}"
        else:
            array = array_of(value, argument, "give an array of numbers")
            what, x = f"array of shape {array.shape}", torch.from_numpy(np.array(array, dtype=np.float64))
        if x.is_complex():
            raise TypeError(refusal(argument, what, "is complex", "give real numbers"))
        if self.flattens and x.dim() > 2:
            x = x.flatten(1)
        if x.dim() != 2 or len(x) == 0 or x.shape[1] != weight.shape[1]:
            problem = f"the network takes inputs of shape (n, {weight.shape[1]})"
            remedy = "give a row for each input" + ("" if self.flattens else ", or begin the network with Flatten")
            raise ValueError(refusal(argument, what, problem, remedy))
        wrong = (~torch.isfinite(x)).any(1).nonzero()
        if len(wrong) > 0:
            raise ValueError(refusal(argument, what, f"row {int(wrong[0])} is not finite", "leave such rows out"))
        return x.to(weight.device, weight.dtype)

    def tile_rows(self) -> int:
        """So many inputs that the largest gradients fit."""
        widest = max(layer.weight.shape[1] for layer in self.layers)
        return max(1, min(TILE_ROWS, TILE_NUMBERS // (widest * len(self.layers[-1].weight))))

    def trace(self, x: Tensor, has_gradients: bool) -> _Trace:
        """Activations forward, gradients of all outputs backward."""
        inputs = [x]
        for layer, is_relu in zip(self.layers[:-1], self.is_relu):
            x = x @ layer.weight.T if layer.bias is None else torch.addmm(layer.bias, x, layer.weight.T)
            x = x.relu() if is_relu else x
            inputs.append(x)
        gradients: list[Tensor | None] = [None]
        # Shape (inputs, outputs, units).
        gradient = self.layers[-1].weight.expand(len(x), -1, -1)
        for at in reversed(range(len(self.layers) - 1) if has_gradients else ()):
            if self.is_relu[at]:
                gradient = gradient * (inputs[at + 1] > 0)[:, None]
            gradients.insert(0, gradient.permute(2, 0, 1).contiguous())
            if at > 0:
                gradient = gradient @ self.layers[at].weight
        return _Trace(inputs, gradients)

    @staticmethod
    def nngp(ours: _Trace, theirs: _Trace) -> Tensor:
        return ours.inputs[-1] @ theirs.inputs[-1].T / ours.inputs[-1].shape[1]

    def ntk(self, ours: _Trace, theirs: _Trace) -> Tensor:
        """The sum over layers and units `i` of `G_i (c_l sum_(j: W_ij exists) h_j(x) h_j(y) + 1 where it has a bias)`,
        with `G_i` the mean over outputs of the products of their gradients by the unit."""
        outputs = len(self.layers[-1].weight)
        kernel = ours.inputs[0].new_zeros(len(ours.inputs[0]), len(theirs.inputs[0]))
        for at, layer in enumerate(self.layers):
            h1, h2 = _with_one(layer.factor * ours.inputs[at]), _with_one(theirs.inputs[at])
            g1, g2 = ours.gradients[at], theirs.gradients[at]
            if g1 is None or g2 is None:
                # Units are outputs: what is left is the share of them that has a weight.
                kernel += (h1 * layer.exists.mean(0)) @ h2.T
                continue
            g1 = g1 / outputs
            if (layer.exists == layer.exists[0]).all():
                kernel += torch.tensordot(g1, g2, dims=([0, 2], [0, 2])) * ((h1 * layer.exists[0]) @ h2.T)
                continue
            for exists, of_1, of_2 in zip(layer.exists.cpu(), g1, g2):
                columns = exists.nonzero()[:, 0].to(h1.device)
                kernel.addcmul_(of_1 @ of_2.T, h1[:, columns] @ h2[:, columns].T)
        return kernel


def _with_one(x: Tensor) -> Tensor:
    """Inputs, and the 1 that biases are weights of."""
    return nn.functional.pad(x, (0, 1), value=1.0)


def _steps(module: nn.Module) -> Iterator[nn.Module]:
    """The modules of nested sequences, in order."""
    if isinstance(module, nn.Sequential):
        for step in module:
            yield from _steps(step)
    else:
        yield module
