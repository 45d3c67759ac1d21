// fake_cuda.h: what tests see of the test double of the CUDA runtime, and how they steer it.
//
// Device memory is host memory. Work of a stream waits until something waits for the stream, as late as CUDA allows. Every call
// checks that the thread has selected the device whose stream or memory it uses. While a stream captures, what CUDA forbids
// then spoils the capture.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fake {

struct Launch {
  const void *function;
  dim3 grid, block;
  size_t shared_bytes;
};

struct Machine {
  int devices = 2, driver = 13000;
  int major = 9, minor = 0;
  int64_t memory = 1 << 20;                      // bytes of each device
  int shared_memory_optin = 232448;              // bytes of a block
  std::map<std::string, cudaError_t> fail_next;  // by function, once
  cudaError_t broken = cudaSuccess;              // what every call answers: a fault of a kernel

  // What happened.
  std::vector<std::string> calls;  // functions in order, with the device or stream they name
  std::vector<Launch> launches;
  int mistakes = 0;  // wrong device, memory that is not live, ...
  int64_t live_bytes = 0;
  int live_blocks = 0, streams = 0, graphs = 0, executables = 0;
  cudaError_t last_error = cudaSuccess;

  int count(const std::string &call) const;  // calls that begin so
};

Machine &machine();
// Makes the machine new and returns the number of mistakes on the last one; what it left alive is one.
int reset();

using Body = std::function<void(void **)>;
void register_kernel(const void *function, std::vector<size_t> sizes, Body body);

template <class... P, size_t... I>
void call(void (*f)(P...), void **arguments, std::index_sequence<I...>) {
  f(*static_cast<P *>(arguments[I])...);
}

// Makes f a kernel: one "thread" runs it.
template <class... P>
void kernel(void (*f)(P...)) {
  register_kernel(reinterpret_cast<const void *>(f), {sizeof(P)...},
                  [f](void **arguments) { call(f, arguments, std::index_sequence_for<P...>()); });
}

}  // namespace fake
