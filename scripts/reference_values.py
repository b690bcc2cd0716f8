#!/usr/bin/env python3
"""Writes arccos.toml, masked.toml, tangent.toml, fixed_counts.toml and bottleneck.toml in testdata: values by mpmath.

    pip install mpmath==1.3.0 && python3 scripts/reference_values.py

The arc-cosine moments come from their defining expectation, as a one-dimensional integral over the angle of a Gaussian
vector in the plane of x and y, at 60 digits, not from the closed form that the program evaluates:

    E[(w.x)^l (w.y)^l H H] = |x|^l |y|^l (E r^(2l) / 2 pi) int cos(a)^l cos(a - t)^l da  over cos(a), cos(a - t) > 0,

with r^2 chi-square of two degrees of freedom, E r^2 = 2, E r^4 = 8. The masked moments are the sum over all 2^d masks; those of masks
of a fixed count, and what two rows of them have in common, weight them by the numbers of ways to choose the rest.
Inputs are exact binary floats, written so that they read back as the same floats.

For the tangent kernel K_0 is the share of directions that see both inputs, and masks are weighted by the connectivity
of each input. Its limit at infinite width is the recursion over layers of the expected product of features and of their
derivatives.

For a linear bottleneck E K_1(W)^2 comes from the law of the sample correlation in Hotelling's form (J. Roy. Statist. Soc. B 15, 1953),
with the hypergeometric function in place of the integral over the ratio of norms that the program evaluates, at 30 digits.
"""
import itertools
import pathlib
import random

from math import comb

from mpmath import mp, mpf, acos, cos, gamma, hyp2f1, pi, quad, sin, sqrt

mp.dps = 60
HERE = pathlib.Path(__file__).resolve().parent.parent / "testdata"


def triple(x, y):
    return sum(v * v for v in x), sum(v * v for v in y), sum(u * v for u, v in zip(x, y))


def angle(a, b, c):
    return acos(max(min(c / sqrt(a * b), mpf(1)), mpf(-1)))


def arccos(x, y):
    """(K_1, K_2) of two lists of mpf, by quadrature over the angle."""
    a, b, c = triple(x, y)
    if a == 0 or b == 0:
        return mpf(0), mpf(0)
    scale = sqrt(a * b)
    t = angle(a, b, c)
    lower, upper = t - pi / 2, pi / 2
    if lower >= upper:
        return mpf(0), mpf(0)
    k1 = scale * quad(lambda s: cos(s) * cos(s - t), [lower, upper]) / pi
    k2 = scale**2 * 4 * quad(lambda s: (cos(s) * cos(s - t)) ** 2, [lower, upper]) / pi
    return k1, k2


def masks_of(x, y):
    """(size, K_1, K_2) of every mask."""
    for s in itertools.product((0, 1), repeat=len(x)):
        yield sum(s), *arccos([u * e for u, e in zip(x, s)], [v * e for v, e in zip(y, s)])


def masked(kernels, d, p):
    """(K~_1, K~_2, K~_1 - K_1) by the sum over masks; the last of these keeps every entry."""
    p = mpf(p)
    k1 = k2 = mpf(0)
    for size, m1, m2 in kernels:
        weight = p**size * (1 - p) ** (d - size)
        k1 += weight * m1
        k2 += weight * m2
    k1, k2 = k1 / p, k2 / p**2
    return k1, k2, k1 - kernels[-1][1]


def of_triple(a, b, c):
    """(K_0, K_1, K_2) of a Gram triple: the antiderivatives of the integrals over the angle, at digits to spare."""
    if a == 0 or b == 0:
        return mpf(0), mpf(0), mpf(0)
    t, scale = angle(a, b, c), sqrt(a * b)
    k1 = scale * (sin(t) + (pi - t) * cos(t))
    k2 = scale**2 * (3 * sin(t) * cos(t) + (pi - t) * (1 + 2 * cos(t) ** 2))
    return (pi - t) / (2 * pi), k1 / (2 * pi), k2 / (2 * pi)


