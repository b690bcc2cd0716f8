// Kernels of drawn networks over all pairs of inputs, for NVIDIA GPUs: masks and weights, features, and tiles of the Gram
// matrix that are compared with the infinite-width kernel before they are forgotten.
//
// NVRTC compiles this file where the program runs; for tests a C++ compiler does, behind host.h. So it includes nothing.
// A block has THREADS threads: EACH_THREAD runs what follows once for each, BARRIER lets all see what each has written,
// PER_THREAD declares what each has for itself, at [MINE].
//
// Matrices are single precision in row-major order, with inputs along the rows; their stride and the number of inputs are
// padded with zeros to whole tiles.

#ifdef __CUDACC__
typedef unsigned int u32;
typedef unsigned long long u64;
#define EACH_THREAD for (u32 thread = threadIdx.x, once = thread + 1; once; once = 0)
#define BARRIER __syncthreads()
#define PER_THREAD(type, name, shape) type name[1] shape
#define MINE 0
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#define INLINE static __device__ __forceinline__
// Two blocks on a multiprocessor: at most 128 registers a thread.
#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS, 2)
#endif

enum { THREADS = 256 };
// Inputs (or hidden units) on a side of a tile, of which each thread has 8 x 8 entries, and factors taken at a time.
enum { TILE = 128, SIDE = 8, DEPTH = 16 };

// Philox4x32-10, as in random.rs.
struct Block {
    u32 words[4];
};

