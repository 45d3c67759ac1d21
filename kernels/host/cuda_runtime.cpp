// cuda_runtime.cpp: devices "cuda:N" through the CUDA runtime. CUDA's own names appear here and in device/cuda.h only.
#include <cuda_runtime_api.h>

#include <cinttypes>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "abi/error.h"
#include "host/backend.h"
#include "host/cublas.h"

namespace cria::gpu {
namespace {

void check(cudaError_t status, const char *what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else other code of this thread would find it
  fail(CRIA_DEVICE_ERROR, "cuda: %s: %s (%s)", what, cudaGetErrorString(status),
       cudaGetErrorName(status));
}

// Floating-point operations of one multiprocessor in one cycle: dense products of bf16 with float32 sums, by NVIDIA's
// architecture papers. 0 for those not listed.
double tensor_flops_per_cycle(int architecture) {
  switch (architecture) {
    case 80:
      return 2048;
    case 86:
    case 89:
      return 512;
    case 90:
      return 4096;
    default:
      return 0;
  }
}

// The same of float32 multiply-adds: 64 or 128 lanes.
double fma_flops_per_cycle(int architecture) {
  switch (architecture) {
    case 80:
      return 128;
    case 86:
    case 89:
    case 90:
      return 256;
    default:
      return 0;
  }
}

// Null where the library is not installed.
const CublasApi *cublas_api() {
  static const std::optional<CublasApi> api = CublasApi::open();
  return api ? &*api : nullptr;
}

cudaStream_t stream_of(Stream stream) { return static_cast<cudaStream_t>(stream); }

constexpr int64_t kCublasWorkspace = 32 << 20;  // what cuBLAS asks for on sm_90, the most of all

// Every call selects its device first: the current device belongs to the thread.
class CudaRuntime : public Runtime {
 public:
  explicit CudaRuntime(int device) : device_(device) {
    check(cudaGetDeviceProperties(&properties_, device), "reading the properties of the device");
    if (properties_.major < 8) {
      fail(CRIA_UNSUPPORTED, "device_open: 'cuda:%d' is a %s (%s); Cria needs sm_80 or newer",
           device, properties_.name, CudaRuntime::architecture().c_str());
    }
  }

  std::string architecture() const override {
    return "sm_" + std::to_string(properties_.major * 10 + properties_.minor);
  }
  int multiprocessors() const override { return properties_.multiProcessorCount; }

  Peak peak() const override {
    const double memory_clock = 1e3 * attribute(cudaDevAttrMemoryClockRate);
    const double bus_bytes = attribute(cudaDevAttrGlobalMemoryBusWidth) / 8.0;
    const double clock = 1e3 * attribute(cudaDevAttrClockRate);
    const int architecture = properties_.major * 10 + properties_.minor;
    return {2 * memory_clock * bus_bytes,  // two transfers a cycle
            clock * multiprocessors() * tensor_flops_per_cycle(architecture),
            clock * multiprocessors() * fma_flops_per_cycle(architecture)};
  }

  void *allocate(int64_t bytes) override {
    select();
    void *address = nullptr;
    const cudaError_t status = cudaMalloc(&address, static_cast<size_t>(bytes));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
    check(status, "allocating memory");
    return address;
  }
  void release(void *address) noexcept override {
    cudaSetDevice(device_);
    cudaFree(address);
  }

  Stream create_stream() override {
    select();
    cudaStream_t stream;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
    return stream;
  }
  void destroy_stream(Stream stream) noexcept override {
    cudaSetDevice(device_);
    {
      std::lock_guard lock(mutex_);
      cublas_.erase(stream);
    }
    cudaStreamDestroy(stream_of(stream));
  }
  void synchronize(Stream stream) override {
    select();
    check(cudaStreamSynchronize(stream_of(stream)), "waiting for a stream");
  }

  void upload(Stream stream, void *device, const void *host, int64_t bytes) override {
    move(stream, device, host, bytes, cudaMemcpyHostToDevice, "copying to the device");
    synchronize(stream);
  }
  void download(Stream stream, void *host, const void *device, int64_t bytes) override {
    move(stream, host, device, bytes, cudaMemcpyDeviceToHost, "copying from the device");
    synchronize(stream);
  }
  void copy(Stream stream, void *to, const void *from, int64_t bytes) override {
    move(stream, to, from, bytes, cudaMemcpyDeviceToDevice, "copying within the device");
  }
  void fill(Stream stream, void *device, int byte, int64_t bytes) override {
    select();
    check(cudaMemsetAsync(device, byte, static_cast<size_t>(bytes), stream_of(stream)),
          "filling memory");
  }

