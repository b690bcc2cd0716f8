"""ResNet-18 with a fixed number of weights: is wider and sparser better?

Section 2.3 of Golubeva, Neyshabur and Gur-Ari (2021). A dense network of the first width sets the number of weights.
Wider networks keep as many, taken from the largest layers first, in masks that stay as they are; batch normalisation is
whole and not counted.

    python resnet18.py DATA --out runs                   # Fashion-MNIST, small: about an hour and a half on two cores
    python resnet18.py DATA --protocol paper --out runs  # CIFAR-10, CIFAR-100 or SVHN, 300 epochs: use a GPU
    python resnet18.py DATA --out runs --shard 1/2       # half of the runs; another process or machine does the rest
    python resnet18.py --report --out runs               # table and picture of the runs that are there

Needs torch, matplotlib and scipy. DATA is a folder as `sparsewidth.load_data` reads it (IDX files, CIFAR in its binary
version), or one that torchvision made: `cifar-10-batches-py`, `cifar-100-python`, or SVHN's `train_32x32.mat` and
`test_32x32.mat`.

Each network writes one JSON line an epoch. A run that was interrupted goes on where it stopped, and ends with the same
numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional

import sparsewidth
import sparsewidth.torch

PROTOCOLS: dict[str, dict[str, Any]] = {
    "small": {"widths": [8, 12, 16, 24], "epochs": 15, "decay": [8, 12], "train": 10_000, "seeds": 3, "augment": False},
    "paper": {
        "widths": [8, 12, 18, 40, 64],
        "epochs": 300,
        "decay": [50, 120, 200],
        "train": None,
        "seeds": 3,
        "augment": True,
    },
}
Array = np.ndarray[Any, Any]
# A name, training and test images with their labels, the number of classes.
Data = tuple[str, tuple[Tensor, Tensor], tuple[Tensor, Tensor], int]
Run = dict[str, int]
Record = dict[str, Any]
BATCH, RATE, MOMENTUM, WEIGHT_DECAY = 128, 0.1, 0.9, 5e-4


class Block(nn.Module):
    """Two convolutions and a way past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


class ResNet18(nn.Module):
    """ResNet-18 for images of 32 x 32 pixels; `width` is the number of outputs of its first convolution."""

    def __init__(self, width: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for stage in range(4):
            outputs = width << stage
            stride = 1 if stage == 0 else 2
            blocks = nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1))
            self.add_module(f"layer{stage + 1}", blocks)
            inputs = outputs
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Any:
        x = functional.relu(self.bn1(self.conv1(x)))
        for stage in range(4):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def read_torchvision(folder: Path) -> tuple[str, list[Array]] | None:
    """Arrays of a folder that torchvision made, or None."""
    kinds = {"cifar-10-batches-py": "CIFAR10", "cifar-100-python": "CIFAR100", "train_32x32.mat": "SVHN"}
    for name, kind in kinds.items():
        if not (folder / name).exists():
            continue
        try:
            from torchvision import datasets
        except ImportError:
            sys.exit(f"{folder} has {name}, which torchvision reads: pip install torchvision scipy")
        found = []
        for is_train in (True, False):
            choice = {"split": "train" if is_train else "test"} if kind == "SVHN" else {"train": is_train}
            part = getattr(datasets, kind)(str(folder), download=False, **choice)
            images = part.data if kind == "SVHN" else part.data.transpose(0, 3, 1, 2)
            found += [images, np.asarray(part.labels if kind == "SVHN" else part.targets)]
        return kind, found
    return None


