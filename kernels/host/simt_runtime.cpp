// simt_runtime.cpp: the "simt" device: the kernels of the CUDA device on the SIMT emulator, to prove them without a GPU.
#include <utility>
#include <vector>

#include "host/backend.h"
#include "simt/emulator.h"

namespace cria::gpu {
namespace {

using Recording = std::vector<std::function<void()>>;

struct SimtStream {
  Recording *capturing = nullptr;
};

class SimtRuntime : public Runtime {
 public:
  std::string architecture() const override { return simt::settings().architecture; }
  int multiprocessors() const override { return 1; }
  Peak peak() const override { return {0, 0, 0}; }

  void *allocate(int64_t bytes) override { return simt::allocate(bytes); }
  void release(void *address) noexcept override { simt::release(address); }
  void forget(void *address, int64_t bytes) override { simt::forget(address, bytes); }

  Stream create_stream() override { return new SimtStream; }
  void destroy_stream(Stream stream) noexcept override { delete &of(stream); }
  void synchronize(Stream) override {}

  void upload(Stream, void *device, const void *host, int64_t bytes) override {
    simt::upload(device, host, bytes);
  }
  void download(Stream, void *host, const void *device, int64_t bytes) override {
    simt::download(host, device, bytes);
  }
  void copy(Stream stream, void *to, const void *from, int64_t bytes) override {
    run(stream, [=] { simt::copy(to, from, bytes); });
  }
  void fill(Stream stream, void *device, int byte, int64_t bytes) override {
    run(stream, [=] { simt::fill(device, byte, bytes); });
  }
  void launch(Stream stream, const KernelLaunch &kernel) override {
    run(stream, [kernel] {
      simt::launch(kernel.name, {kernel.grid.x, kernel.grid.y, kernel.grid.z}, kernel.threads,
                   kernel.shared_bytes, kernel.body);
    });
  }

  void begin_capture(Stream stream) override { of(stream).capturing = new Recording; }
  Graph end_capture(Stream stream) override { return std::exchange(of(stream).capturing, nullptr); }
  void launch_graph(Stream, Graph graph) override {
    for (const auto &work : *static_cast<Recording *>(graph)) work();
  }
  void destroy_graph(Graph graph) noexcept override { delete static_cast<Recording *>(graph); }

 private:
  static SimtStream &of(Stream stream) { return *static_cast<SimtStream *>(stream); }

  template <class Work>
  static void run(Stream stream, Work work) {
    if (of(stream).capturing) {
      of(stream).capturing->push_back(std::move(work));
    } else {
      work();
    }
  }
};

}  // namespace

std::unique_ptr<Runtime> open_runtime(const char *) { return std::make_unique<SimtRuntime>(); }

}  // namespace cria::gpu