def tangent_averages(x, y, p, tau):
    """(K~_1, K~_2, J~_1, J~_11, J~_2) by the sum over masks, with connectivities and factors tau of each input."""
    sums = [mpf(0)] * 5
    for s in itertools.product((0, 1), repeat=len(x)):
        weight = mpf(1)
        for kept, chance in zip(s, p):
            weight *= chance if kept else 1 - chance
        if weight == 0:
            continue
        keep = lambda v: [e / sqrt(chance) if kept else mpf(0) for e, kept, chance in zip(v, s, p)]
        both = sum((f * u * v / chance for u, v, kept, chance, f in zip(x, y, s, p, tau) if kept), mpf(0))
        k0, k1, k2 = of_triple(*triple(keep(x), keep(y)))
        terms = (k1, k2, both * k0, both * k1, both * both * k0)
        sums = [total + weight * term for total, term in zip(sums, terms)]
    return sums


def infinite_width(x, y, layers):
    """(nngp, ntk) times d of dense layers of infinite width, named relu or linear from the inputs on."""
    a, b, c = triple(x, y)
    tangent = mpf(0)
    for layer in layers:
        # The weights of this layer see the features before it; those before act through its derivative.
        tangent = tangent + c
        if layer == "relu":
            k0, k1, _ = of_triple(a, b, c)
            tangent = tangent * k0
            a, b, c = of_triple(a, a, a)[1], of_triple(b, b, b)[1], k1
    # The readout.
    return c, c + tangent


def tangent():
    rng = random.Random(271828)
    normal = lambda d: [rng.gauss(0, 1) for _ in range(d)]
    nearly = lambda v, eps: [u + eps * rng.gauss(0, 1) for u in v]
    g5, g8, g9 = normal(5), normal(8), normal(9)
    opposite = lambda v: [-u for u in v]
    pairs = {
        "one entry": ([2.0], [3.0]),
        "one entry, opposite": ([2.0], [-3.0]),
        "orthogonal": ([1.0, 0.0, 2.0], [0.0, 1.0, 0.0]),
        "orthogonal, of equal support": ([1.0, 1.0, 2.0, -1.0], [1.0, -1.0, 0.5, 1.0]),
        "antiparallel": ([1.0, -2.0, 0.5, 3.0], [-1.0, 2.0, -0.5, -3.0]),
        "antiparallel but for one entry": (g5, [-u for u in g5[:4]] + [0.7]),
        "nearly parallel, 1e-3": (g8, nearly(g8, 1e-3)),
        "nearly parallel, 1e-9": (g8, nearly(g8, 1e-9)),
        "nearly antiparallel, 1e-3": (g5, opposite(nearly(g5, 1e-3))),
        "nearly antiparallel, 1e-9": (g8, opposite(nearly(g8, 1e-9))),
        "zeros": ([1.0, 0.0, 0.0, 2.0, 0.0, -1.5], [0.0, 0.0, 3.0, 1.0, 0.0, 0.25]),
        "equal entries": ([1.0, 1.0, -1.0, 1.0, 2.0, 2.0, 2.0], [0.5, 0.5, -0.5, -0.5, 1.0, -1.0, 1.0]),
        "a dominant entry": ([100.0, 0.1, -0.2, 0.3, 0.5, 0.7], [0.2, 0.1, 0.4, -80.0, 0.3, -0.6]),
        "one dominant entry in both": ([50.0] + normal(6), [-70.0] + normal(6)),
        "scales apart": ([1e60 * u for u in g5], [1e-60 * u for u in normal(5)]),
        "gaussian, 9": (g9, normal(9)),
        "gaussian, 10": (normal(10), normal(10)),
    }
    lines = [
        "# K~_1, K~_2, tau J~_1, tau J~_11, tau^2 J~_2 by mpmath at 60 digits, summed over all masks; with tau = 1,",
        "# or with that of the paper's weights, the connectivity. Then infinite width, layer by layer. Made by",
        "# scripts/reference_values.py.\n",
    ]

    def case(name, x, y, connectivities, paper):
        p = [mpf(e) for e in connectivities]
        tau = p if paper else [mpf(1)] * len(p)
        values = tangent_averages([mpf(v) for v in x], [mpf(v) for v in y], p, tau)
        uniform = len(set(connectivities)) == 1
        given = f"connectivity = {connectivities[0]!r}" if uniform else f"connectivities = {vector(connectivities)}"
        lines.append(
            f'[[case]]\nname = "{name}"\nx = {vector(x)}\ny = {vector(y)}\n{given}\npaper = {str(paper).lower()}\n'
            f"averages = [{', '.join(text(v) for v in values)}]\n"
        )

    for name, (x, y) in pairs.items():
        for p in (1e-6, 0.05, 0.4, 0.97):
            case(f"{name}, p = {p}", x, y, [p] * len(x), False)
    case("gaussian, paper's weights", g9[:7], normal(7), [0.3] * 7, True)
    # The last entry, or another, is a bias.
    some = [0.3, 0.9, 0.05, 0.5, 0.3, 1.0, 0.7]
    biased = {
        "gaussian": (normal(7), normal(7)),
        "bias": (normal(5) + [1.0, 0.4], normal(5) + [1.0, -0.3]),
        "nearly parallel, 1e-9": (g8[:7], nearly(g8[:7], 1e-9)),
        "nearly antiparallel, 1e-9": (g8[:7], opposite(nearly(g8[:7], 1e-9))),
        "parallel": (g8[:7], [2.0 * u for u in g8[:7]]),
        "antiparallel": (g8[:7], [-2.0 * u for u in g8[:7]]),
        "a dominant entry": ([40.0] + normal(6), [30.0] + normal(6)),
    }
    for name, (x, y) in biased.items():
        for paper in (False, True):
            case(f"{name}, connectivity per input", x, y, some, paper)
    case("gaussian, next to no weights", g5 + [1.0], normal(5) + [1.0], [1e-6, 1e-3, 0.5, 1e-9, 0.2, 1.0], False)

    networks = (
        "relu", "linear", "relu relu", "linear relu", "relu linear relu", "relu relu relu", "relu relu linear",
        "linear relu linear relu", "relu linear linear relu", "relu relu relu relu",
    )
    nearby = [f"nearly {way}, {eps}" for way in ("parallel", "antiparallel") for eps in ("1e-3", "1e-9")]
    for name in ("one entry", "orthogonal", "antiparallel", *nearby, "gaussian, 10"):
        x, y = pairs[name]
        for layers in networks:
            nngp, ntk = infinite_width([mpf(v) for v in x], [mpf(v) for v in y], layers.split())
            lines.append(
                f'[[limit]]\nname = "{name}"\nx = {vector(x)}\ny = {vector(y)}\nlayers = "{layers}"\n'
                f"nngp = {text(nngp)}\nntk = {text(ntk)}\n"
            )
    (HERE / "tangent.toml").write_text("\n".join(lines))


