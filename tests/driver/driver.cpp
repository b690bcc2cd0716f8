// A CUDA driver whose devices are the host: what cudarc calls of libcuda, with the kernels of sampled.cu behind it. For tests of
// all that lies between the program and a GPU. It loads no PTX, and says nothing of the speed of one.
//
//     g++ -std=c++17 -O3 -fno-strict-aliasing -fPIC -shared -o libcuda.so tests/driver/driver.cpp
//
// The environment tells what it pretends: DRIVER_DEVICES, DRIVER_VERSION, DRIVER_MEMORY (bytes a device), DRIVER_REFUSES (PTX),
// DRIVER_POOLS (0: no memory pools).

#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

#include "../../src/sampled/kernels/host.cpp"

typedef int Status;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_PTX = 218, NOT_FOUND = 500 };

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

static uint64_t devices() { return setting("DRIVER_DEVICES", 2); }

// Contexts are the devices' numbers, from 1 on.
static thread_local uintptr_t current = 0;
static std::mutex mutex;
static std::map<void *, std::pair<uintptr_t, std::size_t>> allocations;
static std::map<uintptr_t, std::size_t> taken;

extern "C" {

Status cuDriverGetVersion(int *version) {
    *version = (int)setting("DRIVER_VERSION", 12040);
    return SUCCESS;
}
Status cuInit(unsigned) { return devices() > 0 ? SUCCESS : NO_DEVICE; }
Status cuGetErrorString(Status status, const char **text) {
    *text = status == INVALID_PTX ? "invalid PTX" : "an error of the host's driver";
    return SUCCESS;
}
Status cuDeviceGetCount(int *count) {
    *count = (int)devices();
    return SUCCESS;
}
Status cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return SUCCESS;
}
Status cuDeviceGetName(char *name, int length, int device) {
    std::string text = "host " + std::to_string(device);
    std::strncpy(name, text.c_str(), (std::size_t)length);
    return SUCCESS;
}
Status cuDeviceGetAttribute(int *value, int attribute, int) {
    // Compute capability 9.0; memory pools.
    *value = attribute == 75 ? 9 : attribute == 115 ? (int)setting("DRIVER_POOLS", 1) : 0;
    return SUCCESS;
}
Status cuDevicePrimaryCtxRetain(uintptr_t *context, int device) {
    *context = (uintptr_t)device + 1;
    return SUCCESS;
}
Status cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
Status cuCtxGetCurrent(uintptr_t *context) {
    *context = current;
    return SUCCESS;
}
Status cuCtxSetCurrent(uintptr_t context) {
    current = context;
    return SUCCESS;
}
Status cuDeviceGetMemPool(uintptr_t *pool, int device) {
    *pool = (uintptr_t)device + 1;
    return SUCCESS;
}
Status cuMemPoolSetAttribute(uintptr_t, int attribute, void *) { return attribute == 4 ? SUCCESS : INVALID_VALUE; }
Status cuMemPoolTrimTo(uintptr_t, std::size_t) { return SUCCESS; }
Status cuMemGetInfo_v2(std::size_t *free, std::size_t *total) {
    // More than there is, so that allocations fail.
    *total = *free = 4 * setting("DRIVER_MEMORY", 1 << 30);
    return current ? SUCCESS : INVALID_VALUE;
}
Status cuMemAllocAsync(void **pointer, std::size_t bytes, uintptr_t) {
    const std::lock_guard<std::mutex> guard(mutex);
    if (!current || bytes == 0) return INVALID_VALUE;
    if (taken[current] + bytes > setting("DRIVER_MEMORY", 1 << 30)) return OUT_OF_MEMORY;
    *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(*pointer, 0x7f, bytes);
    taken[current] += bytes;
    allocations[*pointer] = {current, bytes};
    return SUCCESS;
}
Status cuMemFreeAsync(void *pointer, uintptr_t) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto found = allocations.find(pointer);
    if (found == allocations.end()) return INVALID_VALUE;
    taken[found->second.first] -= found->second.second;
    allocations.erase(found);
    std::free(pointer);
    return SUCCESS;
}
Status cuMemAlloc_v2(void **pointer, std::size_t bytes) { return cuMemAllocAsync(pointer, bytes, 0); }
Status cuMemFree_v2(void *pointer) { return cuMemFreeAsync(pointer, 0); }
static bool inside(void *pointer, std::size_t bytes) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto found = allocations.find(pointer);
    return found != allocations.end() && found->second.first == current && bytes <= found->second.second;
}
Status cuMemsetD8Async(void *to, unsigned char value, std::size_t bytes, uintptr_t) {
    return inside(to, bytes) ? (std::memset(to, value, bytes), SUCCESS) : INVALID_VALUE;
}
Status cuMemcpyHtoDAsync_v2(void *to, const void *from, std::size_t bytes, uintptr_t) {
    return inside(to, bytes) ? (std::memcpy(to, from, bytes), SUCCESS) : INVALID_VALUE;
}
Status cuMemcpyDtoHAsync_v2(void *to, void *from, std::size_t bytes, uintptr_t) {
    return inside(from, bytes) ? (std::memcpy(to, from, bytes), SUCCESS) : INVALID_VALUE;
}
Status cuModuleLoadData(std::string **module, const char *image) {
    if (setting("DRIVER_REFUSES", 0)) return INVALID_PTX;
    *module = new std::string(image);
    return SUCCESS;
}
Status cuModuleUnload(std::string *module) {
    delete module;
    return SUCCESS;
}
// A function is its name.
Status cuModuleGetFunction(char **function, std::string *module, const char *name) {
    if (module->find(".entry " + std::string(name) + "(") == std::string::npos) return NOT_FOUND;
    *function = strdup(name);
    return SUCCESS;
}
Status cuLaunchKernel(const char *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned,
                      uintptr_t, void **arguments, void **) {
    if (!current || z != 1 || threads != THREADS || x == 0 || y == 0 || y > 65535) return INVALID_VALUE;
    return sparsewidth_run_kernel(function, x, y, arguments) ? SUCCESS : NOT_FOUND;
}
Status cuStreamSynchronize(uintptr_t) { return SUCCESS; }
}
