"""The paper's perceptrons: 784 inputs, 10 classes, 6,352 weights, and the authors' learning rates by width."""

SPARSE_RATES = {8: 5, 32: 136, 128: 260, 216: 361, 328: 491, 512: 736, 635: 875}
DENSE_RATES = {8: 5, 32: 80, 128: 173, 216: 228, 328: 306, 512: 445, 635: 460}


def sparse_connectivity(width):
    """That of the first layer, beside a dense last layer."""
    return (6352 - 10 * width) / (784 * width)
