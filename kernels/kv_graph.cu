// kv_graph.cu: caches of keys and values in graphs. A graph finds their lengths in device memory, where each launch puts them,
// and appends to them when it runs.
#include <cinttypes>
#include <vector>

#include "abi/error.h"
#include "host/graph.h"
#include "host/launch.h"
#include "kv_cache.h"

namespace cria::gpu {
namespace {

constexpr int kThreads = 32;
constexpr int64_t kMostCaches = 1024;  // of one graph

CRIA_KERNEL(kThreads, 1)
void kv_lengths_kernel(int64_t n, int64_t length, int64_t *lengths) {
  for (int64_t i = thread_index(); i < n; i += kThreads) store(lengths + i, length);
}

class KvInGraph : public GraphPart {
 public:
  explicit KvInGraph(cria_graph &graph)
      : lengths_(static_cast<int64_t *>(graph.take(kMostCaches * sizeof(int64_t)))) {}

  KvLength length(cria_kv &cache) {
    size_t place = 0;
    while (place < uses_.size() && uses_[place].cache != &cache) ++place;
    if (place == uses_.size()) {
      if (place == kMostCaches) {
        fail(CRIA_UNSUPPORTED, "graph: more than %" PRId64 " key/value caches", kMostCaches);
      }
      uses_.push_back({&cache, cache.length, 0});
    }
    return {lengths_ + place, cache.length - uses_[place].length};
  }

  // While recording, the lengths on the host ran ahead, so that calls are checked as they are outside of graphs.
  void end_recording() override {
    for (Use &use : uses_) {
      use.appended = use.cache->length - use.length;
      use.cache->length = use.length;
    }
  }

  void before_launch(GpuQueue &queue) override {
    for (const Use &use : uses_) {
      if (use.appended > use.cache->capacity - use.cache->length) {
        fail(CRIA_INVALID_ARGUMENT,
             "graph_launch: a cache is full: capacity %" PRId64 ", length %" PRId64 ", %" PRId64
             " rows to append",
             use.cache->capacity, use.cache->length, use.appended);
      }
    }
    // Layers of a model have the same length: one launch.
    for (size_t i = 0, end; i < uses_.size(); i = end) {
      const int64_t length = uses_[i].cache->length;
      for (end = i + 1; end < uses_.size() && uses_[end].cache->length == length;) ++end;
      launch(queue, "kv_lengths", &kv_lengths_kernel, {1}, kThreads, 0, end - i, length,
             lengths_ + i);
    }
  }

  void after_launch() override {
    for (const Use &use : uses_) use.cache->length += use.appended;
  }

 private:
  struct Use {
    cria_kv *cache;
    int64_t length;    // when the recording met it
    int64_t appended;  // by one run
  };
  int64_t *const lengths_;  // device memory, one for each use
  std::vector<Use> uses_;
};

}  // namespace

KvLength length_in(GpuQueue &queue, const cria_kv &cache) {
  if (!queue.recording) return {nullptr, cache.length};
  std::unique_ptr<GraphPart> &part = queue.recording->kv;
  if (!part) part = std::make_unique<KvInGraph>(*queue.recording);
  // A cache that is only read is not changed.
  return static_cast<KvInGraph &>(*part).length(const_cast<cria_kv &>(cache));
}

}  // namespace cria::gpu
