// strided_test.cpp: binary operations with broadcasting and copies between strided layouts.
#include <algorithm>

#include "harness.h"

namespace conformance {
namespace {

// Calls visit(place in a, place in b) for the elements of a box in row-major order.
template <class Visit>
void for_box(const std::vector<int64_t> &dims, const std::vector<int64_t> &a,
             const std::vector<int64_t> &b, Visit visit) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  for (int64_t i = 0; i < n; i++) {
    int64_t rest = i, ia = 0, ib = 0;
    for (size_t axis = dims.size(); axis-- > 0;) {
      ia += rest % dims[axis] * a[axis];
      ib += rest % dims[axis] * b[axis];
      rest /= dims[axis];
    }
    visit(ia, ib);
  }
}

void binary_case(Context &context, std::vector<int64_t> dims, std::vector<int64_t> sa,
                 std::vector<int64_t> sb, int64_t na, int64_t nb) {
  Random random(uint64_t(na * 3 + nb));
  std::vector<float> a = random.normals(na), b = random.normals(nb);
  Array<float> da(context, a), db(context, b);
  for (int op = CRIA_ADD; op <= CRIA_MIN; op++) {
    std::vector<float> want;
    for_box(dims, sa, sb, [&](int64_t ia, int64_t ib) {
      float p = a[size_t(ia)], q = b[size_t(ib)];
      want.push_back(op == CRIA_ADD   ? p + q
                     : op == CRIA_SUB ? p - q
                     : op == CRIA_MUL ? p * q
                     : op == CRIA_DIV ? p / q
                     : op == CRIA_MAX ? std::max(p, q)
                                      : std::min(p, q));
    });
    Array<float> y(context, int64_t(want.size()));
    context.ok(cria_binary(context.queue, op, int32_t(dims.size()), dims.data(), da, sa.data(), db,
                           sb.data(), y),
               "binary");
    context.same("y", y.values(), want);
  }
}

// A layout within a tensor of `size` elements: where the box starts, and its strides.
struct Layout {
  int64_t size, start;
  std::vector<int64_t> strides;
};

template <class T>
void copy_case(Context &context, const std::vector<int64_t> &dims, const Layout &source,
               const Layout &target) {
  Random random(uint64_t(source.size + 3 * target.size));
  std::vector<T> x, want;
  for (int64_t i = 0; i < source.size; i++) x.push_back(T(random.next()));
  for (int64_t i = 0; i < target.size; i++) want.push_back(T(random.next()));
  Array<T> from(context, x), to(context, want);
  context.ok(cria_copy_strided(context.queue, sizeof(T), int32_t(dims.size()), dims.data(),
                               from.get() + source.start, source.strides.data(),
                               to.get() + target.start, target.strides.data()),
             "copy_strided");
  for_box(dims, source.strides, target.strides, [&](int64_t i, int64_t j) {
    want[size_t(target.start + j)] = x[size_t(source.start + i)];
  });
  context.same("y", to.values(), want);
}

struct Registration {
  Registration() {
    Register("binary 3x5", [](Context &c) { binary_case(c, {3, 5}, {5, 1}, {5, 1}, 15, 15); });
    Register("binary scalar operand", [](Context &c) { binary_case(c, {7}, {1}, {0}, 7, 1); });
    Register("binary row over columns",
             [](Context &c) { binary_case(c, {4, 33}, {33, 1}, {0, 1}, 132, 33); });
    Register("binary column over rows",
             [](Context &c) { binary_case(c, {17, 9}, {1, 0}, {9, 1}, 17, 153); });
    Register("binary rank 0", [](Context &c) { binary_case(c, {}, {}, {}, 1, 1); });
    Register("binary rank 4", [](Context &c) {
      binary_case(c, {2, 3, 4, 5}, {60, 20, 5, 1}, {0, 5, 0, 1}, 120, 15);
    });
    Register("binary transposed",
             [](Context &c) { binary_case(c, {6, 7}, {1, 6}, {7, 1}, 42, 42); });
    Register("binary empty", [](Context &c) { binary_case(c, {3, 0}, {0, 1}, {0, 1}, 1, 1); });
    Register("binary large",
             [](Context &c) { binary_case(c, {301, 257}, {257, 1}, {0, 1}, 301 * 257, 257); });
    Register("binary rank 8", [](Context &c) {
      binary_case(c, {2, 3, 2, 1, 3, 2, 5, 3}, {90, 0, 45, 7, 15, 0, 3, 1},
                  {0, 60, 0, 0, 20, 10, 0, 3}, 180, 240);
    });
    Register("binary of aligned tensors",
             aligned([](Context &c) { binary_case(c, {64, 100}, {100, 1}, {0, 1}, 6400, 100); }));
    struct Copy {
      const char *name;
      std::vector<int64_t> dims;
      Layout source, target;
    };
    for (const Copy &copy : std::vector<Copy>{
             {"of one element", {}, {1, 0, {}}, {1, 0, {}}},
             {"of nothing", {3, 0}, {5, 0, {1, 1}}, {5, 0, {1, 1}}},
             {"that is dense", {7, 300}, {2100, 0, {300, 1}}, {2100, 0, {300, 1}}},
             {"permuting small axes", {5, 3, 4}, {60, 0, {1, 20, 5}}, {60, 0, {12, 4, 1}}},
             {"transposing", {70, 45}, {3150, 0, {1, 70}}, {3150, 0, {45, 1}}},
             {"transposing planes",
              {3, 64, 40},
              {7680, 0, {2560, 1, 64}},
              {7680, 0, {2560, 40, 1}}},
             {"moving heads", {4, 33, 20}, {2640, 0, {20, 80, 1}}, {2640, 0, {660, 20, 1}}},
             {"moving wide heads", {3, 9, 48}, {1296, 0, {48, 144, 1}}, {1296, 0, {432, 48, 1}}},
             {"reversing axes", {9, 10, 11}, {990, 0, {1, 9, 90}}, {990, 0, {110, 11, 1}}},
             {"repeating rows", {40, 50}, {50, 0, {0, 1}}, {2000, 0, {50, 1}}},
             {"repeating elements", {40, 50}, {40, 0, {1, 0}}, {2000, 0, {50, 1}}},
             {"of a slice", {17, 30}, {17 * 64, 5, {64, 1}}, {510, 0, {30, 1}}},
             {"into a slice", {17, 30}, {510, 0, {30, 1}}, {17 * 64, 33, {64, 1}}},
             {"of a transposed slice into a slice",
              {40, 30},
              {3000, 7, {1, 64}},
              {4000, 9, {80, 1}}},
             {"of every other element", {12, 40}, {960, 0, {80, 2}}, {480, 0, {40, 1}}},
             {"backwards", {8, 35}, {280, 279, {-35, -1}}, {280, 0, {35, 1}}}}) {
      const auto run = [copy](Context &c) {
        copy_case<uint8_t>(c, copy.dims, copy.source, copy.target);
        copy_case<uint16_t>(c, copy.dims, copy.source, copy.target);
        copy_case<uint32_t>(c, copy.dims, copy.source, copy.target);
      };
      Register(std::string("copy_strided ") + copy.name, run);
      Register(std::string("copy_strided, aligned, ") + copy.name, aligned(run));
    }
  }
} registration;

const Register not_a_number{
    "maximum and minimum of NaN are NaN", [](Context &c) {
      Array<float> a(c, std::vector<float>{NAN, 1, NAN, 2}),
          b(c, std::vector<float>{1, NAN, NAN, 3});
      Array<float> y(c, 4);
      const int64_t dims[] = {4}, strides[] = {1};
      c.ok(cria_binary(c.queue, CRIA_MAX, 1, dims, a, strides, b, strides, y), "maximum");
      c.close("maximum", y.values(), {NAN, NAN, NAN, 3}, 0);
      c.ok(cria_binary(c.queue, CRIA_MIN, 1, dims, a, strides, b, strides, y), "minimum");
      c.close("minimum", y.values(), {NAN, NAN, NAN, 2}, 0);
    }};

}  // namespace
}  // namespace conformance
