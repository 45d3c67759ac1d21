// graph.cpp: work recorded from a queue, to be run again with one call.
#include "host/graph.h"

#include <cinttypes>
#include <utility>

#include "host/operations.h"

using cria::gpu::block_size;
using cria::gpu::GpuDevice;
using cria::gpu::GpuQueue;

cria_graph::cria_graph(GpuQueue &recorded) : device(recorded.device), queue(recorded) {}

cria_graph::~cria_graph() {
  GpuDevice &gpu = queue.gpu();
  if (executable) gpu.runtime->destroy_graph(executable);
  for (const auto &[address, size] : sizes_) gpu.give_back(address);
}

void *cria_graph::take(int64_t bytes) {
  const int64_t size = block_size(bytes);
  const auto fits = idle_.find(size);
  if (fits != idle_.end()) {
    void *address = fits->second;
    idle_.erase(fits);
    return address;
  }
  void *address = queue.gpu().take("scratch", bytes);
  sizes_.emplace(address, size);
  return address;
}

void cria_graph::give_back(void *address) { idle_.emplace(sizes_.at(address), address); }

namespace cria::gpu {
namespace {

// Other threads ask under the same lock whether the queue records before they wait for its stream.
std::unique_ptr<cria_graph> end_recording(GpuQueue &queue) {
  std::unique_ptr<cria_graph> graph;  // outlives the lock, which freeing it takes
  std::lock_guard lock(queue.gpu().cache_mutex);
  graph = std::move(queue.recording);
  if (graph->kv) graph->kv->end_recording();
  graph->executable = queue.gpu().runtime->end_capture(queue.stream);
  return graph;
}

}  // namespace

void discard_recording(GpuQueue &queue) noexcept {
  if (!queue.recording) return;
  try {
    end_recording(queue);
  } catch (const Error &) {  // NOLINT(bugprone-empty-catch)
    // Then there is no graph to throw away.
  }
}

cria_status graph_begin(cria_queue *queue) {
  GpuQueue &gpu = queue_of(queue);
  if (gpu.recording) fail(CRIA_INVALID_ARGUMENT, "graph_begin: the queue records already");
  gpu.synchronize();
  auto graph = std::make_unique<cria_graph>(gpu);
  std::lock_guard lock(gpu.gpu().cache_mutex);
  gpu.gpu().runtime->begin_capture(gpu.stream);
  gpu.recording = std::move(graph);
  return CRIA_OK;
}

cria_status graph_end(cria_queue *queue, cria_graph **graph) {
  GpuQueue &gpu = queue_of(queue);
  if (!gpu.recording) fail(CRIA_INVALID_ARGUMENT, "graph_end: the queue does not record");
  *graph = end_recording(gpu).release();
  ++gpu.graphs;
  ++queue->device->memory.objects;
  return CRIA_OK;
}

cria_status graph_launch(cria_queue *queue, const cria_graph *graph) {
  GpuQueue &gpu = queue_of(queue);
  if (&graph->queue != &gpu) {
    fail(CRIA_INVALID_ARGUMENT, "graph_launch: the graph was recorded from another queue");
  }
  gpu.refuse_recording("graph_launch");
  if (graph->kv) graph->kv->before_launch(gpu);
  gpu.gpu().runtime->launch_graph(gpu.stream, graph->executable);
  if (graph->kv) graph->kv->after_launch();
  return CRIA_OK;
}

cria_status graph_free(cria_graph *graph) {
  GpuQueue &queue = graph->queue;
  const auto finish = [&] {
    --queue.graphs;
    --graph->device->memory.objects;
    delete graph;
  };
  try {
    // It may still run. While the queue records it does not: recording began with waiting.
    if (!queue.recording) queue.gpu().runtime->synchronize(queue.stream);
  } catch (...) {
    finish();
    throw;
  }
  finish();
  return CRIA_OK;
}

}  // namespace cria::gpu
