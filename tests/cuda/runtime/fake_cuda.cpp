// fake_cuda.cpp: the functions of the CUDA runtime that the device library calls.
#include "fake_cuda.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

using fake::machine;

namespace {

using Work = std::function<void()>;

struct Kernel {
  std::vector<size_t> sizes;
  fake::Body body;
};

struct Stream {
  int device;
  std::vector<Work> pending;
  bool capturing = false, spoiled = false;
  std::vector<Work> captured;
};

struct Recorded {
  int device;
  std::vector<Work> work;
  int waiting = 0;  // launches that have not run
};

fake::Machine g_machine;
std::map<const void *, Kernel> g_kernels;
std::map<void *, std::pair<int, int64_t>> g_blocks;  // device and bytes
std::map<cudaStream_t, Stream> g_streams;
std::recursive_mutex g_mutex;
thread_local int t_device = 0;
thread_local bool t_relaxed = false;

void mistake(const char *format, ...) {
  ++g_machine.mistakes;
  std::printf("FAIL the CUDA runtime was misused: ");
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
}

// Notes the call; what it must answer before it does anything.
cudaError_t enter(const std::string &function, const std::string &detail) {
  g_machine.calls.push_back(detail.empty() ? function : function + " " + detail);
  cudaError_t status = g_machine.broken;
  const auto planned = g_machine.fail_next.find(function);
  if (planned != g_machine.fail_next.end()) {
    status = planned->second;
    g_machine.fail_next.erase(planned);
  }
  if (status != cudaSuccess) g_machine.last_error = status;
  return status;
}

cudaError_t answer(cudaError_t status) {
  if (status != cudaSuccess) g_machine.last_error = status;
  return status;
}

std::string name_of(cudaStream_t stream) {
  return std::to_string(reinterpret_cast<uintptr_t>(stream));
}

// The stream, whose device must be selected; null where there is none.
Stream *find(const char *function, cudaStream_t stream) {
  const auto entry = g_streams.find(stream);
  if (entry == g_streams.end()) {
    mistake("%s: no such stream", function);
    return nullptr;
  }
  if (entry->second.device != t_device)
    mistake("%s: device %d is selected, the stream is of %d", function, t_device,
            entry->second.device);
  return &entry->second;
}

void check_range(const char *function, const void *address, size_t bytes) {
  const auto *begin = static_cast<const char *>(address);
  for (const auto &[block, size] : g_blocks) {
    const auto *start = static_cast<const char *>(block);
    if (begin >= start && begin + bytes <= start + size.second && size.first == t_device) return;
  }
  mistake("%s: %zu bytes at %p are not memory of device %d", function, bytes, address, t_device);
}

bool capturing() {
  for (const auto &[stream, state] : g_streams)
    if (state.capturing) return true;
  return false;
}

// A call that is forbidden while a stream captures.
cudaError_t spoil(Stream *only = nullptr) {
  for (auto &[stream, state] : g_streams)
    if (state.capturing && (!only || only == &state)) state.spoiled = true;
  return answer(cudaErrorStreamCaptureUnsupported);
}

cudaError_t give(const char *function, cudaStream_t stream, Work work) {
  Stream *found = find(function, stream);
  if (!found) return answer(cudaErrorInvalidResourceHandle);
  if (found->spoiled) return answer(cudaErrorStreamCaptureInvalidated);
  (found->capturing ? found->captured : found->pending).push_back(std::move(work));
  return cudaSuccess;
}

void run(std::vector<Work> &work) {
  for (const Work &piece : work) piece();
}

}  // namespace

fake::Machine &fake::machine() { return g_machine; }

int fake::Machine::count(const std::string &call) const {
  int n = 0;
  for (const std::string &made : calls) n += made.compare(0, call.size(), call) == 0;
  return n;
}

int fake::reset() {
  if (g_machine.live_blocks || g_machine.streams || g_machine.graphs || g_machine.executables)
    mistake("%d blocks, %d streams, %d graphs, %d executables are left", g_machine.live_blocks,
            g_machine.streams, g_machine.graphs, g_machine.executables);
  const int mistakes = g_machine.mistakes;
  g_machine = Machine();
  t_device = 0;
  t_relaxed = false;
  return mistakes;
}

