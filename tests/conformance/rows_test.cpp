// rows_test.cpp: rows by number (gather, scatter, embedding), scaling of rows, and segments.
#include "harness.h"

namespace conformance {
namespace {

struct Shape {
  int64_t n, rows, c;
};

// Numbers that repeat, among them the first and the last row.
std::vector<int32_t> indices(Random &random, const Shape &s) {
  std::vector<int32_t> index;
  for (int64_t i = 0; i < s.n; i++) {
    index.push_back(int32_t(i == 0 ? s.rows - 1 : i == 1 ? 0 : random.below(s.rows)));
  }
  return index;
}

std::vector<float> taken(const Shape &s, const std::vector<int32_t> &index,
                         const std::vector<float> &table) {
  std::vector<float> out;
  for (int32_t row : index) {
    out.insert(out.end(), table.begin() + row * s.c, table.begin() + (row + 1) * s.c);
  }
  return out;
}

// Added in the order of the numbers: float sums whose order shows.
std::vector<float> added(const Shape &s, const std::vector<int32_t> &index,
                         const std::vector<float> &values, std::vector<float> table) {
  for (size_t i = 0; i < index.size(); i++) {
    for (int64_t j = 0; j < s.c; j++) {
      table[size_t(index[i] * s.c + j)] += values[i * size_t(s.c) + size_t(j)];
    }
  }
  return table;
}

void embedding_case(Context &c, const Shape &s) {
  Random random(uint64_t(s.n + s.rows * 3 + s.c));
  const std::vector<float> table = rounded(random.normals(s.rows * s.c)),
                           dout = random.normals(s.n * s.c), start = random.normals(s.rows * s.c);
  const std::vector<int32_t> ids = indices(random, s);
  Array<float> f32(c, table), out(c, s.n * s.c), dev_dout(c, dout), dtable(c, start);
  Array<uint16_t> bf16(c, bf16_of(table));
  Array<int32_t> dev_ids(c, ids);
  c.ok(cria_embedding(c.queue, s.n, s.rows, s.c, CRIA_F32, f32, dev_ids, out), "embedding f32");
  c.same("out", out.values(), taken(s, ids, table));
  c.ok(cria_embedding(c.queue, s.n, s.rows, s.c, CRIA_BF16, bf16, dev_ids, out), "embedding bf16");
  c.same("out of bf16", out.values(), taken(s, ids, table));
  c.ok(cria_embedding_bwd(c.queue, s.n, s.rows, s.c, dev_ids, dev_dout, dtable), "embedding_bwd");
  c.same("dtable", dtable.values(), added(s, ids, dout, start));
}

void gather_case(Context &c, const Shape &s) {
  Random random(uint64_t(s.n * 5 + s.rows + s.c));
  const std::vector<float> x = random.normals(s.rows * s.c), values = random.normals(s.n * s.c);
  const std::vector<int32_t> index = indices(random, s);
  Array<float> dx(c, x), y(c, s.n * s.c), dev_values(c, values);
  Array<int32_t> dev_index(c, index);
  c.ok(cria_gather_rows(c.queue, s.n, s.rows, s.c, dev_index, dx, y), "gather_rows");
  c.same("gathered", y.values(), taken(s, index, x));
  c.ok(cria_scatter_add_rows(c.queue, s.n, s.rows, s.c, dev_index, dev_values, dx),
       "scatter_add_rows");
  c.same("added", dx.values(), added(s, index, values, x));
}

void scale_case(Context &c, int64_t rows, int64_t cols) {
  Random random(uint64_t(rows * 7 + cols));
  const std::vector<float> s = random.normals(rows), x = random.normals(rows * cols);
  std::vector<float> want = x;
  for (size_t i = 0; i < want.size(); i++) want[i] *= s[i / size_t(cols)];
  Array<float> ds(c, s), dx(c, x), y(c, rows * cols);
  c.ok(cria_scale_rows(c.queue, rows, cols, ds, dx, y), "scale_rows");
  c.same("scaled", y.values(), want);
  c.ok(cria_scale_rows(c.queue, rows, cols, ds, dx, dx), "scale_rows in place");
  c.same("in place", dx.values(), want);
}

void segments_case(Context &c, const std::vector<int32_t> &offsets) {
  const auto segments = int64_t(offsets.size()) - 1, n = int64_t(offsets.back());
  Random random(uint64_t(n + 1));
  const std::vector<float> x = random.integers(n, 9);
  std::vector<float> sums(size_t(segments), 0), spread(size_t(n), 0);
  for (size_t s = 0; s < size_t(segments); s++) {
    for (auto i = size_t(offsets[s]); i < size_t(offsets[s + 1]); i++) sums[s] += x[i];
    for (auto i = size_t(offsets[s]); i < size_t(offsets[s + 1]); i++) spread[i] = sums[s];
  }
  Array<float> dx(c, x), y(c, segments), back(c, n);
  Array<int32_t> dev_offsets(c, offsets);
  c.ok(cria_segment_sum(c.queue, segments, dev_offsets, dx, y), "segment_sum");
  c.same("sums", y.values(), sums);
  Array<float> dev_sums(c, sums);
  c.ok(cria_segment_broadcast(c.queue, segments, dev_offsets, dev_sums, back), "segment_broadcast");
  c.same("spread", back.values(), spread);
}

std::string text(const char *name, const Shape &s) {
  return std::string(name) + " " + std::to_string(s.n) + " of " + std::to_string(s.rows) + "x" +
         std::to_string(s.c);
}

struct Registration {
  Registration() {
    // 600 numbers: more than the threads of a block, with several tiles of them to compare.
    const std::vector<Shape> shapes = {{0, 3, 4},    {1, 1, 1},    {7, 5, 3},     {65, 17, 33},
                                       {40, 7, 64},  {5, 11, 17},  {3, 11, 3200}, {9, 32000, 5},
                                       {600, 11, 1}, {600, 300, 8}};
    for (const Shape &s : shapes) {
      const auto embed = [s](Context &c) { embedding_case(c, s); };
      const auto gather = [s](Context &c) { gather_case(c, s); };
      Register(text("embedding", s), embed);
      Register(text("gather and scatter", s), gather);
      if (s.c % 4 != 0) continue;
      Register(text("embedding, aligned,", s), aligned(embed));
      Register(text("gather and scatter, aligned,", s), aligned(gather));
    }
    for (auto [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 3}, {1, 1}, {5, 17}, {700, 1}, {3, 3200}, {33, 100}}) {
      const std::string name = "scale_rows " + std::to_string(rows) + "x" + std::to_string(cols);
      const auto run = [r = rows, k = cols](Context &c) { scale_case(c, r, k); };
      Register(name, run);
      if (cols % 4 == 0) Register(name + ", aligned", aligned(run));
    }
    Register("segments", [](Context &c) { segments_case(c, {0, 3, 3, 5, 7}); });
    Register("segments of many elements",
             [](Context &c) { segments_case(c, {0, 300, 301, 1500, 1500, 1777}); });
  }
} registration;

const Register refusals{
    "rows refuse numbers outside of the table", [](Context &c) {
      const int64_t width = 8;
      Array<float> x(c, std::vector<float>(11 * width, 1.0f)), y(c, 4 * width);
      Array<float> values(c, std::vector<float>(4 * width, 1.0f));
      Array<int32_t> high(c, std::vector<int32_t>{0, 3, 11, 12}),
          negative(c, std::vector<int32_t>{0, -7, 5, 12});
      const auto refused = [&](cria_status status, const char *operation, const char *value) {
        c.refused(status, CRIA_INVALID_ARGUMENT, {operation, value});
      };
      refused(cria_gather_rows(c.queue, 4, 11, width, high, x, y), "gather_rows", "11");
      refused(cria_gather_rows(c.queue, 4, 11, width, negative, x, y), "gather_rows", "-7");
      refused(cria_scatter_add_rows(c.queue, 4, 11, width, high, values, x), "scatter_add_rows",
              "11");
      refused(cria_scatter_add_rows(c.queue, 4, 11, width, negative, values, x), "scatter_add_rows",
              "-7");
      refused(cria_embedding(c.queue, 4, 11, width, CRIA_F32, x, high, y), "embedding", "11");
      refused(cria_embedding(c.queue, 4, 11, width, CRIA_F32, x, negative, y), "embedding", "-7");
      refused(cria_embedding_bwd(c.queue, 4, 11, width, high, values, x), "embedding", "11");
      refused(cria_embedding_bwd(c.queue, 4, 11, width, negative, values, x), "embedding", "-7");
      // An error is reported once.
      Array<int32_t> good(c, std::vector<int32_t>{0, 10});
      c.ok(cria_gather_rows(c.queue, 2, 11, width, good, x, y), "gather_rows");
      c.ok(cria_queue_synchronize(c.queue), "synchronize");
    }};

}  // namespace
}  // namespace conformance
