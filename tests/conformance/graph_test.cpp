// graph_test.cpp: recorded work gives the bits of work run at once, with what its addresses hold then.
#include "oracle.h"

namespace conformance {
namespace {

const Register cpu_records_nothing{
    "graphs are refused",
    [](Context &c) {
      cria_graph *graph = nullptr;
      c.refused(cria_graph_begin(c.queue), CRIA_UNSUPPORTED, {"graph_begin", "cpu"});
      c.refused(cria_graph_end(c.queue, &graph), CRIA_UNSUPPORTED, {"graph_end"});
      c.ok(cria_graph_free(nullptr), "graph_free of NULL");
    },
    RunOn::cpu};

// What a graph records: rows of a table, their norm, its products with a dense and an NF4 matrix, and a gradient.
struct Work {
  static constexpr int64_t t = 5, v = 40, c = 96, n = 70;
  Context &context;
  Array<float> table, gain, weights, x, y, z, inv, dx, dgain, four_bits;
  Array<int32_t> ids;
  cria_nf4 *matrix = nullptr;

  explicit Work(Context &to)
      : context(to),
        table(to, Random(1).normals(v * c)),
        gain(to, Random(2).normals(c)),
        weights(to, Random(3).normals(n * c)),
        x(to, t * c),
        y(to, t * c),
        z(to, t * n),
        inv(to, t),
        dx(to, t * c),
        dgain(to, std::vector<float>(size_t(c), 0.0f)),
        four_bits(to, t * n),
        ids(to, t) {
    to.ok(cria_nf4_quantize(to.queue, n, c, 64, 1, CRIA_F32, weights, &matrix), "nf4_quantize");
  }
  ~Work() { cria_nf4_free(matrix); }

