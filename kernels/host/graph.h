// graph.h: recorded work of a queue (cria_graph).
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>

#include "host/gpu_device.h"

namespace cria::gpu {

// What operations that keep numbers on the host do around a graph that records them.
class GraphPart {
 public:
  virtual ~GraphPart() = default;
  virtual void end_recording() = 0;
  virtual void before_launch(GpuQueue &queue) = 0;  // throws where the graph may not run
  virtual void after_launch() = 0;
};

}  // namespace cria::gpu

// Every handle of a device begins with a pointer to it.
struct cria_graph {
  explicit cria_graph(cria::gpu::GpuQueue &recorded);
  ~cria_graph();
  cria_graph(const cria_graph &) = delete;
  cria_graph &operator=(const cria_graph &) = delete;

  cria_device *const device;
  cria::gpu::GpuQueue &queue;
  cria::gpu::Graph executable = nullptr;     // null while recording
  std::unique_ptr<cria::gpu::GraphPart> kv;  // null without key/value caches

  // Scratch of the recorded operations. Each run of the graph uses the same memory again, so it stays with the graph;
  // operations of one graph share it as they share scratch of the queue.
  void *take(int64_t bytes);
  void give_back(void *address);

 private:
  std::unordered_map<void *, int64_t> sizes_;  // of all blocks
  std::multimap<int64_t, void *> idle_;
};

namespace cria::gpu {

// Ends what the queue records, if it does, and throws it away.
void discard_recording(GpuQueue &queue) noexcept;

}  // namespace cria::gpu
