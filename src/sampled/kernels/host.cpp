// The kernels of sampled.cu, run on the host.

#include "host.h"

#include "sampled.cu"

namespace {

template <class... Parameters, std::size_t... Places>
void call(void (*kernel)(Parameters...), void **arguments, std::index_sequence<Places...>) {
    kernel(*static_cast<Parameters *>(arguments[Places])...);
}

template <class... Parameters>
void run(void (*kernel)(Parameters...), u32 x, u32 y, void **arguments) {
    for (blockIdx.y = 0; blockIdx.y < y; ++blockIdx.y)
        for (blockIdx.x = 0; blockIdx.x < x; ++blockIdx.x)
            call(kernel, arguments, std::index_sequence_for<Parameters...>());
}

}  // namespace

// Runs x times y blocks of a kernel; arguments are pointers to its parameters, as CUDA takes them. Returns 0 where no
// kernel has that name.
extern "C" int sparsewidth_run_kernel(const char *name, u32 x, u32 y, void **arguments) {
#define CASE(kernel) \
    if (std::strcmp(name, #kernel) == 0) return run(kernel, x, y, arguments), 1
    CASE(count_weights);
    CASE(draw_weights);
    CASE(draw_dense);
    CASE(sparse_features);
    CASE(dense_features);
    CASE(tangent_features);
    CASE(limits);
    CASE(squared_distances);
    return 0;
}
