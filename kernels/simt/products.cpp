// products.cpp: asynchronous products of warpgroups (wgmma). Each warp of a group computes its own 16 rows.
//
// lazy: computed at the wait that asks for it; eager: at issue; random: somewhere between. In every mode the sums are kept
// here and their registers hold a NaN until the wait, and memory that a product reads counts as read until then.
#include <cstring>
#include <memory>
#include <vector>

#include "simt/counters.h"
#include "simt/memory.h"
#include "simt/objects.h"
#include "simt/schedule.h"
#include "simt/warp.h"

namespace cria::simt {

namespace {

constexpr uint32_t kPoison = 0x7FFFDEADu;  // a NaN
constexpr int kGroup = 4;                  // warps

// Sums in flight: of all lanes, as fragments side by side.
struct Sums {
  float *at[kLanes];
  int n, users;
  std::vector<float> values;  // by 8 columns: [row / 8][lane][2]
};

struct Product {
  Sums *sums;
  uint32_t a[4][kLanes];
  const uint32_t *left[kLanes];
  uint64_t a_matrix, b_matrix;
  int64_t group;
  uint64_t clock;
  Site site;
  bool done;
};

// What a warp has in flight.
struct Unit {
  std::vector<Product> products;
  std::vector<std::unique_ptr<Sums>> sums;
  int64_t committed = 0;
  bool fenced = false;
  uint64_t trace = 0;  // of the calls: the same in all warps of a group
};
Unit g_units[kMaxWarps];
bool g_used = false;  // in this block

bool checking() { return (machine.watch & kChecks) != 0; }

// The address of 16 bytes of a row of a matrix: k 0..7 or 8..15.
uint32_t address(uint64_t matrix, int row, int half) {
  auto start = uint32_t(matrix & 0x3FFF) << 4;
  auto stride = uint32_t(matrix >> 32 & 0x3FFF) << 4;
  uint32_t at = start + uint32_t(row / 8) * stride + uint32_t(row % 8 * 128 + half * 16);
  return at ^ (at >> 7 & 7) << 4;
}

void fetch(uint64_t matrix, int first, int rows, uint16_t (*to)[16]) {
  for (int r = 0; r < rows; r++)
    for (int half = 0; half < 2; half++)
      std::memcpy(&to[r][8 * half], machine.shared + address(matrix, first + r, half), 16);
}

void execute(int warp, Product &product) {
  if (product.done) return;
  product.done = true;
  uint16_t b[256][16];
  fetch(product.b_matrix, 0, product.sums->n, b);
  if (product.left[0] == nullptr) {
    uint16_t a[16][16];
    fetch(product.a_matrix, warp % kGroup * 16, 16, a);
    for (int lane = 0; lane < kLanes; lane++)
      for (int i = 0; i < 4; i++)
        std::memcpy(&product.a[i][lane], &a[lane / 4 + i % 2 * 8][lane % 4 * 2 + i / 2 * 8], 4);
  }
  multiply_columns(product.a, b, product.sums->n, product.sums->values.data());
}

// Values i and i + 1 of a lane's sums, i even.
float *pair(Sums &sums, int lane, int i) {
  return &sums.values[size_t(i / 4 * 128 + i % 4 / 2 * 64 + lane * 2)];
}

void write_back(Sums &sums, Site site) {
  constexpr uint64_t kPoisons = uint64_t{kPoison} << 32 | kPoison;
  for (int lane = 0; lane < kLanes; lane++)
    for (int i = 0; i < sums.n / 2; i += 2) {
      uint64_t bits;
      std::memcpy(&bits, &sums.at[lane][i], 8);
      if (bits != kPoisons && checking())
        report("wgmma: sums of lane %d were written before the wgmma_wait at %s:%d", lane,
               base_name(site.file), site.line);
      std::memcpy(&sums.at[lane][i], pair(sums, lane, i), 8);
    }
}

Sums *sums_of(Unit &unit, const Warp *warp, Site site) {
  int n = warp->argument[0];
  for (auto &sums : unit.sums) {
    if (sums->at[0] != warp->sums[0]) continue;
    if (sums->n != n)
      report("wgmma at %s:%d: %d columns into sums in flight that have %d", base_name(site.file),
             site.line, n, sums->n);
    return sums.get();
  }
  auto made = std::make_unique<Sums>();
  std::memcpy(made->at, warp->sums, sizeof made->at);
  made->n = n;
  made->users = 0;
  made->values.resize(size_t(n) * 16);
  for (int lane = 0; lane < kLanes; lane++)
    for (int i = 0; i < n / 2; i += 2) {
      std::memcpy(pair(*made, lane, i), &made->at[lane][i], 8);
      for (int j = i; j < i + 2; j++) std::memcpy(&made->at[lane][j], &kPoison, 4);
    }
  unit.sums.push_back(std::move(made));
  return unit.sums.back().get();
}

void check_operands(const Warp *warp, const Product &product) {
  const Racer current = current_racer(product.site);
  Racer me = current;
  me.stamp = stamp_of(product.clock, product.site, kFirstUnit + warp->number);
  uint64_t checked = 0;
  for (int half = 0; half < 2; half++) {
    for (int r = 0; r < product.sums->n; r++)
      check_product_read(address(product.b_matrix, r, half), me, product.site, checked);
    for (int r = 0; product.left[0] == nullptr && r < 16; r++)
      check_product_read(address(product.a_matrix, warp->number % kGroup * 16 + r, half), me,
                         product.site, checked);
  }
}

void check_matrix(uint64_t matrix, Site site) {
  if (matrix >> 62 != 1 || (matrix >> 32 & 0x3FFF) != 1024 >> 4)
    report("wgmma at %s:%d: not a description of matrix()", base_name(site.file), site.line);
}

void add_trace(Unit &unit, Operation operation, uint64_t argument, Site site) {
  unit.trace = unit.trace * 1000003 + uint64_t(operation) * 31 + argument + site_id(site);
}

void issue(Warp *warp, Site site) {
  require_sm_90a("wgmma", site);
  Unit &unit = g_units[warp->number];
  const char *file = base_name(site.file);
  if (g_block.threads > kFirstUnit || (warp->number / kGroup + 1) * kGroup > g_block.warps)
    report("wgmma at %s:%d: warp %d has no warpgroup of four warps", file, site.line, warp->number);
  for (int lane = 1; lane < kLanes; lane++)
    if (warp->value[lane] != warp->value[0] || warp->argument[lane] != warp->argument[0] ||
        (warp->left[lane] == nullptr) != (warp->left[0] == nullptr) ||
        (warp->left[0] == nullptr && warp->result[lane] != warp->result[0]))
      report("wgmma at %s:%d: operands of lanes 0 and %d differ", file, site.line, lane);
  if (!unit.fenced)
    report("wgmma at %s:%d: no wgmma_fence since the last group of products, warp %d", file,
           site.line, warp->number);
  g_clocks.hardware = g_used = true;
  Product product{};
  product.b_matrix = warp->value[0];
  product.a_matrix = warp->result[0];
  check_matrix(product.b_matrix, site);
  std::memcpy(product.left, warp->left, sizeof product.left);
  if (product.left[0] == nullptr)
    check_matrix(product.a_matrix, site);
  else
    std::memcpy(product.a, warp->a, sizeof product.a);
  product.group = unit.committed;
  product.site = site;
  product.sums = sums_of(unit, warp, site);
  product.sums->users++;
  if (checking()) {
    product.clock = kFuture + ++g_clocks.now;
    check_operands(warp, product);
  }
  add_trace(unit, Operation::wgmma, product.b_matrix, site);
  if (counting() && warp->number % kGroup == 0) g_counters->wgmma++;
  unit.products.push_back(product);
  if (g_land_at_once || (g_land_randomly && random_below(2) == 0))
    for (Product &p : unit.products) execute(warp->number, p);
}

void wait_for_groups(Warp *warp, int groups, Site site) {
  Unit &unit = g_units[warp->number];
  size_t done = 0;
  for (Product &product : unit.products) {
    if (product.group >= unit.committed - groups) break;
    done++;
    execute(warp->number, product);
    product.sums->users--;
    if (checking()) {
      know(warp->number, kFirstUnit + warp->number, product.clock);
      for (int lane = 0; product.left[0] != nullptr && lane < kLanes; lane++)
        for (int i = 0; i < 4; i++)
          if (product.left[lane][i] != product.a[i][lane])
            report(
                "wgmma at %s:%d: its left operand in registers was written before the wgmma_wait "
                "at "
                "%s:%d, lane %d of warp %d",
                base_name(product.site.file), product.site.line, base_name(site.file), site.line,
                lane, warp->number);
    }
  }
  unit.products.erase(unit.products.begin(), unit.products.begin() + ptrdiff_t(done));
  for (size_t i = unit.sums.size(); i-- > 0;) {
    if (unit.sums[i]->users > 0) continue;
    write_back(*unit.sums[i], site);
    unit.sums.erase(unit.sums.begin() + ptrdiff_t(i));
  }
}

}  // namespace

uint64_t describe_matrix(uint32_t tile, int step, Site site) {
  if (tile % 1024 != 0 || step < 0 || step > 3)
    report("matrix at %s:%d: a tile at %u, not a multiple of 1024, or step %d, not in 0..3",
           base_name(site.file), site.line, tile, step);
  uint64_t start = tile + uint32_t(step) * 32;
  return (start & 0x3FFFF) >> 4 | uint64_t{1} << 16 | uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
}

Next arrive_in_wgmma(Operation operation, int groups, Site site) {
  if (skipped(site)) return {};
  machine.thread->warp->argument[machine.thread->lane] = groups;
  return arrive_in_warp(operation, kAllLanes, site);
}

void operate_wgmma(Warp *warp, const Meeting &meeting) {
  Unit &unit = g_units[warp->number];
  switch (meeting.operation) {
    case Operation::wgmma:
      return issue(warp, meeting.site);
    case Operation::wgmma_fence:
      unit.fenced = true;
      break;
    case Operation::wgmma_commit:
      unit.committed++;
      unit.fenced = false;
      break;
    default:
      wait_for_groups(warp, warp->argument[0], meeting.site);
      break;
  }
  add_trace(unit, meeting.operation, 0, meeting.site);
}

void reset_products() {
  for (int w = 0; g_used && w < kMaxWarps; w++) g_units[w] = {};
  g_used = false;
}

void check_products_ended(const Warp *warp) {
  const Unit &unit = g_units[warp->number];
  if (unit.products.empty()) return;
  Site site = unit.products.front().site;
  report("wgmma: warp %d ends with %zu products not waited for, the first of %s:%d", warp->number,
         unit.products.size(), base_name(site.file), site.line);
}

void check_groups() {
  for (int w = 0; g_used && w < g_block.warps; w++)
    if (g_units[w].trace != g_units[w / kGroup * kGroup].trace)
      report("wgmma: warps %d and %d of a warpgroup made different calls", w / kGroup * kGroup, w);
}

}  // namespace cria::simt
