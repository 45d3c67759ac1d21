// runtime.h: what a GPU device needs from the system under it: memory, streams, launches, graphs. It stands on CUDA
// (cuda_runtime.cpp), and on the emulator (simt_runtime.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace cria::gpu {

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

// One kernel launch, arguments bound: `function` and `arguments` serve CUDA, `body` (one thread of the grid) the emulator.
struct KernelLaunch {
  const char *name;
  Grid grid;
  int threads;
  int shared_bytes;
  const void *function;
  void **arguments;
  std::function<void()> body;
};

struct bf16;
template <class T>
struct Product;

// What the hardware could do at best; zeros where that is not known.
struct Peak {
  double bytes_per_second;
  double bf16_flops_per_second, f32_flops_per_second;  // by type of the inputs, float32 sums
};

using Stream = void *;
using Graph = void *;

// Failures are thrown as cria::Error, CRIA_DEVICE_ERROR; what frees something throws nothing: on a device that failed it fails too.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string architecture() const = 0;  // "sm_90"
  virtual int multiprocessors() const = 0;
  virtual Peak peak() const = 0;

  // Device memory, aligned to 256 bytes; null where there is none left.
  virtual void *allocate(int64_t bytes) = 0;
  virtual void release(void *address) noexcept = 0;
  // The memory is about to serve another purpose; its contents no longer count.
  virtual void forget(void *, int64_t) {}

  virtual Stream create_stream() = 0;
  virtual void destroy_stream(Stream stream) noexcept = 0;
  virtual void synchronize(Stream stream) = 0;

  // In stream order. upload and download return when the host memory may be reused.
  virtual void upload(Stream stream, void *device, const void *host, int64_t bytes) = 0;
  virtual void download(Stream stream, void *host, const void *device, int64_t bytes) = 0;
  virtual void copy(Stream stream, void *to, const void *from, int64_t bytes) = 0;
  virtual void fill(Stream stream, void *device, int byte, int64_t bytes) = 0;
  virtual void launch(Stream stream, const KernelLaunch &launch) = 0;
  // The product by a library of the system; false where there is none for it.
  virtual bool multiply(Stream, const Product<float> &) { return false; }
  virtual bool multiply(Stream, const Product<bf16> &) { return false; }

  // Work given to the stream between begin and end is recorded instead of run; launch_graph repeats it. Meanwhile nothing is
  // uploaded, downloaded or waited for in that stream, and no memory is released.
  virtual void begin_capture(Stream stream) = 0;
  virtual Graph end_capture(Stream stream) = 0;
  virtual void launch_graph(Stream stream, Graph graph) = 0;
  virtual void destroy_graph(Graph graph) noexcept = 0;
};

}  // namespace cria::gpu
