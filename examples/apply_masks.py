"""Masks of `sparsewidth budget --masks`, applied to a perceptron in PyTorch and kept while it trains.

sparsewidth budget --arch mlp:784-216-10 --weights 6352 --rule last-dense --masks --out budget
python examples/apply_masks.py budget/masks.npz
"""

import sys

import numpy as np
import torch

masks = {name: torch.from_numpy(mask) for name, mask in np.load(sys.argv[1]).items()}

network = torch.nn.Sequential()
for index, mask in enumerate(masks.values()):
    outputs, inputs = mask.shape
    network.add_module(f"layer{index}", torch.nn.Linear(inputs, outputs, bias=False))
    if index + 1 < len(masks):
        network.add_module(f"relu{index}", torch.nn.ReLU())

parameters = dict(network.named_parameters())
with torch.no_grad():
    for name, mask in masks.items():
        # What is left is scaled up, so that activations keep their size.
        parameters[name].mul_(mask / mask.float().mean().sqrt().clamp(min=1e-9))
        # A masked gradient leaves the missing weights at zero, with plain SGD.
        parameters[name].register_hook(lambda gradient, mask=mask: gradient * mask)

optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
inputs = next(iter(masks.values())).shape[1]
loss = network(torch.randn(8, inputs)).square().mean()
loss.backward()
optimizer.step()
for name, mask in masks.items():
    kept = int((parameters[name] != 0).sum())
    assert kept <= int(mask.sum()) and not parameters[name][~mask].any()
    print(f"{name}: {kept} of {mask.numel()} weights")
