"""Masks of `sparsewidth budget --masks`, applied to a network in PyTorch and kept while it trains.

sparsewidth budget --arch mlp:784-216-10 --weights 6352 --rule last-dense --masks --out budget
python examples/apply_masks.py budget/masks.npz

draws the perceptron or the ResNet-18 that the masks are of, and trains it for a few steps. For a network of your own:

    from apply_masks import apply_masks, read_masks
    apply_masks(network, read_masks("budget/masks.npz"))

A mask is matched by its name, as in `network.state_dict()`: layers are linear, or convolutions of any dimension. Afterwards the network
trains as ever, with any optimizer: PyTorch multiplies the weights by the masks whenever it uses them (torch.nn.utils.prune).
"""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune


def read_masks(file):
    """The masks of an NPZ file, by the names of the weights."""
    with np.load(file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


def masked_layer(network, name, mask):
    """The layer whose weights a mask is of, and what the layer calls them; an error where there is none of this shape."""
    layer, _, parameter = name.rpartition(".")
    weights = dict(network.named_parameters())
    if name not in weights:
        raise ValueError(f"the network has no weights {name}; it has {', '.join(weights)}")
    if weights[name].shape != mask.shape:
        shapes = f"{tuple(weights[name].shape)}, and its mask {tuple(mask.shape)}"
        raise ValueError(f"{name} has the shape {shapes}: give the network for which the masks were drawn")
    return network.get_submodule(layer), parameter


def apply_masks(network, masks, rescale=True):
    """Masks the weights of a network, in place. `rescale` divides what is left by the root of its share of the weights, so that
    activations keep their size; weights that are trained already stay as they are with `rescale=False`."""
    layers = {name: masked_layer(network, name, mask) for name, mask in masks.items()}
    for name, (layer, parameter) in layers.items():
        share = masks[name].double().mean().item()
        if share == 0:
            print(f"warning: {name} keeps no weight; nothing passes through this layer", file=sys.stderr)
        elif rescale:
            with torch.no_grad():
                getattr(layer, parameter).div_(share**0.5)
        weights = getattr(layer, parameter)
        prune.custom_from_mask(layer, parameter, masks[name].to(weights.device))


def make_permanent(network, masks):
    """Multiplies weights and masks for good: the state dictionary is then that of an ordinary network, with zeros."""
    for name in masks:
        layer, _, parameter = name.rpartition(".")
        prune.remove(network.get_submodule(layer), parameter)


def perceptron(masks):
    """The perceptron of `--arch mlp:...`."""
    network = nn.Sequential()
    for index, mask in enumerate(masks.values()):
        if index > 0:
            network.add_module(f"relu{index}", nn.ReLU())
        network.add_module(f"layer{index}", nn.Linear(mask.shape[1], mask.shape[0]))
    return network


class Block(nn.Module):
    """Two convolutions and a way past them."""

    def __init__(self, inputs, outputs):
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride == 2:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x):
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


def resnet18(masks):
    """The ResNet-18 of `--arch resnet18:...` or `resnet18-imagenet:...`, with the names of torchvision's."""
    width, _, kernel, _ = masks["conv1.weight"].shape
    network = nn.Sequential()
    stride = 1 if kernel == 3 else 2
    network.add_module("conv1", nn.Conv2d(3, width, kernel, stride, padding=kernel // 2, bias=False))
    network.add_module("bn1", nn.BatchNorm2d(width))
    network.add_module("relu", nn.ReLU())
    if stride == 2:
        network.add_module("maxpool", nn.MaxPool2d(3, 2, padding=1))
    inputs = width
    for stage in range(4):
        outputs = width << stage
        network.add_module(f"layer{stage + 1}", nn.Sequential(Block(inputs, outputs), Block(outputs, outputs)))
        inputs = outputs
    network.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc", nn.Linear(inputs, masks["fc.weight"].shape[0]))
    return network


def main():
    if len(sys.argv) != 2:
        sys.exit("expected one argument, the file of masks: python examples/apply_masks.py budget/masks.npz")
    masks = read_masks(sys.argv[1])
    if list(masks) == [f"layer{index}.weight" for index in range(len(masks))]:
        network, inputs = perceptron(masks), torch.randn(8, masks["layer0.weight"].shape[1])
    elif {"conv1.weight", "layer4.1.conv2.weight", "fc.weight"} <= set(masks):
        network, inputs = resnet18(masks), torch.randn(8, 3, 32, 32)
    else:
        sys.exit("these are the masks of a network of your own: call apply_masks(network, masks) from your program")
    apply_masks(network, masks)

    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    for _ in range(3):
        optimizer.zero_grad()
        network(inputs).square().mean().backward()
        optimizer.step()

    make_permanent(network, masks)
    for name, mask in masks.items():
        weights = network.state_dict()[name]
        assert not weights[~mask].any(), name
        print(f"{name}: {int(mask.sum())} of {mask.numel()} weights")


if __name__ == "__main__":
    main()