void fake::register_kernel(const void *function, std::vector<size_t> sizes, Body body) {
  g_kernels[function] = {std::move(sizes), std::move(body)};
}

// The frame of a function: it may be planned to fail before it does anything.
#define ENTER(detail)                                  \
  std::lock_guard lock(g_mutex);                       \
  const cudaError_t entered = enter(__func__, detail); \
  if (entered != cudaSuccess) return entered

extern "C" {

const char *cudaGetErrorString(cudaError_t status) {
  return status == cudaErrorIllegalAddress ? "an illegal memory access was encountered"
                                           : "text of an error";
}
const char *cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaErrorName";
}
cudaError_t cudaGetLastError() {
  std::lock_guard lock(g_mutex);
  const cudaError_t status = g_machine.last_error;
  g_machine.last_error = g_machine.broken;
  return status;
}

cudaError_t cudaDriverGetVersion(int *version) {
  *version = machine().driver;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  ENTER("");
  *count = g_machine.devices;
  return g_machine.devices > 0 ? cudaSuccess : answer(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  ENTER(std::to_string(device));
  t_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  ENTER("");
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "Double %d.%d", g_machine.major,
                g_machine.minor);
  properties->major = g_machine.major;
  properties->minor = g_machine.minor;
  properties->multiProcessorCount = 132;
  properties->sharedMemPerBlockOptin = size_t(g_machine.shared_memory_optin);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr what, int) {
  ENTER("");
  *value = what == cudaDevAttrMemoryClockRate        ? 2619000
           : what == cudaDevAttrGlobalMemoryBusWidth ? 5120
           : what == cudaDevAttrClockRate            ? 1830000
                                                     : 0;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **address, size_t bytes) {
  ENTER(std::to_string(bytes));
  if (capturing() && !t_relaxed) return spoil();
  int64_t used = 0;
  for (const auto &[block, size] : g_blocks)
    if (size.first == t_device) used += size.second;
  if (used + int64_t(bytes) > g_machine.memory) return answer(cudaErrorMemoryAllocation);
  *address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*address, 0xA5, bytes);
  g_blocks[*address] = {t_device, int64_t(bytes)};
  g_machine.live_bytes += int64_t(bytes);
  ++g_machine.live_blocks;
  return cudaSuccess;
}
cudaError_t cudaFree(void *address) {
  std::lock_guard lock(g_mutex);
  const cudaError_t entered = enter("cudaFree", "");
  if (capturing()) return spoil();
  const auto entry = g_blocks.find(address);
  if (entry == g_blocks.end()) {
    mistake("cudaFree: %p is not live", address);
    return answer(cudaErrorInvalidValue);
  }
  if (entry->second.first != t_device) mistake("cudaFree: the device is not selected");
  // Work may still use it: CUDA waits for the device.
  for (auto &[stream, state] : g_streams)
    if (!g_machine.broken && state.device == t_device && !state.pending.empty())
      mistake("cudaFree: a stream has work; it should have been waited for");
  g_machine.live_bytes -= entry->second.second;
  --g_machine.live_blocks;
  std::free(address);
  g_blocks.erase(entry);
  return entered;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags) {
  static uintptr_t last = 0;
  ENTER("");
  if (flags != cudaStreamNonBlocking) mistake("the stream waits for the legacy stream");
  *stream = reinterpret_cast<cudaStream_t>(++last);
  g_streams[*stream].device = t_device;
  ++g_machine.streams;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  std::lock_guard lock(g_mutex);
  const cudaError_t entered = enter("cudaStreamDestroy", name_of(stream));
  Stream *found = find("cudaStreamDestroy", stream);
  if (!found) return answer(cudaErrorInvalidResourceHandle);
  if (found->capturing) mistake("cudaStreamDestroy: the stream captures");
  g_streams.erase(stream);
  --g_machine.streams;
  return entered;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  ENTER(name_of(stream));
  Stream *found = find("cudaStreamSynchronize", stream);
  if (!found) return answer(cudaErrorInvalidResourceHandle);
  if (found->capturing) return spoil(found);
  std::vector<Work> work;
  work.swap(found->pending);
  run(work);
  return g_machine.broken;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  static const char *const names[] = {"host", "up", "down", "device"};
  ENTER(names[kind]);
  if (kind != cudaMemcpyHostToDevice) check_range("cudaMemcpyAsync", from, bytes);
  if (kind != cudaMemcpyDeviceToHost) check_range("cudaMemcpyAsync", to, bytes);
  return give("cudaMemcpyAsync", stream, [=] { std::memcpy(to, from, bytes); });
}
cudaError_t cudaMemsetAsync(void *device, int byte, size_t bytes, cudaStream_t stream) {
  ENTER("");
  check_range("cudaMemsetAsync", device, bytes);
  return give("cudaMemsetAsync", stream, [=] { std::memset(device, byte, bytes); });
}

