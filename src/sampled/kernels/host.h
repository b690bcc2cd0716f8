// What sampled.cu takes from CUDA, for a C++ compiler: a block's threads one after the other. For tests.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

using std::acos;
using std::fmax;
using std::fmin;
using std::log;
using std::sqrt;

typedef unsigned int u32;
typedef unsigned long long u64;

struct float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w) { return float4{x, y, z, w}; }

static inline double cospi(double x) { return std::cos(3.14159265358979323846 * x); }

static thread_local struct {
    u32 x, y;
} blockIdx;

// In either order: what a thread reads of another that has not waited for it goes wrong in one of them.
#ifdef LAST_THREAD_FIRST
#define EACH_THREAD for (u32 thread = THREADS; thread-- > 0;)
#else
#define EACH_THREAD for (u32 thread = 0; thread < THREADS; ++thread)
#endif
#define BARRIER ((void)0)
#define PER_THREAD(type, name, shape) static thread_local type name[THREADS] shape
#define MINE thread
#define SHARED alignas(16) static thread_local
#define UNROLL
#define INLINE static inline
#define KERNEL static void
