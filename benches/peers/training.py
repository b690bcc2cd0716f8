"""One epoch of the paper's experiment with perceptrons (2,048 training samples, then 10,000 test samples), as one would write it in PyTorch, for comparison.

`python benches/peers/training.py [--threads 1]`: seconds per epoch of the sparse family by dense weights with a mask, and by
compressed sparse rows whose gradient is taken on the weights that exist; and of the dense family. The embedded images.

`python benches/peers/training.py --runs 10 --widths 8,128,216`: instead, the best test accuracy of whole trainings, 300 epochs, to
lay beside `sparsewidth train --widths 8,128,216 --runs 10`: the same data, rates and laws, other random numbers.
"""

import argparse
import gzip
import math
import time

import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--folder", default="data/mnist")
parser.add_argument("--runs", type=int)
parser.add_argument("--widths", default="8,128,216")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
BATCH, CLASSES = 256, 10


def read(name, head):
    return np.frombuffer(gzip.open(f"{arguments.folder}/{name}").read()[head:], dtype=np.uint8)


def images(name):
    return read(name, 16).reshape(-1, 784).astype(np.float64)


train_images, test_images = images("train2048-images-idx3-ubyte.gz"), images("t10k-images-idx3-ubyte.gz")
mean, deviation = train_images.mean(0), train_images.std(0)
scale = np.where(deviation > 0, deviation, 1)


def normalised(values):
    return torch.tensor(np.where(deviation > 0, (values - mean) / scale, 0), dtype=torch.float32)


train_x, test_x = normalised(train_images), normalised(test_images)
train_y = torch.tensor(read("train2048-labels-idx1-ubyte.gz", 8).astype(np.int64))
test_y = torch.tensor(read("t10k-labels-idx1-ubyte.gz", 8).astype(np.int64))
test_transposed = test_x.T.contiguous()
LOSS = torch.nn.functional.cross_entropy


def draw(width, connectivity):
    """First layer, its mask, last layer: NTK parametrisation, uniform weights, an exact count."""
    entries = width * 784
    mask = torch.zeros(entries)
    mask[torch.randperm(entries)[: round(connectivity * entries)]] = 1
    first = (torch.rand(width, 784) * 2 - 1) / math.sqrt(connectivity)
    return first, mask.reshape(width, 784), torch.rand(CLASSES, width) * 2 - 1


def masked(width, connectivity, rate):
    first, mask, last = draw(width, connectivity)
    dense = connectivity == 1
    first = (first * mask).requires_grad_()
    last = last.requires_grad_()

    def logits(x):
        return torch.relu(x @ first.T / 28) @ last.T / math.sqrt(width)

    def epoch():
        order = torch.randperm(len(train_x))
        for chosen in order.split(BATCH):
            loss = LOSS(logits(train_x[chosen]), train_y[chosen])
            gradient_first, gradient_last = torch.autograd.grad(loss, (first, last))
            with torch.no_grad():
                # Where the gradient is masked the weights stay so.
                first.sub_(gradient_first if dense else gradient_first.mul_(mask), alpha=rate)
                last.sub_(gradient_last, alpha=rate)
        with torch.no_grad():
            return (logits(test_x).argmax(1) == test_y).float().mean().item()

    return epoch


def compressed(width, connectivity, rate):
    first, mask, last = draw(width, connectivity)
    weights = (first * mask).to_sparse_csr()
    rows, columns = weights.crow_indices(), weights.col_indices()
    zero = torch.sparse_csr_tensor(rows, columns, torch.zeros_like(weights.values()), weights.shape)

    def epoch():
        nonlocal last
        order = torch.randperm(len(train_x))
        for chosen in order.split(BATCH):
            x, y = train_x[chosen].T.contiguous(), train_y[chosen]
            hidden = torch.relu(torch.sparse.mm(weights, x) / 28)
            logits = last @ hidden / math.sqrt(width)
            gradient = torch.softmax(logits, 0)
            gradient[y, torch.arange(len(y))] -= 1
            gradient /= len(y) * math.sqrt(width)
            below = (last.T @ gradient).mul_(hidden > 0)
            last = last - rate * (gradient @ hidden.T)
            step = torch.sparse.sampled_addmm(zero, below, x.T, beta=0, alpha=rate / 28)
            weights.values().sub_(step.values())
        hidden = torch.relu(torch.sparse.mm(weights, test_transposed) / 28)
        return ((last @ hidden).argmax(0) == test_y).float().mean().item()

    return epoch


def time_of(epoch):
    accuracy, best = 0.0, math.inf
    for _ in range(12):
        start = time.perf_counter()
        accuracy = epoch()
        best = min(best, time.perf_counter() - start)
    return best, accuracy


RATES = {8: 5, 32: 136, 128: 260, 216: 361, 328: 491, 512: 736}


def sparse_connectivity(width):
    return (6352 - 10 * width) / (784 * width)


if arguments.runs:
    for width in map(int, arguments.widths.split(",")):
        bests = []
        for run in range(arguments.runs):
            torch.manual_seed(run)
            epoch = masked(width, sparse_connectivity(width), RATES[width])
            bests.append(max(epoch() for _ in range(300)))
        error = np.std(bests, ddof=1) / math.sqrt(len(bests))
        print(f"width {width}: {np.mean(bests):.4f}, standard error {error:.4f}, {len(bests)} runs", flush=True)
    raise SystemExit

print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s); ms an epoch (least of 12), accuracy after those")
print("width  masked             compressed rows")
for width, rate in RATES.items():
    results = [time_of(kind(width, sparse_connectivity(width), rate)) for kind in (masked, compressed)]
    print(f"{width:5}  " + "  ".join(f"{1e3 * best:8.2f} ({accuracy:.3f})" for best, accuracy in results))
best, accuracy = time_of(masked(512, 1, 445))
print(f"dense family, width 512: {1e3 * best:.2f} ({accuracy:.3f})")