def read_data(folder: Path, train: int | None, seed: int = 0) -> Data:
    """Normalised images of 32 x 32 pixels and labels: the name, train and test tensors, the number of classes."""
    read = read_torchvision(folder)
    if read is None:
        data = sparsewidth.load_data(folder)
        images = [np.asarray(data[key]) for key in ("x_train", "x_test")]
        labels = [np.asarray(data[key]) for key in ("y_train", "y_test")]
        shapes = {784: (1, 28, 28), 1024: (1, 32, 32), 3072: (3, 32, 32)}
        if images[0].shape[1] not in shapes:
            sys.exit(f"{folder}: expected images of 28 x 28 or 32 x 32 pixels, found {images[0].shape[1]} numbers each")
        images = [some.reshape(-1, *shapes[some.shape[1]]) for some in images]
        read = folder.resolve().name, [images[0], labels[0], images[1], labels[1]]
    name, (x_train, y_train, x_test, y_test) = read
    if train is not None and train < len(x_train):
        chosen = np.random.default_rng(seed).permutation(len(x_train))[:train]
        x_train, y_train = x_train[chosen], y_train[chosen]
    first, second = (torch.from_numpy(np.array(x)).float() / 255 for x in (x_train, x_test))
    mean, deviation = first.mean((0, 2, 3), keepdim=True), first.std((0, 2, 3), keepdim=True)
    padding = (32 - first.shape[-1]) // 2
    # Black stays black: padded before it is normalised.
    first, second = ((functional.pad(x, [padding] * 4) - mean) / deviation for x in (first, second))
    of_first, of_second = (torch.from_numpy(np.array(y)).long() for y in (y_train, y_test))
    return name, (first, of_first), (second, of_second), int(of_first.max()) + 1


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random crops of images that are padded by 4, half of them mirrored."""
    padded = functional.pad(images, [4] * 4)
    shifts = torch.randint(0, 9, (len(images), 2), generator=generator).tolist()
    crops = torch.stack([image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(padded, shifts)])
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None].to(images.device), crops.flip(3), crops)


def network(width: int, weights: int, seed: int, channels: int, classes: int) -> ResNet18:
    """The network as drawn, with as many weights as asked for, and its masks."""
    torch.manual_seed(seed)
    model = ResNet18(width, channels, classes)
    sparsewidth.torch.sparsify(model, weights=weights, rule="largest-first", seed=seed)
    return model


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, device: str) -> tuple[float, float]:
    model.eval()
    loss = correct = 0.0
    for start in range(0, len(images), 500):
        x, y = images[start : start + 500].to(device), labels[start : start + 500].to(device)
        outputs = model(x)
        loss += functional.cross_entropy(outputs, y, reduction="sum").item()
        correct += (outputs.argmax(1) == y).sum().item()
    return loss / len(images), correct / len(images)


def train(
    run: Run, data: Data, settings: dict[str, Any], out: Path, device: str, show_epoch: Callable[[Run, Record], None]
) -> None:
    """Trains one network, writes a record an epoch, and resumes from its last checkpoint."""
    name, (x_train, y_train), (x_test, y_test), classes = data
    stem = out / f"width-{run['width']}-seed-{run['seed']}"
    records_file, checkpoint_file = stem.with_suffix(".jsonl"), stem.with_suffix(".pt")
    model = network(run["width"], run["weights"], run["seed"], x_train.shape[1], classes)
    masks = sparsewidth.torch.masks_of(model)
    kept, of = sum(int(mask.sum()) for mask in masks.values()), sum(mask.size for mask in masks.values())
    model = model.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, settings["decay"], gamma=0.1)
    records, spent = [], 0.0
    if checkpoint_file.exists():
        state = torch.load(checkpoint_file, map_location=device, weights_only=True)
        if state["settings"] != settings:
            sys.exit(f"{checkpoint_file} is of a run with other settings ({state['settings']}): choose another --out")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        records, spent = state["records"], state["records"][-1]["seconds"]
    for epoch in range(len(records), settings["epochs"]):
        start = time.perf_counter()
        model.train()
        # The order and the crops depend on seed and epoch alone, so that a run that resumes ends with the same numbers.
        generator = torch.Generator().manual_seed(1_000_003 * run["seed"] + epoch)
        losses = 0.0
        for chosen in torch.split(torch.randperm(len(x_train), generator=generator), BATCH):
            x, y = x_train[chosen], y_train[chosen].to(device)
            if settings["augment"]:
                x = augmented(x, generator)
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x.to(device, memory_format=torch.channels_last)), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses += loss.item() * len(chosen)
        schedule.step()
        test_loss, accuracy = evaluate(model, x_test, y_test, device)
        spent += time.perf_counter() - start
        records.append(
            {
                "schema": 1,
                "data": name,
                "network": "resnet18",
                "width": run["width"],
                "weights": kept,
                "density": kept / of,
                "seed": run["seed"],
                "epoch": epoch + 1,
                "epochs": settings["epochs"],
                "train_samples": len(x_train),
                "train_loss": losses / len(x_train),
                "test_loss": test_loss,
                "test_accuracy": accuracy,
                "seconds": round(spent, 1),
                "versions": {"sparsewidth": sparsewidth.__version__, "torch": str(torch.__version__)},
            }
        )
        state = {"settings": settings, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"schedule": schedule.state_dict(), "records": records}
        write_whole(checkpoint_file, torch.save, state)
        write_whole(records_file, write_text, "".join(json.dumps(record) + "\n" for record in records))
        show_epoch(run, records[-1])


def write_text(text: str, file: BinaryIO) -> None:
    file.write(text.encode())


def write_whole(path: Path, write: Callable[[Any, BinaryIO], object], what: object) -> None:
    """Replaces a file at once, so that an interruption leaves the old one or the new one."""
    part = path.with_suffix(f".part-{os.getpid()}")
    with open(part, "wb") as file:
        write(what, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def progress(runs: list[Run], settings: dict[str, Any]) -> Callable[[Run, Record], None]:
    """Says how each epoch went, and the time left by what epochs of each width took."""
    seconds: dict[int, float] = {}

    def cost(width: int) -> float:
        if width in seconds:
            return seconds[width]
        known = max(seconds)
        return seconds[known] * (width / known) ** 2

    def show_epoch(run: Run, record: Record) -> None:
        seconds[run["width"]] = record["seconds"] / record["epoch"]
        at = runs.index(run)
        left = (record["epochs"] - record["epoch"]) * cost(run["width"])
        left += sum(settings["epochs"] * cost(other["width"]) for other in runs[at + 1 :])
        print(
            f"width {run['width']}, seed {run['seed']}, epoch {record['epoch']} of {record['epochs']}: "
            f"training loss {record['train_loss']:.3f}, test accuracy {record['test_accuracy']:.4f}; "
            f"about {left / 60:.0f} min left",
            flush=True,
        )

    return show_epoch


def shard(runs: list[Run], part: int, parts: int) -> list[Run]:
    """The runs of one of several processes: the dearest first, each to whom has the least to do."""
    loads, shares = [0] * parts, [list[Run]() for _ in range(parts)]
    for run in sorted(runs, key=lambda run: (-run["width"], run["seed"])):
        least = loads.index(min(loads))
        loads[least] += run["width"] ** 2
        shares[least].append(run)
    return sorted(shares[part - 1], key=lambda run: (run["seed"], run["width"]))


def read_records(out: Path) -> dict[int, list[list[Record]]]:
    """Last records of finished runs, and whole curves, by width."""
    curves: dict[int, list[list[Record]]] = {}
    for path in sorted(out.glob("width-*-seed-*.jsonl")):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        if records and records[-1]["epoch"] == records[-1]["epochs"]:
            curves.setdefault(records[0]["width"], []).append(records)
    return dict(sorted(curves.items()))


def interval(numbers: Sequence[float]) -> tuple[float, float]:
    """Mean and half of a 95 % interval by Student's t."""
    values = np.asarray(numbers, float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan
    return mean, float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


# ImageNet, top-1 accuracy in percent with as many weights as the dense network of width 64: the paper's Table 1.
PAPER = {64: 68.03, 90: 69.56, 128: 70.02, 181: 70.66, 256: 70.53}


def report(out: Path) -> None:
    """Writes `summary.md` and `accuracy.png`/`.svg` from the records alone."""
    curves = read_records(out)
    if not curves:
        sys.exit(f"{out} has no finished run: run without --report first")
    base = min(curves)
    rows, first = [], next(iter(curves.values()))[0][-1]
    final = {width: [run[-1]["test_accuracy"] for run in runs] for width, runs in curves.items()}
    # Runs of one seed share the data's order: compared pair by pair where both are there.
    seeds = {run[0]["seed"]: run[-1]["test_accuracy"] for run in curves[base]}
    gains = {
        width: interval([run[-1]["test_accuracy"] - seeds[run[0]["seed"]] for run in runs if run[0]["seed"] in seeds])
        for width, runs in curves.items()
        if width != base
    }
    for width, runs in curves.items():
        mean, half = interval(final[width])
        best, best_half = interval([max(record["test_accuracy"] for record in run) for run in runs])
        minutes = np.mean([run[-1]["seconds"] for run in runs]) / 60
        over = "-" if width == base else f"{100 * gains[width][0]:+.2f} ± {100 * gains[width][1]:.2f}"
        rows.append(
            f"| {width} | {runs[0][-1]['weights']} | {runs[0][-1]['density']:.4f} | {len(runs)} | "
            f"{100 * mean:.2f} ± {100 * half:.2f} | {over} | {100 * best:.2f} ± {100 * best_half:.2f} | {minutes:.1f} |"
        )
    head = "| width | weights | density | runs | test accuracy, last epoch (%) | over the dense network | "
    head += "best epoch (%) | minutes a run |\n"
    head += "|------:|--------:|--------:|-----:|------:|------:|------:|------:|\n"
    words = f"ResNet-18 on {first['data']}, {first['train_samples']} training images, {first['epochs']} epochs. "
    words += "± is half of a 95 % interval by Student's t over runs; differences are of runs with the same seed.\n\n"
    (out / "summary.md").write_text(words + head + "\n".join(rows) + "\n")

    plt.rcParams.update({"font.size": 8, "figure.dpi": 200, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3.2), layout="constrained")
    widths = list(curves)
    means = np.array([interval(final[width]) for width in widths])
    left.errorbar(
        widths, 100 * means[:, 0], 100 * means[:, 1], fmt="o-", ms=3, lw=1, capsize=2, label="mean, 95 % interval"
    )
    for width in widths:
        left.plot([width] * len(final[width]), 100 * np.array(final[width]), "x", color="0.5", ms=3, zorder=0)
    left.set(
        xlabel=f"width (at {first['weights']} weights)",
        ylabel="test accuracy (%)",
        title=f"ResNet-18 on {first['data']}",
    )
    left.set_xticks(widths)
    left.legend(frameon=False)
    ours = np.array([(0.0, 0.0), *gains.values()])
    right.errorbar(
        [width / base for width in widths],
        100 * ours[:, 0],
        100 * ours[:, 1],
        fmt="o-",
        ms=3,
        lw=1,
        capsize=2,
        label=f"{first['data']}, from width {base} (here)",
    )
    right.plot(
        [width / 64 for width in PAPER],
        [value - PAPER[64] for value in PAPER.values()],
        "s--",
        ms=3,
        lw=1,
        color="tab:orange",
        label="ImageNet, from width 64 (the paper)",
    )
    right.axhline(0, color="0.7", lw=0.6, zorder=0)
    right.set(xlabel="widening factor", ylabel="gain over dense (points)", title="At a fixed number of weights")
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    for ending in ("png", "svg"):
        figure.savefig(out / f"accuracy.{ending}")
    print((out / "summary.md").read_text())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog="See the top of this file for examples."
    )
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA", help="folder of the images")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("resnet18"),
        help="write records, checkpoints and the report here [default: resnet18]",
    )
    parser.add_argument(
        "--protocol", choices=PROTOCOLS, default="small", help="start from these settings [default: small]"
    )
    parser.add_argument("--widths", type=int, nargs="+", help="widths, the dense one first [default: of the protocol]")
    parser.add_argument("--epochs", type=int, help="epochs [default: of the protocol]")
    parser.add_argument(
        "--decay", type=int, nargs="+", help="divide the rate by 10 after these epochs [default: of the protocol]"
    )
    parser.add_argument("--train", type=int, help="number of training images [default: of the protocol]")
    parser.add_argument("--seeds", type=int, help="networks per width [default: 3]")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="do every N-th run, from the I-th [default: 1/1]")
    parser.add_argument("--threads", type=int, help="threads of PyTorch [default: all cores]")
    parser.add_argument("--device", default="cpu", help="cpu or cuda [default: cpu]")
    parser.add_argument("--report", action="store_true", help="only write the report")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.report:
        report(args.out)
        return
    if args.data is None or not args.data.is_dir():
        sys.exit(f"expected a folder of images, found {args.data}: python resnet18.py DATA")
    protocol = PROTOCOLS[args.protocol]
    chosen = {key: getattr(args, key) or value for key, value in protocol.items() if key != "augment"}
    widths, seeds = chosen.pop("widths"), chosen.pop("seeds")
    settings = {**chosen, "augment": protocol["augment"], "base": widths[0]}
    try:
        part, parts = (int(number) for number in args.shard.split("/"))
        assert 1 <= part <= parts
    except (ValueError, AssertionError):
        sys.exit(f"--shard: expected I/N with I from 1 to N, found {args.shard}")
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    data = read_data(args.data, settings["train"])
    dense = ResNet18(widths[0], data[1][0].shape[1], data[3])
    weights = sum(parameter.numel() for parameter in dense.parameters() if parameter.dim() > 1)
    runs = [{"width": width, "seed": seed, "weights": weights} for seed in range(seeds) for width in widths]
    runs = shard(runs, part, parts)
    show_epoch = progress(runs, settings)
    for run in runs:
        train(run, data, settings, args.out, args.device, show_epoch)
    if parts == 1:
        report(args.out)


if __name__ == "__main__":
    main()
