"""The layers of a network by the names of their weights: found, checked, pruned. What refusals say."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn.utils import prune

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
# Names that an error lists.
LISTED = 30
Masks = dict[str, NDArray[np.bool_]]


class Layer(NamedTuple):
    """Weights, the modules that use them (more than one where they are shared), and all names that they go by."""

    # A parameter; a tensor of no entries where weights are computed from others (`torch.nn.utils.parametrize`), which
    # is not done here, as spectral_norm counts how often it is.
    weight: Tensor
    users: list[nn.Module]
    names: list[str]

    @property
    def mask(self) -> Tensor | None:
        return self.users[0]._buffers.get("weight_mask")

    def kept_at(self) -> Tensor:
        """Which weights exist and are not 0; by the mask alone where there is one."""
        return (self.weight.detach() if self.mask is None else self.mask) != 0

    def kept(self) -> int:
        """How many weights exist."""
        return self.weight.numel() if self.mask is None else int(self.mask.count_nonzero())

    def refresh(self) -> None:
        """Sets `weight` anew, outside of any graph, so that the network can be copied."""
        for user in self.users:
            user.weight = values_and_mask(user, "weight", self.weight.dtype)[0]


def parameter_of(layer: nn.Module, name: str) -> nn.Parameter | None:
    """What an optimizer moves: `weight`, or `weight_orig` of a layer that is pruned."""
    whole = layer._parameters.get(name)
    return layer._parameters.get(f"{name}_orig") if whole is None else whole


def is_pruned(layer: nn.Module) -> bool:
    return layer._buffers.get("weight_mask") is not None


def values_and_mask(layer: nn.Module, name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A parameter as it acts, and 1 where it exists. `layer.weight` itself may be of an earlier step."""
    parameter, mask = parameter_of(layer, name), layer._buffers.get(f"{name}_mask")
    assert parameter is not None, "a layer's parameters were checked"
    values = parameter.detach().to(dtype)
    exists = torch.ones_like(values) if mask is None else (mask != 0).to(dtype)
    return values * exists, exists


def layers_of(module: nn.Module, *, computed: bool = False) -> dict[str, Layer]:
    """The layers by the first names of their weights, with or without those whose weights are computed."""
    check_module(module)
    found: dict[int, Layer] = {}
    for path, layer in module.named_modules(remove_duplicate=False):
        if not isinstance(layer, LAYERS):
            continue
        name = f"{path}.weight" if path else "weight"
        weight = parameter_of(layer, "weight")
        if weight is not None and nn.parameter.is_lazy(weight):
            problem = "its weights have no shape yet"
            raise ValueError(refusal("layer", layer_of(name), problem, "call the network once on an input"))
        key, values = (id(layer), torch.empty(0)) if weight is None else (id(weight), weight)
        entry = found.setdefault(key, Layer(values, [], []))
        entry.names.append(name)
        if all(user is not layer for user in entry.users):
            entry.users.append(layer)
    if not found:
        remedy = "give a network with torch.nn.Linear or torch.nn.Conv layers"
        raise ValueError(refusal("module", kind_of(module), "has neither linear nor convolutional layers", remedy))
    return {layer.names[0]: layer for layer in found.values() if computed or isinstance(layer.weight, nn.Parameter)}


def layer_of(name: str) -> str:
    """The layer of some weights, empty where it is the whole network."""
    return name.removesuffix("weight").removesuffix(".")


def check_module(module: nn.Module) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(refusal("module", kind_of(module), "is no torch.nn.Module", "give a network"))


def check_usable(module: nn.Module, layers: dict[str, Layer], *, pruned: bool = False) -> None:
    """Refuses layers whose weights a mask would not hold, or whose values are not there."""
    outside: set[int] = set()
    uncalled: set[int] = set()
    for part in module.modules():
        if not isinstance(part, LAYERS):
            outside.update(id(parameter) for parameter in part.parameters(recurse=False))
        if isinstance(part, nn.MultiheadAttention):
            uncalled.add(id(part.out_proj))
    for name, layer in layers.items():
        problem, exclude = None, "leave it out, by `exclude` or by giving no mask for it"
        if not isinstance(layer.weight, nn.Parameter):
            problem = "its weights are computed from other parameters"
            remedy = f"remove the parametrization (weight_norm and the like), or {exclude}"
        elif layer.weight.is_meta:
            problem, remedy = "its weights have no values yet", "initialise them: module.to_empty(device=...)"
        elif not layer.weight.is_floating_point():
            problem, remedy = f"its weights are {layer.weight.dtype}", exclude
        elif not pruned and any(is_pruned(user) for user in layer.users):
            problem, remedy = "it is pruned already", f"call make_permanent(module), take a fresh network, or {exclude}"
        elif not pruned and id(layer.weight) in outside:
            problem, remedy = "a module of another kind, such as an embedding, shares its weights", exclude
        elif not pruned and any(id(user) in uncalled for user in layer.users):
            problem = "torch.nn.MultiheadAttention uses its weights without calling it, so that a mask would not last"
            remedy = exclude
        if problem is not None:
            raise ValueError(refusal("layer", layer_of(name), problem, remedy))


