"""Sparse networks in PyTorch: masks of an exact number of weights, drawn, applied, read, saved; kernels of perceptrons.

    import sparsewidth.torch as sparse

    masks = sparse.sparsify(network, density=0.05, seed=0)    # then train as ever, with any optimizer
    sparse.make_permanent(network)                            # an ordinary network, with zeros

Layers are `torch.nn.Linear` and convolutions, in the order of `named_modules`; embeddings, biases and normalisation
stay as they are. A layer's weights are called `LAYER.weight`, as in `state_dict()`, and so is its mask: an array of the
weights' shape, true where a weight exists.

Masks are those of `torch.nn.utils.prune`: PyTorch multiplies `LAYER.weight_orig` by `LAYER.weight_mask` whenever a
layer is used, so that weights which do not exist stay exactly zero, whatever momentum or weight decay do.
`LAYER.weight` is the product of the last use: after a training step a part of its graph, which `copy.deepcopy` refuses
until the network is used under `torch.no_grad()`, as in an evaluation. Sparsify a network before it is wrapped, as by
`DistributedDataParallel`.
"""

try:
    from ._kernels import empirical_kernel
    from ._masks import apply_masks, make_permanent, sparsify, widen
    from ._states import load_sparse, masks_of, shapes_of, summary
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError("sparsewidth.torch needs PyTorch: pip install torch (see https://pytorch.org)") from error

__all__ = [
    "apply_masks",
    "empirical_kernel",
    "load_sparse",
    "make_permanent",
    "masks_of",
    "shapes_of",
    "sparsify",
    "summary",
    "widen",
]