cudaError_t cudaFuncSetAttribute(const void *function, cudaFuncAttribute attribute, int value) {
  ENTER("");
  if (!g_kernels.count(function) || attribute != cudaFuncAttributeMaxDynamicSharedMemorySize ||
      value > g_machine.shared_memory_optin)
    mistake("cudaFuncSetAttribute: attribute %d, value %d", attribute, value);
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments,
                             size_t shared_bytes, cudaStream_t stream) {
  ENTER("");
  const auto entry = g_kernels.find(function);
  if (entry == g_kernels.end()) return answer(cudaErrorInvalidDeviceFunction);
  g_machine.launches.push_back({function, grid, block, shared_bytes});
  // CUDA copies the values of the arguments.
  const Kernel &kernel = entry->second;
  auto values = std::make_shared<std::vector<std::vector<char>>>();
  for (size_t i = 0; i < kernel.sizes.size(); ++i) {
    const char *value = static_cast<const char *>(arguments[i]);
    values->emplace_back(value, value + kernel.sizes[i]);
  }
  return give("cudaLaunchKernel", stream, [&kernel, values] {
    std::vector<void *> addresses;
    for (auto &value : *values) addresses.push_back(value.data());
    kernel.body(addresses.data());
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  ENTER(name_of(stream));
  Stream *found = find("cudaStreamBeginCapture", stream);
  if (!found || found->capturing) return answer(cudaErrorIllegalState);
  found->capturing = true;
  found->spoiled = false;
  t_relaxed = mode == cudaStreamCaptureModeRelaxed;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  std::lock_guard lock(g_mutex);
  cudaError_t status = enter("cudaStreamEndCapture", name_of(stream));
  Stream *found = find("cudaStreamEndCapture", stream);
  if (!found || !found->capturing) return answer(cudaErrorIllegalState);
  found->capturing = false;
  *graph = nullptr;
  std::vector<Work> work;
  work.swap(found->captured);
  if (status == cudaSuccess && found->spoiled) status = answer(cudaErrorStreamCaptureInvalidated);
  found->spoiled = false;
  if (status != cudaSuccess) return status;
  *graph = reinterpret_cast<cudaGraph_t>(new Recorded{t_device, std::move(work), 0});
  ++g_machine.graphs;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph,
                                 unsigned long long) {
  ENTER("");
  *executable =
      reinterpret_cast<cudaGraphExec_t>(new Recorded(*reinterpret_cast<Recorded *>(graph)));
  ++g_machine.executables;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  std::lock_guard lock(g_mutex);
  const cudaError_t entered = enter("cudaGraphDestroy", "");
  delete reinterpret_cast<Recorded *>(graph);
  --g_machine.graphs;
  return entered;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  ENTER(name_of(stream));
  Recorded *recorded = reinterpret_cast<Recorded *>(executable);
  ++recorded->waiting;
  return give("cudaGraphLaunch", stream, [recorded] {
    run(recorded->work);
    --recorded->waiting;
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  std::lock_guard lock(g_mutex);
  const cudaError_t entered = enter("cudaGraphExecDestroy", "");
  Recorded *recorded = reinterpret_cast<Recorded *>(executable);
  if (recorded->device != t_device) mistake("cudaGraphExecDestroy: the device is not selected");
  if (!g_machine.broken && recorded->waiting > 0)
    mistake("cudaGraphExecDestroy: the graph has not run");
  delete recorded;
  --g_machine.executables;
  return entered;
}

}  // extern "C"