  void give() {
    cria_queue *q = context.queue;
    context.ok(cria_embedding(q, t, v, c, CRIA_F32, table, ids, x), "embedding");
    context.ok(cria_rmsnorm(q, t, c, 1e-6f, x, gain, y, inv), "rmsnorm");
    context.ok(cria_matmul(q, 1, t, n, c, 0, 1, 1, y, weights, 0, z), "matmul");
    context.ok(cria_nf4_linear(q, matrix, t, y, 0, nullptr, nullptr, 0, 0, 0, nullptr, four_bits),
               "nf4_linear");
    context.ok(cria_rmsnorm_bwd(q, t, c, x, gain, inv, y, 0, dx, dgain), "rmsnorm_bwd");
  }
  void choose(std::vector<int32_t> rows) {
    context.ok(cria_upload(context.queue, t * 4, rows.data(), ids), "upload");
  }
  // The outputs, which then hold something else.
  std::vector<float> results() {
    std::vector<float> all;
    for (const auto &[output, count] : {std::pair{&z, t * n}, {&four_bits, t * n}, {&dx, t * c}}) {
      const std::vector<float> values = output->values();
      all.insert(all.end(), values.begin(), values.end());
      context.ok(cria_fill(context.queue, count, -1, *output), "fill");
    }
    return all;
  }
};

const Register replay{
    "a graph runs on what its addresses hold",
    [](Context &c) {
      Work work(c);
      const std::vector<std::vector<int32_t>> inputs = {
          {3, 1, 4, 1, 5}, {39, 0, 17, 8, 2}, {7, 7, 7, 7, 7}};
      std::vector<std::vector<float>> expected;
      for (const auto &rows : inputs) {
        work.choose(rows);
        work.give();
        expected.push_back(work.results());
      }

      c.ok(cria_graph_begin(c.queue), "graph_begin");
      work.give();
      // What cannot be part of a graph, and leaves it as it is.
      float value = 0;
      c.refused(cria_download(c.queue, 4, work.z, &value), CRIA_UNSUPPORTED,
                {"download", "record"});
      c.refused(cria_upload(c.queue, 4, &value, work.z), CRIA_UNSUPPORTED, {"upload", "record"});
      c.refused(cria_queue_synchronize(c.queue), CRIA_UNSUPPORTED, {"synchronize", "record"});
      c.refused(cria_graph_begin(c.queue), CRIA_INVALID_ARGUMENT, {"graph_begin"});
      cria_graph *graph = nullptr;
      c.ok(cria_graph_end(c.queue, &graph), "graph_end");
      c.checks++;
      if (work.z.values() != std::vector<float>(size_t(Work::t * Work::n), -1.0f))
        c.fail("recording ran the work");

      for (size_t i = 0; i < inputs.size(); i++) {
        work.choose(inputs[i]);
        c.ok(cria_graph_launch(c.queue, graph), "graph_launch");
        c.same("first run", work.results(), expected[i]);
      }
      // Other work and other memory in between, in the order of the queue.
      {
        std::vector<std::unique_ptr<Array<float>>> others;
        for (int64_t n : {1, 100, 1000, 10000, 100000}) {
          others.push_back(std::make_unique<Array<float>>(c, n));
          c.ok(cria_fill(c.queue, n, 3, *others.back()), "fill");
        }
        work.choose(inputs[1]);
        work.give();
        work.choose(inputs[2]);
        c.ok(cria_graph_launch(c.queue, graph), "graph_launch");
        for (const auto &other : others)
          c.same("other memory", other->values(),
                 std::vector<float>(size_t(other->bytes() / 4), 3.0f));
        c.same("later run", work.results(), expected[2]);
      }

      c.refused(cria_queue_destroy(c.queue), CRIA_INVALID_ARGUMENT, {"queue_destroy", "1 graphs"});
      cria_queue *other = nullptr;
      c.ok(cria_queue_create(c.device, &other), "queue_create");
      c.refused(cria_graph_launch(other, graph), CRIA_INVALID_ARGUMENT, {"another queue"});
      c.refused(cria_graph_launch(c.queue, nullptr), CRIA_INVALID_ARGUMENT, {"graph", "null"});
      // A queue may be destroyed while it records.
      c.ok(cria_graph_begin(other), "graph_begin");
      c.ok(cria_queue_destroy(other), "queue_destroy");
      c.refused(cria_graph_end(c.queue, &graph), CRIA_INVALID_ARGUMENT, {"does not record"});
      c.ok(cria_graph_free(graph), "graph_free");
    },
    RunOn::gpu};

// Decoding with key/value caches of two layers, one of which is a row ahead: by a graph and call by call.
void decode_case(Context &c, cria_dtype dtype) {
  constexpr int64_t capacity = 520, heads = 4, kv_heads = 2, d = 20, width = kv_heads * d;
  constexpr float scale = 0.2f;
  struct Layers {
    Context &context;
    cria_kv *caches[2] = {};
    Array<float> q, k, v, first, second;
    explicit Layers(Context &to)
        : context(to),
          q(to, heads * d),
          k(to, width),
          v(to, width),
          first(to, heads * d),
          second(to, heads * d) {}
    ~Layers() {
      for (cria_kv *cache : caches) cria_kv_free(cache);
    }
    void token() {
      for (int i = 0; i < 2; i++) {
        context.ok(cria_kv_append(context.queue, caches[i], 1, k, v), "kv_append");
        context.ok(
            cria_kv_attention(context.queue, caches[i], 1, heads, scale, q, i ? second : first),
            "kv_attention");
      }
    }
    int64_t length(int i) {
      int64_t value = 0;
      context.ok(cria_kv_length(caches[i], &value), "kv_length");
      return value;
    }
  };
  Layers direct(c), recorded(c);
  Random random(9);
  const auto random_rows = [&](int64_t rows) {
    return std::make_unique<Array<float>>(c, random.normals(rows * width));
  };
  for (Layers *layers : {&direct, &recorded}) {
    for (int i = 0; i < 2; i++)
      c.ok(cria_kv_create(c.device, capacity, kv_heads, d, dtype, &layers->caches[i]), "kv_create");
    c.ok(cria_kv_append(c.queue, layers->caches[1], 1, *random_rows(1), *random_rows(1)),
         "kv_append");
    random = Random(9);
  }
  cria_graph *graph = nullptr;
  c.ok(cria_graph_begin(c.queue), "graph_begin");
  recorded.token();
  c.ok(cria_graph_end(c.queue, &graph), "graph_end");
  c.checks++;
  if (recorded.length(0) != 0 || recorded.length(1) != 1) c.fail("recording appended rows");

  const auto run = [&](const char *what) {
    const std::vector<float> q = random.normals(heads * d), k = random.normals(width),
                             v = random.normals(width);
    for (Layers *layers : {&direct, &recorded}) {
      c.ok(cria_upload(c.queue, heads * d * 4, q.data(), layers->q), "upload");
      c.ok(cria_upload(c.queue, width * 4, k.data(), layers->k), "upload");
      c.ok(cria_upload(c.queue, width * 4, v.data(), layers->v), "upload");
    }
    direct.token();
    c.ok(cria_graph_launch(c.queue, graph), "graph_launch");
    c.same(what, recorded.first.values(), direct.first.values());
    c.same(what, recorded.second.values(), direct.second.values());
    c.checks++;
    for (int i = 0; i < 2; i++)
      if (recorded.length(i) != direct.length(i)) c.fail("%s: the lengths differ", what);
  };
  // Work outside of the graph, as for a prompt, moves the length too.
  const auto prompt = [&](int64_t rows) {
    const auto k = random_rows(rows), v = random_rows(rows);
    for (Layers *layers : {&direct, &recorded})
      for (cria_kv *cache : layers->caches)
        c.ok(cria_kv_append(c.queue, cache, rows, *k, *v), "kv_append");
  };
  for (int i = 0; i < 3; i++) run("the first tokens");
  prompt(250);
  for (int i = 0; i < 6; i++) run("past one chunk of keys");
  for (Layers *layers : {&direct, &recorded})
    for (cria_kv *cache : layers->caches) c.ok(cria_kv_truncate(cache, 7), "kv_truncate");
  run("after truncation");
  prompt(capacity - 9);
  run("to the end");
  c.refused(cria_graph_launch(c.queue, graph), CRIA_INVALID_ARGUMENT, {"full", "520"});
  c.checks++;
  if (recorded.length(0) != capacity) c.fail("a refused run changed the length");
  c.ok(cria_graph_free(graph), "graph_free");
}

const Register decode{"a graph decodes",
                      [](Context &c) {
                        decode_case(c, CRIA_F32);
                        decode_case(c, CRIA_BF16);
                      },
                      RunOn::gpu};

const Register faults{"a graph reports what it finds in its data",
                      [](Context &c) {
                        Work work(c);
                        work.choose({0, 1, 2, 3, 4});
                        cria_graph *graph = nullptr;
                        c.ok(cria_graph_begin(c.queue), "graph_begin");
                        work.give();
                        c.ok(cria_graph_end(c.queue, &graph), "graph_end");
                        work.choose({0, 1, 40, 3, 4});
                        c.refused(cria_graph_launch(c.queue, graph), CRIA_INVALID_ARGUMENT,
                                  {"embedding", "ids[2]", "40"});
                        work.choose({0, 1, 2, 3, 4});
                        c.ok(cria_graph_launch(c.queue, graph), "graph_launch");
                        c.ok(cria_queue_synchronize(c.queue), "queue_synchronize");
                        c.ok(cria_graph_free(graph), "graph_free");
                      },
                      RunOn::gpu};

}  // namespace
}  // namespace conformance
