"""One epoch of the paper's experiment with perceptrons, as one would write it in PyTorch.

An epoch has 2,048 training samples, then 10,000 test samples, of the embedded images.

`python benches/peers/training.py [--threads 1]`: seconds per epoch of the sparse family by dense weights with a mask,
and by compressed sparse rows whose gradient is taken on the weights that exist; and of the dense family. `--dense
128,512` takes the dense family alone, of those widths. `compare.sh` runs the same beside our own trainer.

`python benches/peers/training.py --runs 10 --widths 8,128,216`: instead, the best test accuracy of whole trainings, 300
epochs, to lay beside `sparsewidth train --widths 8,128,216 --runs 10`: the same data, rates and laws, other random
numbers.
"""

import argparse
import math
import time

import numpy as np
import torch

from mnist import FOLDER, training_and_test
from training_rates import DENSE_RATES, SPARSE_RATES, sparse_connectivity

BATCH, CLASSES = 256, 10
LOSS = torch.nn.functional.cross_entropy


def draw(width, connectivity):
    """First layer, its mask, last layer: NTK parametrisation, uniform weights, an exact count."""
    entries = width * 784
    mask = torch.zeros(entries)
    mask[torch.randperm(entries)[: round(connectivity * entries)]] = 1
    first = (torch.rand(width, 784) * 2 - 1) / math.sqrt(connectivity)
    return first, mask.reshape(width, 784), torch.rand(CLASSES, width) * 2 - 1


class Experiment:
    """The data, and trainers of one network each: functions that train for an epoch and return the test accuracy."""

    def __init__(self, folder=FOLDER):
        train_x, train_y, test_x, test_y = training_and_test(folder)
        self.train_x, self.test_x = (torch.tensor(x, dtype=torch.float32) for x in (train_x, test_x))
        self.train_y, self.test_y = (torch.tensor(y.astype(np.int64)) for y in (train_y, test_y))
        self.test_transposed = self.test_x.T.contiguous()

    def masked(self, width, connectivity, rate):
        """Dense weights; a sparse layer is multiplied by its mask once, and so is every gradient."""
        first, mask, last = draw(width, connectivity)
        dense = connectivity == 1
        first = (first * mask).requires_grad_()
        last = last.requires_grad_()

        def logits(x):
            return torch.relu(x @ first.T / 28) @ last.T / math.sqrt(width)

        def epoch():
            order = torch.randperm(len(self.train_x))
            for chosen in order.split(BATCH):
                loss = LOSS(logits(self.train_x[chosen]), self.train_y[chosen])
                gradient_first, gradient_last = torch.autograd.grad(loss, (first, last))
                with torch.no_grad():
                    # Where the gradient is masked the weights stay so.
                    first.sub_(gradient_first if dense else gradient_first.mul_(mask), alpha=rate)
                    last.sub_(gradient_last, alpha=rate)
            with torch.no_grad():
                return (logits(self.test_x).argmax(1) == self.test_y).float().mean().item()

        return epoch

    def compressed(self, width, connectivity, rate):
        """Compressed sparse rows, with the gradient at the weights that exist alone."""
        first, mask, last = draw(width, connectivity)
        weights = (first * mask).to_sparse_csr()
        rows, columns = weights.crow_indices(), weights.col_indices()
        zero = torch.sparse_csr_tensor(rows, columns, torch.zeros_like(weights.values()), weights.shape)

        def epoch():
            nonlocal last
            order = torch.randperm(len(self.train_x))
            for chosen in order.split(BATCH):
                x, y = self.train_x[chosen].T.contiguous(), self.train_y[chosen]
                hidden = torch.relu(torch.sparse.mm(weights, x) / 28)
                logits = last @ hidden / math.sqrt(width)
                gradient = torch.softmax(logits, 0)
                gradient[y, torch.arange(len(y))] -= 1
                gradient /= len(y) * math.sqrt(width)
                below = (last.T @ gradient).mul_(hidden > 0)
                last = last - rate * (gradient @ hidden.T)
                step = torch.sparse.sampled_addmm(zero, below, x.T, beta=0, alpha=rate / 28)
                weights.values().sub_(step.values())
            hidden = torch.relu(torch.sparse.mm(weights, self.test_transposed) / 28)
            return ((last @ hidden).argmax(0) == self.test_y).float().mean().item()

        return epoch


def time_of(epoch):
    """Seconds, the least of twelve epochs, and the accuracy after them."""
    accuracy, best = 0.0, math.inf
    for _ in range(12):
        start = time.perf_counter()
        accuracy = epoch()
        best = min(best, time.perf_counter() - start)
    return best, accuracy


def accuracies(experiment, widths, runs):
    """Print the best test accuracy of whole trainings."""
    for width in widths:
        bests = []
        for run in range(runs):
            torch.manual_seed(run)
            epoch = experiment.masked(width, sparse_connectivity(width), SPARSE_RATES[width])
            bests.append(max(epoch() for _ in range(300)))
        error = np.std(bests, ddof=1) / math.sqrt(len(bests))
        print(f"width {width}: {np.mean(bests):.4f}, standard error {error:.4f}, {len(bests)} runs", flush=True)


def main():
    """Time an epoch at each width, or train whole networks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", default=FOLDER)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--dense")
    parser.add_argument("--widths", default="8,128,216")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    experiment = Experiment(arguments.folder)
    if arguments.runs:
        accuracies(experiment, map(int, arguments.widths.split(",")), arguments.runs)
        return
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s); "
        "ms an epoch (least of 12), accuracy after those"
    )
    if not arguments.dense:
        print("width  masked             compressed rows")
        for width in [8, 32, 128, 216, 328, 512]:
            settings = width, sparse_connectivity(width), SPARSE_RATES[width]
            results = [time_of(kind(*settings)) for kind in (experiment.masked, experiment.compressed)]
            print(f"{width:5}  " + "  ".join(f"{1e3 * best:8.2f} ({accuracy:.3f})" for best, accuracy in results))
    print("width  dense family")
    for width in map(int, arguments.dense.split(",")) if arguments.dense else [128, 216, 328, 512, 635]:
        best, accuracy = time_of(experiment.masked(width, 1, DENSE_RATES[width]))
        print(f"{width:5}  {1e3 * best:8.2f} ({accuracy:.3f})", flush=True)


if __name__ == "__main__":
    main()