def prune_layers(layers: dict[str, Layer], masks: Mapping[str, NDArray[np.bool_]], rescale: bool) -> None:
    """Prunes layers, which are checked already."""
    tensors = {name: torch.tensor(masks[name], device=layer.weight.device) for name, layer in layers.items()}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        warnings.warn(f"nothing passes through layers that keep no weight: {listed(empty)}", stacklevel=3)
    for name, layer in layers.items():
        density = float(masks[name].mean())
        if rescale and density > 0:
            with torch.no_grad():
                layer.weight.div_(math.sqrt(density))
        for user in layer.users:
            prune.custom_from_mask(user, "weight", tensors[name])  # type: ignore[no-untyped-call]
        layer.refresh()


def check_masks(
    module: nn.Module, masks: Mapping[str, ArrayLike | Tensor], argument: str
) -> tuple[dict[str, Layer], Masks]:
    """Masks, and the layers that they are for, checked."""
    if not isinstance(masks, Mapping):
        remedy = "give a dict, LAYER.weight to an array of 0 and 1"
        raise TypeError(refusal(argument, kind_of(masks), "is no mapping of layers to masks", remedy))
    if not masks:
        raise ValueError(refusal(argument, "{}", "holds no mask", "give the mask of one layer at least"))
    layers = layers_of(module, computed=True)
    names = {key: resolve(layers, key, argument) for key in masks}
    layers = {name: layers[name] for name in names.values()}
    check_usable(module, layers)
    remedy = "give arrays of 0 and 1, of the weights' shapes"
    found: Masks = {}
    for key, value in masks.items():
        name, what = names[key], f"{argument}[{key!r}]"
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            value = (value.double() if value.is_floating_point() else value).numpy()
        array = array_of(value, what, remedy)
        shape = tuple(layers[name].weight.shape)
        if array.shape != shape:
            problem = f"the weights have the shape {shape}"
            raise ValueError(refusal(what, f"mask of shape {array.shape}", problem, remedy))
        mask = array == 1
        wrong = ~mask & (array != 0)
        if wrong.any():
            problem = f"{int(wrong.sum())} entries are neither 0 nor 1, such as {array[wrong][0]}"
            raise ValueError(refusal(what, f"mask of {array.dtype}", problem, remedy))
        if name in found and (found[name] != mask).any():
            problem = f"differs from another mask of the same weights, {name}"
            raise ValueError(refusal(what, "mask", problem, "give shared weights one mask"))
        found[name] = mask
    return layers, found


def resolve(layers: dict[str, Layer], name: Any, argument: str) -> str:
    """The first name of the weights that `LAYER`, `LAYER.weight` or `LAYER.weight_mask` names."""
    if not isinstance(name, str):
        raise TypeError(refusal(argument, repr(name), "is no name of a layer", f"the layers are {listed(layers)}"))
    for first, layer in layers.items():
        if any(name in (other, f"{other}_mask", layer_of(other)) for other in layer.names):
            return first
    raise ValueError(refusal(argument, repr(name), "no such layer", f"the layers are {listed(layers)}"))


def resolved(layers: dict[str, Layer], names: Iterable[str], argument: str) -> list[str]:
    """The same of several names, or of one."""
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Iterable):
        raise TypeError(refusal(argument, repr(names), "is no list of layers", f"the layers are {listed(layers)}"))
    return list(dict.fromkeys(resolve(layers, name, argument) for name in names))


def array_of(value: Any, argument: str, remedy: str) -> NDArray[Any]:
    """An array of numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(refusal(argument, kind_of(value), f"is not an array ({error})", remedy)) from error
    if array.dtype.kind not in "biuf":
        raise TypeError(refusal(argument, f"array of {array.dtype}", "does not hold numbers", remedy))
    return array


def refusal(argument: str, value: object, problem: str, remedy: str) -> str:
    return f"{argument} = {value}: {problem}; {remedy}"


def kind_of(value: object) -> str:
    return type(value).__name__


def listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