  void launch(Stream stream, const KernelLaunch &kernel) override {
    select();
    if (kernel.grid.x > INT32_MAX || kernel.grid.y > 65535 || kernel.grid.z > 65535) {
      fail(CRIA_UNSUPPORTED,
           "%s: %" PRId64 " x %" PRId64 " x %" PRId64 " blocks are more than a launch takes",
           kernel.name, kernel.grid.x, kernel.grid.y, kernel.grid.z);
    }
    allow_shared_memory(kernel);
    const dim3 grid(static_cast<unsigned>(kernel.grid.x), static_cast<unsigned>(kernel.grid.y),
                    static_cast<unsigned>(kernel.grid.z));
    check(cudaLaunchKernel(kernel.function, grid, dim3(static_cast<unsigned>(kernel.threads)),
                           kernel.arguments, static_cast<size_t>(kernel.shared_bytes),
                           stream_of(stream)),
          kernel.name);
  }

  bool multiply(Stream stream, const Product<float> &product) override {
    return multiply_by_cublas(stream, product);
  }
  bool multiply(Stream stream, const Product<bf16> &product) override {
    return multiply_by_cublas(stream, product);
  }

  void begin_capture(Stream stream) override {
    select();
    // It sets itself up with calls that may not be captured.
    if (cublas_api()) cublas_of(stream);
    // Relaxed: the allocator may ask the driver for memory meanwhile.
    check(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeRelaxed),
          "beginning a capture");
  }
  Graph end_capture(Stream stream) override {
    select();
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_of(stream), &graph), "ending a capture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "instantiating a graph");
    return executable;
  }
  void launch_graph(Stream stream, Graph graph) override {
    select();
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)),
          "launching a graph");
  }
  void destroy_graph(Graph graph) noexcept override {
    cudaSetDevice(device_);
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
  }

 private:
  int attribute(cudaDeviceAttr what) const {
    int value = 0;
    check(cudaDeviceGetAttribute(&value, what, device_), "reading an attribute of the device");
    return value;
  }

  void select() const { check(cudaSetDevice(device_), "selecting the device"); }

  void move(Stream stream, void *to, const void *from, int64_t bytes, cudaMemcpyKind kind,
            const char *what) {
    select();
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream_of(stream)), what);
  }

  using Memory = std::unique_ptr<void, decltype(&cudaFree)>;

  // cuBLAS on one stream and the memory it works in.
  struct StreamCublas {
    Memory workspace;
    Cublas cublas;
    StreamCublas(Memory memory, Stream stream)
        : workspace(std::move(memory)),
          cublas(*cublas_api(), stream, workspace.get(), kCublasWorkspace) {}
  };

  const Cublas &cublas_of(Stream stream) {
    std::lock_guard lock(mutex_);
    const auto found = cublas_.find(stream);
    if (found != cublas_.end()) return found->second.cublas;
    Memory memory(allocate(kCublasWorkspace), &cudaFree);
    if (!memory) fail(CRIA_OUT_OF_MEMORY, "cuda: no memory left for cuBLAS to work in");
    return cublas_.try_emplace(stream, std::move(memory), stream).first->second.cublas;
  }

  template <class T>
  bool multiply_by_cublas(Stream stream, const Product<T> &product) {
    if (!cublas_api()) return false;
    select();
    return cublas_of(stream).multiply(product);
  }

  // Above 48 KiB a kernel must be allowed its dynamic shared memory once.
  void allow_shared_memory(const KernelLaunch &kernel) {
    if (kernel.shared_bytes <= 48 << 10) return;
    const int most = static_cast<int>(properties_.sharedMemPerBlockOptin);
    if (kernel.shared_bytes > most) {
      fail(CRIA_UNSUPPORTED, "%s: needs %d bytes of shared memory in a block, the device has %d",
           kernel.name, kernel.shared_bytes, most);
    }
    std::lock_guard lock(mutex_);
    if (allowed_.count(kernel.function)) return;
    check(cudaFuncSetAttribute(kernel.function, cudaFuncAttributeMaxDynamicSharedMemorySize, most),
          kernel.name);
    allowed_.insert(kernel.function);
  }

  const int device_;
  cudaDeviceProp properties_{};
  std::mutex mutex_;
  std::set<const void *> allowed_;
  std::map<Stream, StreamCublas> cublas_;
};

}  // namespace

std::unique_ptr<Runtime> open_runtime(const char *name) {
  char *end = nullptr;
  const long device = std::strtol(name + 5, &end, 10);  // after "cuda:"
  if (end == name + 5 || *end || device < 0 || device > 1023) {
    fail(CRIA_INVALID_ARGUMENT,
         "device_open: unknown device '%s'; CUDA devices are cuda:0, cuda:1, ...", name);
  }
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    fail(CRIA_DEVICE_ERROR, "device_open: '%s': no CUDA device can be used: %s; use 'cpu'", name,
         driver == 0 ? "there is no NVIDIA driver" : cudaGetErrorString(status));
  }
  if (device >= count) {
    fail(CRIA_INVALID_ARGUMENT, "device_open: '%s': this machine has %d CUDA devices", name, count);
  }
  return std::make_unique<CudaRuntime>(static_cast<int>(device));
}

}  // namespace cria::gpu