def by_size(x, y):
    """The sums of K_1 and of K_2 over the masks of each size."""
    sums = [[mpf(0), mpf(0)] for _ in range(len(x) + 1)]
    for size, k1, k2 in masks_of(x, y):
        sums[size][0] += k1
        sums[size][1] += k2
    return sums


def fixed_count(sums, limit, dimension, rows, kept, sigma2):
    """(K~_1, K~_2, K~_1 - K_1, covariance of two rows) where `kept` of `rows` times `dimension` entries are kept, uniformly."""
    m, entries = len(sums) - 1, dimension * rows
    ways = lambda rest, left: comb(rest, left) if left >= 0 else 0
    mean = lambda l: sum(ways(entries - m, kept - j) * sums[j][l] for j in range(m + 1)) / comb(entries, kept)
    k1, k2 = sigma2 * mean(0), sigma2**2 * mean(1)
    covariance = mpf(0)
    if rows > 1:
        both = sum(
            ways(entries - 2 * m, kept - i - j) * sums[i][0] * sums[j][0] for i in range(m + 1) for j in range(m + 1)
        )
        covariance = sigma2**2 * both / comb(entries, kept) - k1**2
    shift = k1 - limit
    return k1, k2, shift, covariance


def bottleneck(t, rank):
    """E K_1(W)^2 of unit vectors at an angle t, W their Gram matrix after a random projection to `rank` dimensions."""
    unit = lambda s: (sin(s) + (pi - s) * cos(s)) / (2 * pi)
    if rank == 1:
        return (3 * sin(t) * cos(t) + (pi - t) * (1 + 2 * cos(t) ** 2)) / (4 * pi)
    r, m = mpf(rank), mpf(rank + 2)

    def of(s):
        q = cos(t) * cos(s)
        ratios = sqrt(2 * pi) * gamma(m) / gamma(m + mpf(1) / 2) * (1 - q) ** (mpf(1) / 2 - m)
        ratios *= hyp2f1(mpf(1) / 2, mpf(1) / 2, m + mpf(1) / 2, (1 + q) / 2)
        return (sin(t) * sin(s)) ** (rank - 2) * unit(s) ** 2 * ratios

    width = sin(t) / sqrt(r)
    ends = sorted({mpf(0), pi} | {t + k * width for k in (-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16) if 0 < t + k * width < pi})
    return (r * r - 1) / (2 * pi * r) * sin(t) ** 6 * quad(of, ends)


