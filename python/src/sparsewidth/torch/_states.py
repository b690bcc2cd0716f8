"""What a sparse network holds, and its state in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ._layers import Masks, array_of, check_masks, kind_of, layer_of, layers_of, listed, prune_layers, refusal


def masks_of(module: nn.Module, *, zeros_are_masked: bool = False) -> Masks:
    """The masks of a network's pruned layers, however they were pruned; `{}` where none is.

    Parameters
    ----------
    module
        A network.
    zeros_are_masked
        Take the zeros of layers that are not pruned for their masks, as :func:`make_permanent` leaves them; the masks
        are then those of all layers.

    Returns
    -------
    dict of str to ndarray of bool
        `LAYER.weight` to an array of the weights' shape, for :func:`sparsewidth.save_masks` or :func:`apply_masks`.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    >>> masks = sparsewidth.torch.sparsify(network, density=0.1, exclude=["2"])
    >>> {name: (mask == masks[name]).all() for name, mask in sparsewidth.torch.masks_of(network).items()}
    {'0.weight': np.True_}
    """
    masks = {}
    for name, layer in layers_of(module).items():
        if zeros_are_masked or layer.mask is not None:
            masks[name] = layer.kept_at().cpu().contiguous().numpy()
    return masks


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's weights, for :func:`sparsewidth.allocate` and its kin; shared weights once.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    >>> sparsewidth.torch.shapes_of(network)
    {'0.weight': (8, 3, 5, 5), '2.weight': (2, 8)}
    """
    return {name: tuple(layer.weight.shape) for name, layer in layers_of(module).items()}


def summary(module: nn.Module) -> list[dict[str, Any]]:
    """What each layer keeps: a list of records, as `pandas.DataFrame` takes them.

    Returns
    -------
    list of dict
        With the keys `layer`, `shape`, `weights` (all of the layer's), `kept`, `density` and `pruned`.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(network, density=0.1)
    >>> sparsewidth.torch.summary(network)
    [{'layer': '0', 'shape': (30, 40), 'weights': 1200, 'kept': 120, 'density': 0.1, 'pruned': True}]
    """
    return [
        {
            "layer": layer_of(name),
            "shape": tuple(layer.weight.shape),
            "weights": layer.weight.numel(),
            "kept": layer.kept(),
            "density": layer.kept() / layer.weight.numel(),
            "pruned": layer.mask is not None,
        }
        for name, layer in layers_of(module).items()
    ]


def load_sparse(module: nn.Module, state_dict: Mapping[str, Any]) -> None:
    """Load the state of a sparse network into a fresh one, which is given the masks of the state.

    Parameters
    ----------
    module
        The network as it was before it was sparsified. One that is sparse already takes the state by its own
        `load_state_dict`.
    state_dict
        With `LAYER.weight_orig` and `LAYER.weight_mask` for each layer that is sparse: `network.state_dict()`, or what
        `torch.load` or `safetensors.torch.load_file` read of it. Arrays are read as tensors.

    Raises
    ------
    ValueError
        Where the state has no masks, or its names or shapes are those of another network; which then stays as it was.
    TypeError
        Where an argument is of another kind.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> trained, fresh = torch.nn.Sequential(torch.nn.Linear(40, 30)), torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(trained, density=0.1)
    >>> sparsewidth.torch.load_sparse(fresh, trained.state_dict())
    >>> x = torch.randn(3, 40)
    >>> bool((fresh(x) == trained(x)).all())
    True
    """
    if not isinstance(state_dict, Mapping):
        problem = "is no mapping of names to tensors"
        raise TypeError(refusal("state_dict", kind_of(state_dict), problem, "give network.state_dict()"))
    found = {key: value for key, value in state_dict.items() if key == "weight_mask" or key.endswith(".weight_mask")}
    if not found:
        problem = "has no LAYER.weight_mask, so it is not of a sparse network"
        raise ValueError(refusal("state_dict", listed(state_dict), problem, "load it with module.load_state_dict"))
    layers, masks = check_masks(module, found, "state_dict")

    expected, remedy = dict(module.state_dict()), "give the state of the same network"
    for layer in layers.values():
        for name in layer.names:
            weight = expected.pop(name)
            expected |= {f"{name}_orig": weight, f"{name}_mask": weight}
    missing, unknown = expected.keys() - state_dict.keys(), state_dict.keys() - expected.keys()
    if missing or unknown:
        parts = [("lacks", missing), ("has beside those of the network", unknown)]
        problem = " and ".join(f"{what} {listed(sorted(keys))}" for what, keys in parts if keys)
        raise ValueError(refusal("state_dict", f"{len(state_dict)} names", problem, remedy))
    state = {}
    for key, value in state_dict.items():
        # What modules add of their own (`_extra_state`) is for them to read.
        if isinstance(expected[key], Tensor):
            if not isinstance(value, Tensor):
                value = torch.as_tensor(array_of(value, f"state_dict[{key!r}]", remedy))
            if value.shape != expected[key].shape:
                problem = f"the network has the shape {tuple(expected[key].shape)}"
                raise ValueError(refusal("state_dict", f"{key} of shape {tuple(value.shape)}", problem, remedy))
        state[key] = value
    prune_layers(layers, masks, rescale=False)
    module.load_state_dict(state)
    for layer in layers.values():
        layer.refresh()