INLINE Block philox(u64 seed, u32 first, u32 second, u32 third, u32 fourth) {
    u32 key[2] = {(u32)seed, (u32)(seed >> 32)};
    Block block = {{first, second, third, fourth}};
    for (u32 round = 0; round < 10; ++round) {
        const u64 left = (u64)0xD2511F53u * block.words[0];
        const u64 right = (u64)0xCD9E8D57u * block.words[2];
        const Block next = {{(u32)(right >> 32) ^ block.words[1] ^ key[0], (u32)right,
                             (u32)(left >> 32) ^ block.words[3] ^ key[1], (u32)left}};
        block = next;
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return block;
}

// An entry of a layer as network/draw.rs draws it: it exists if its key, then its place, is below the end.
struct Entry {
    Block block;
    bool exists;
};

INLINE Entry entry_of(u64 seed, u32 initialisation, u32 domain, u64 columns, u64 end_key, u64 end_place, u64 row,
                      u64 column) {
    Entry entry;
    entry.block = philox(seed, (u32)column, (u32)row, initialisation, domain);
    const u64 key = (u64)entry.block.words[0] << 32 | entry.block.words[1];
    entry.exists = key < end_key || (key == end_key && row * columns + column < end_place);
    return entry;
}

// The weight of an entry: N(0, sigma^2) by Box-Muller, or uniform on (-sigma, sigma).
INLINE float weight_of(const Block &block, u32 gaussian, double sigma) {
    const double first = (block.words[2] + 0.5) / 4294967296.0;
    const double second = (block.words[3] + 0.5) / 4294967296.0;
    const double unit = gaussian ? sqrt(-2.0 * log(first)) * cospi(2.0 * second) : 2.0 * first - 1.0;
    return (float)(sigma * unit);
}

// The number of weights in row first_row + blockIdx.x, for counts[to + blockIdx.x].
KERNEL count_weights(u32 *counts, u64 to, u64 seed, u32 initialisation, u32 domain, u64 columns, u64 end_key, u64 end_place,
                     u64 first_row) {
    SHARED u32 found[THREADS];
    const u64 row = first_row + blockIdx.x;
    EACH_THREAD {
        found[thread] = 0;
        for (u64 column = thread; column < columns; column += THREADS)
            found[thread] +=
                entry_of(seed, initialisation, domain, columns, end_key, end_place, row, column).exists;
    }
    BARRIER;
    for (u32 half = THREADS / 2; half > 0; half /= 2) {
        EACH_THREAD {
            if (thread < half) found[thread] += found[thread + half];
        }
        BARRIER;
    }
    EACH_THREAD {
        if (thread == 0) counts[to + blockIdx.x] = found[0];
    }
}

// The weights of that row, by increasing column, from places[blockIdx.x] on.
KERNEL draw_weights(u32 *columns_of, float *values, const u64 *places, u64 seed, u32 initialisation, u32 domain,
                    u64 columns, u64 end_key, u64 end_place, u64 first_row, u32 gaussian, double sigma) {
    SHARED u32 found[THREADS];
    const u64 row = first_row + blockIdx.x;
    // Each thread has neighbouring columns, and begins where those before it end.
    EACH_THREAD {
        found[thread] = 0;
        for (u64 column = columns * thread / THREADS; column < columns * (thread + 1) / THREADS; ++column)
            found[thread] +=
                entry_of(seed, initialisation, domain, columns, end_key, end_place, row, column).exists;
    }
    BARRIER;
    EACH_THREAD {
        u64 place = places[blockIdx.x];
        for (u32 before = 0; before < thread; ++before) place += found[before];
        for (u64 column = columns * thread / THREADS; column < columns * (thread + 1) / THREADS; ++column) {
            const Entry entry =
                entry_of(seed, initialisation, domain, columns, end_key, end_place, row, column);
            if (entry.exists) {
                columns_of[place] = (u32)column;
                values[place] = weight_of(entry.block, gaussian, sigma);
                ++place;
            }
        }
    }
}

// Column blockIdx.x of the weights of `rows` rows from first_row on, as a row of a dense matrix, 0 where none exists.
KERNEL draw_dense(float *weights, u64 stride, u32 rows, u64 seed, u32 initialisation, u32 domain, u64 columns,
                  u64 end_key, u64 end_place, u64 first_row, u32 gaussian, double sigma) {
    const u64 column = blockIdx.x;
    EACH_THREAD {
        for (u32 row = thread; row < stride; row += THREADS) {
            float weight = 0.0f;
            if (row < rows) {
                const Entry entry = entry_of(seed, initialisation, domain, columns, end_key, end_place,
                                             first_row + row, column);
                if (entry.exists) weight = weight_of(entry.block, gaussian, sigma);
            }
            weights[column * stride + row] = weight;
        }
    }
}

// [u.x]_+ of eight rows u from 8 blockIdx.y on, for the inputs of tile tiles[blockIdx.x]: from the weights that exist.
KERNEL sparse_features(float *features, u64 stride, const u64 *places, const u32 *columns_of, const float *values,
                       u32 rows, const float *inputs, u64 inputs_stride, const u32 *tiles) {
    EACH_THREAD {
        const u32 row = THREADS / 32 * blockIdx.y + thread / 32;
        const u32 lane = thread % 32 * 4;
        if (row < rows) {
            float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            const float *input = inputs + (u64)tiles[blockIdx.x] * TILE + lane;
            for (u64 place = places[row]; place < places[row + 1]; ++place) {
                const float value = values[place];
                const float4 entries = *(const float4 *)(input + columns_of[place] * inputs_stride);
                sum.x += value * entries.x;
                sum.y += value * entries.y;
                sum.z += value * entries.z;
                sum.w += value * entries.w;
            }
            *(float4 *)(features + row * stride + (u64)blockIdx.x * TILE + lane) =
                make_float4(fmaxf(sum.x, 0.0f), fmaxf(sum.y, 0.0f), fmaxf(sum.z, 0.0f), fmaxf(sum.w, 0.0f));
        }
    }
}

// The place in a tile of number `place` of a thread's eight rows (or columns); `group` is the thread's number there.
INLINE u32 in_tile(u32 group, u32 place) { return place / 4 * (TILE / 2) + group * 4 + place % 4; }

// Four entries of a row of a matrix; zeros below its last row.
INLINE float4 four(const float *matrix, u64 stride, u32 row, u32 rows, u32 column) {
    return row < rows ? *(const float4 *)(matrix + row * stride + column) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

// The factors that a block shares: while one half is multiplied, the next is fetched. Left and right, DEPTH rows of each.
typedef float4 Panels[2][DEPTH][TILE / 4];

// Adds the product of the transpose of one panel of TILE columns with another: sum_k left[k][i] right[k][j].
INLINE void multiply(const float *left, u64 left_stride, const float *right, u64 right_stride, u32 depth,
                     Panels *panels, float (*sums)[SIDE][SIDE]) {
    PER_THREAD(float4, next, [2][2]);
    const u32 steps = (depth + DEPTH - 1) / DEPTH;
    EACH_THREAD {
        for (u32 half = 0; half < 2; ++half) {
            const u32 row = thread / 32 + half * (DEPTH / 2), lane = thread % 32;
            panels[0][0][row][lane] = four(left, left_stride, row, depth, lane * 4);
            panels[0][1][row][lane] = four(right, right_stride, row, depth, lane * 4);
        }
    }
    BARRIER;
    for (u32 step = 0; step < steps; ++step) {
        EACH_THREAD {
            const bool more = step + 1 < steps;
            if (more) {
                for (u32 half = 0; half < 2; ++half) {
                    const u32 row = (step + 1) * DEPTH + thread / 32 + half * (DEPTH / 2), lane = thread % 32;
                    next[MINE][0][half] = four(left, left_stride, row, depth, lane * 4);
                    next[MINE][1][half] = four(right, right_stride, row, depth, lane * 4);
                }
            }
            UNROLL for (u32 k = 0; k < DEPTH; ++k) {
                float4 rows[2], columns[2];
                for (u32 half = 0; half < 2; ++half) {
                    rows[half] = panels[step % 2][0][k][in_tile(thread / 16, 4 * half) / 4];
                    columns[half] = panels[step % 2][1][k][in_tile(thread % 16, 4 * half) / 4];
                }
                const float a[SIDE] = {rows[0].x, rows[0].y, rows[0].z, rows[0].w,
                                       rows[1].x, rows[1].y, rows[1].z, rows[1].w};
                const float b[SIDE] = {columns[0].x, columns[0].y, columns[0].z, columns[0].w,
                                       columns[1].x, columns[1].y, columns[1].z, columns[1].w};
                for (u32 i = 0; i < SIDE; ++i)
                    for (u32 j = 0; j < SIDE; ++j) sums[MINE][i][j] += a[i] * b[j];
            }
            if (more) {
                for (u32 half = 0; half < 2; ++half) {
                    const u32 row = thread / 32 + half * (DEPTH / 2), lane = thread % 32;
                    panels[(step + 1) % 2][0][row][lane] = next[MINE][0][half];
                    panels[(step + 1) % 2][1][row][lane] = next[MINE][1][half];
                }
            }
        }
        BARRIER;
    }
}

INLINE void clear(float (*sums)[SIDE][SIDE]) {
    EACH_THREAD {
        for (u32 i = 0; i < SIDE; ++i)
            for (u32 j = 0; j < SIDE; ++j) sums[MINE][i][j] = 0.0f;
    }
}

// [W x]_+ of the TILE hidden units from TILE blockIdx.y on, for the inputs of tile tiles[blockIdx.x]; `weights` is the
// transpose of W.
KERNEL dense_features(float *features, u64 stride, const float *weights, u64 weights_stride, u32 columns, u32 rows,
                      const float *inputs, u64 inputs_stride, const u32 *tiles) {
    SHARED Panels panels[2];
    PER_THREAD(float, sums, [SIDE][SIDE]);
    clear(sums);
    multiply(weights + (u64)blockIdx.y * TILE, weights_stride, inputs + (u64)tiles[blockIdx.x] * TILE, inputs_stride,
             columns, panels, sums);
    EACH_THREAD {
        for (u32 i = 0; i < SIDE; ++i) {
            const u32 row = blockIdx.y * TILE + in_tile(thread / 16, i);
            float *to = features + row * stride + (u64)blockIdx.x * TILE;
            for (u32 j = 0; j < SIDE; ++j)
                if (row < rows) to[in_tile(thread % 16, j)] = fmaxf(sums[MINE][i][j], 0.0f);
        }
    }
}

// Below the features of `rows` rows u, those of their weights: gain H(u.x) x_j for each weight u_j, in their order. Rows
// and inputs as in sparse_features.
KERNEL tangent_features(float *features, u64 stride, const u64 *places, const u32 *columns_of, const float *gains,
                        u32 rows, const float *inputs, u64 inputs_stride, const u32 *tiles) {
    EACH_THREAD {
        const u32 row = THREADS / 32 * blockIdx.y + thread / 32;
        const u32 lane = thread % 32 * 4;
        if (row < rows) {
            float *feature = features + (u64)blockIdx.x * TILE + lane;
            const float4 hidden = *(const float4 *)(feature + row * stride);
            const float *input = inputs + (u64)tiles[blockIdx.x] * TILE + lane;
            const float gain = gains[row];
            for (u64 place = places[row]; place < places[row + 1]; ++place) {
                const float4 entries = *(const float4 *)(input + columns_of[place] * inputs_stride);
                *(float4 *)(feature + (rows + place) * stride) =
                    make_float4(hidden.x > 0.0f ? gain * entries.x : 0.0f, hidden.y > 0.0f ? gain * entries.y : 0.0f,
                                hidden.z > 0.0f ? gain * entries.z : 0.0f, hidden.w > 0.0f ? gain * entries.w : 0.0f);
            }
        }
    }
}

// K_1 of the inputs of tiles pairs[2 blockIdx.x] and pairs[2 blockIdx.x + 1], |x| |y| (sin t + (pi - t) cos t) / 2 pi; with
// the second term taken twice K_1 + C K_0.
KERNEL limits(float *limits_of, const float *inputs, u64 stride, u32 dimension, const double *norms, const u32 *pairs,
              double times) {
    const double pi = 3.14159265358979323846;
    SHARED Panels panels[2];
    PER_THREAD(float, sums, [SIDE][SIDE]);
    const u64 left = (u64)pairs[2 * blockIdx.x] * TILE, right = (u64)pairs[2 * blockIdx.x + 1] * TILE;
    clear(sums);
    multiply(inputs + left, stride, inputs + right, stride, dimension, panels, sums);
    float *to = limits_of + (u64)blockIdx.x * TILE * TILE;
    EACH_THREAD {
        for (u32 i = 0; i < SIDE; ++i)
            for (u32 j = 0; j < SIDE; ++j)
                to[in_tile(thread / 16, i) * TILE + in_tile(thread % 16, j)] = sums[MINE][i][j];
        // Each thread reads back what it wrote: a loop over registers would have to be written out 64 times.
        for (u32 place = 0; place < SIDE * SIDE; ++place) {
            const u32 row = in_tile(thread / 16, place / SIDE), column = in_tile(thread % 16, place % SIDE);
            const double norm = norms[left + row] * norms[right + column];
            double cosine = norm > 0.0 ? fmin(fmax(to[row * TILE + column] / norm, -1.0), 1.0) : 0.0;
            if (left + row == right + column) cosine = 1.0;
            const double sine = sqrt((1.0 - cosine) * (1.0 + cosine));
            to[row * TILE + column] = (float)(norm * (sine + times * acos(-cosine) * cosine) / (2.0 * pi));
        }
    }
}

// Sums of (factor Gram - variance K_1)^2 over the pairs of different inputs, sums[2 blockIdx.x], and of an input with itself,
// sums[2 blockIdx.x + 1], of tiles pairs[2 blockIdx.x] and pairs[2 blockIdx.x + 1], the first not above the second. The Gram
// matrix of a wide layer is added up over several calls, in grams from the second on and up to the last but one.
KERNEL squared_distances(double *sums_of, float *grams, const float *limits_of, const float *features, u64 stride,
                         u32 depth, const u32 *pairs, float factor, float variance, u32 is_first, u32 is_last) {
    SHARED Panels panels[2];
    PER_THREAD(float, sums, [SIDE][SIDE]);
    const u32 left = pairs[2 * blockIdx.x] * TILE, right = pairs[2 * blockIdx.x + 1] * TILE;
    // In the place of the panels, which are done with by then.
    double(*squares)[THREADS] = (double(*)[THREADS])panels;
    float *gram_tile = grams + (u64)blockIdx.x * TILE * TILE;
    const float *limit_tile = limits_of + (u64)blockIdx.x * TILE * TILE;
    clear(sums);
    multiply(features + left, stride, features + right, stride, depth, panels, sums);
    EACH_THREAD {
        float off_diagonal = 0.0f, diagonal = 0.0f;
        UNROLL for (u32 i = 0; i < SIDE; ++i) {
            UNROLL for (u32 j = 0; j < SIDE; ++j) {
                const u32 row = in_tile(thread / 16, i), column = in_tile(thread % 16, j);
                float gram = sums[MINE][i][j];
                if (!is_first) gram += gram_tile[row * TILE + column];
                if (!is_last) gram_tile[row * TILE + column] = gram;
                const float difference = factor * gram - variance * limit_tile[row * TILE + column];
                const float square = difference * difference;
                off_diagonal += left + row < right + column ? square : 0.0f;
                diagonal += left + row == right + column ? square : 0.0f;
            }
        }
        squares[0][thread] = off_diagonal;
        squares[1][thread] = diagonal;
    }
    BARRIER;
    for (u32 half = THREADS / 2; half > 0; half /= 2) {
        EACH_THREAD {
            if (thread < half) {
                squares[0][thread] += squares[0][thread + half];
                squares[1][thread] += squares[1][thread + half];
            }
        }
        BARRIER;
    }
    EACH_THREAD {
        if (thread < 2 && is_last) sums_of[2 * blockIdx.x + thread] = squares[thread][0];
    }
}