def text(value):
    """A float literal of 25 digits: more than a float64 holds."""
    return mp.nstr(mpf(value), 25, min_fixed=0, max_fixed=0)


def vector(v):
    return "[" + ", ".join(repr(float(e)) for e in v) + "]"


def main():
    rng = random.Random(1729)
    normal = lambda d: [rng.gauss(0, 1) for _ in range(d)]
    e = normal(12)
    nearly = lambda v, eps: [u * (1 + eps * rng.gauss(0, 1)) for u in v]
    pairs = {
        "orthogonal": ([1.0, 0.0], [0.0, 1.0]),
        "same": ([3.0, -4.0], [3.0, -4.0]),
        "parallel": ([1.0, 2.0, 3.0], [0.5, 1.0, 1.5]),
        "antiparallel": ([1.0, 2.0, 3.0], [-2.0, -4.0, -6.0]),
        "zero": ([0.0, 0.0], [1.0, 2.0]),
        "both zero": ([0.0], [0.0]),
        "acute": ([1.0, 2.0, -0.5], [0.25, 3.0, 1.0]),
        "obtuse": ([1.0, 2.0, -0.5], [0.25, -3.0, 1.0]),
        "tiny": ([1e-40, 2e-40], [3e-40, -1e-40]),
        "huge": ([1e60, 2e60], [3e60, 1e60]),
        "unequal scales": ([1e-30, 1e-31], [1e30, 2e30]),
    }
    for exponent in (1, 2, 3, 5, 7, 8, 10, 13, 15):
        pairs[f"parallel to 1e-{exponent}"] = (e, nearly(e, 10.0**-exponent))
        pairs[f"antiparallel to 1e-{exponent}"] = (e, [-v for v in nearly(e, 10.0**-exponent)])
    for d in (1, 2, 5, 50, 784):
        pairs[f"gaussian {d}"] = (normal(d), normal(d))
    lines = ["# K_1 and K_2 by mpmath at 60 digits; made by scripts/reference_values.py.\n"]
    for name, (x, y) in pairs.items():
        k1, k2 = arccos([mpf(v) for v in x], [mpf(v) for v in y])
        lines.append(f'[[case]]\nname = "{name}"\nx = {vector(x)}\ny = {vector(y)}\nk1 = {text(k1)}\nk2 = {text(k2)}\n')
    (HERE / "arccos.toml").write_text("\n".join(lines))

    g9, h9 = normal(9), normal(9)
    masks = {
        "one entry": ([2.0], [3.0]),
        "one entry, opposite": ([2.0], [-3.0]),
        "orthogonal": ([1.0, 0.0, 2.0], [0.0, 1.0, 0.0]),
        "same": ([1.0, -2.0, 0.5, 3.0], [1.0, -2.0, 0.5, 3.0]),
        "parallel": ([1.0, -2.0, 0.5, 3.0], [0.5, -1.0, 0.25, 1.5]),
        "antiparallel": ([1.0, -2.0, 0.5, 3.0], [-1.0, 2.0, -0.5, -3.0]),
        "zeros": ([1.0, 0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 3.0, 1.0, 0.0]),
        "equal entries": ([1.0, 1.0, -1.0, 1.0, 2.0, 2.0, 2.0], [0.5, 0.5, -0.5, -0.5, 1.0, -1.0, 1.0]),
        "shared background": ([-0.4] * 5 + [1.0, 2.8, 0.3], [-0.4] * 5 + [2.5, 0.7, 1.1]),
        "nearly parallel": (g9, nearly(g9, 1e-6)),
        "nearly antiparallel": (g9, [-v for v in nearly(g9, 1e-6)]),
        "one huge entry": ([100.0, 0.1, -0.2, 0.3, 0.5], [0.2, 0.1, 0.4, -80.0, 0.3]),
        "gaussian": (g9, h9),
    }
    lines = ["# K~_1, K~_2 and K~_1 - K_1 by mpmath at 60 digits, summed over all masks; made by scripts/reference_values.py.\n"]
    for name, (x, y) in masks.items():
        kernels = list(masks_of([mpf(v) for v in x], [mpf(v) for v in y]))
        for p in (0.01, 0.2, 0.9, 1.0):
            k1, k2, shift = masked(kernels, len(x), p)
            lines.append(
                f'[[case]]\nname = "{name}, p = {p}"\nx = {vector(x)}\ny = {vector(y)}\nconnectivity = {p}\n'
                f"masked_k1 = {text(k1)}\nmasked_k2 = {text(k2)}\nshift = {text(shift)}\n"
            )
    (HERE / "masked.toml").write_text("\n".join(lines))

    g6 = normal(6)
    fixed = {
        "gaussian": (g6, normal(6)),
        "parallel": ([1.0, -2.0, 0.5, 3.0], [0.5, -1.0, 0.25, 1.5]),
        "opposite": ([1.0, -2.0, 0.5, 3.0], [-0.5, 1.0, -0.25, -1.5]),
    }
    for exponent in (2, 4, 6, 7, 8, 10, 12, 14):
        fixed[f"opposite to 1e-{exponent}"] = (g6, [-0.3 * v for v in nearly(g6, 10.0**-exponent)])
    lines = [
        "# K~_1, K~_2, K~_1 - K_1 and the covariance of two rows, for masks of a fixed count in each row (rows = 0) or over a layer, by",
        "# mpmath at 60 digits, summed over all masks; made by scripts/reference_values.py.\n",
    ]
    # Entries that are zero in both inputs are kept or not as well.
    dimension = 8
    for name, (x, y) in fixed.items():
        sums = by_size([mpf(v) for v in x], [mpf(v) for v in y])
        limit = sums[len(x)][0]
        for rows, p in ((0, 0.26), (0, 0.51), (2, 0.3), (5, 0.6), (40, 0.11)):
            kept = round(p * dimension * max(rows, 1))
            sigma2 = mpf(dimension) / kept if rows == 0 else 1 / mpf(p)
            k1, k2, shift, covariance = fixed_count(sums, limit, dimension, max(rows, 1), kept, sigma2)
            padding = [0.0] * (dimension - len(x))
            lines.append(
                f'[[case]]\nname = "{name}, {rows} rows, p = {p}"\nx = {vector(x + padding)}\ny = {vector(y + padding)}\nrows = {rows}\n'
                f"connectivity = {p}\nmasked_k1 = {text(k1)}\nmasked_k2 = {text(k2)}\nshift = {text(shift)}\n"
                f"covariance = {text(covariance)}\n"
            )
    (HERE / "fixed_counts.toml").write_text("\n".join(lines))

    tangent()

    mp.dps = 30
    lines = ["# E K_1(W)^2 of unit vectors by mpmath at 30 digits; made by scripts/reference_values.py.\n"]
    angles = (0.001, 0.1, 0.7, 1.5707, 2.5, 3.1)
    for rank in (1, 2, 3, 7, 8, 40, 300, 10_000):
        for t in angles if rank < 10_000 else (0.3, 0.8):
            value = bottleneck(mpf(t), rank)
            lines.append(f"[[case]]\nrank = {rank}\nangle = {t}\nmean_square = {text(value)}\n")
    (HERE / "bottleneck.toml").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
