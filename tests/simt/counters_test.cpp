// counters_test.cpp: the counters of kernels whose traffic is known by construction.
#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

simt::Counters count(int blocks, int threads, int shared_bytes, const std::function<void()> &body) {
  simt::settings().counters = true;
  simt::reset_counters();
  simt::reset_conflicts();
  simt::launch("counted", {blocks, 1, 1}, threads, shared_bytes, body);
  simt::settings().counters = false;
  return simt::counters().at(0);
}

void check_global() {
  Array<float> x(std::vector<float>(4096, 1.0f)), y(4096);
  auto dense = count(2, 64, 0, [&] {
    int i = block_x() * 64 + thread_index();
    store(y + i, load(x + i));
  });
  check(dense.launches == 1 && dense.blocks == 2 && dense.kernel == "counted", "one launch");
  check(dense.threads == 64 && dense.shared_bytes == 0, "its block");
  check(dense.bytes_read == 512 && dense.sectors_read == 16 && dense.unique_sectors_read == 16,
        "dense reads: %lld bytes in %lld sectors", (long long)dense.bytes_read,
        (long long)dense.sectors_read);
  check(dense.bytes_written == 512 && dense.sectors_written == 16, "dense writes");

  // Two accesses of each lane from one place, in a loop: the first of all lanes together, then the second.
  auto looped = count(1, 32, 0, [&] {
    for (int round = 0; round < 2; round++) load_vec<4>(x + (round * 32 + thread_index()) * 4);
  });
  check(looped.bytes_read == 1024 && looped.sectors_read == 32, "a loop of vectors: %lld sectors",
        (long long)looped.sectors_read);

  auto strided = count(1, 32, 0, [&] { load(x + thread_index() * 8); });
  check(strided.bytes_read == 128 && strided.sectors_read == 32, "a sector for each lane");

  auto same = count(1, 64, 0, [&] {
    load(x + 5);
    load(x + 6);
  });
  check(same.bytes_read == 512 && same.sectors_read == 4 && same.unique_sectors_read == 1,
        "broadcasts: %lld sectors, %lld unique", (long long)same.sectors_read,
        (long long)same.unique_sectors_read);

  // Lanes that branch apart, in either order, make separate accesses.
  auto apart = count(1, 32, 0, [&] {
    if (thread_index() % 2 == 0)
      load(x + thread_index());
    else
      load(x + thread_index());
  });
  check(apart.sectors_read == 8, "branches: %lld sectors", (long long)apart.sectors_read);
  auto tail = count(1, 32, 0, [&] {
    for (int i = thread_index(); i < 40; i += 32) load(x + i);
  });
  check(tail.sectors_read == 5 && tail.bytes_read == 160, "a tail: %lld sectors",
        (long long)tail.sectors_read);
  // A shuffle closes accesses: the same place before and after is not one access.
  auto closed = count(1, 32, 0, [&] {
    for (int i = 0; i < 2; i++) {
      load(x + thread_index() / 16 * 8);
      shuffle(i, 0);
    }
  });
  check(closed.sectors_read == 4 && closed.unique_sectors_read == 2, "closed: %lld sectors",
        (long long)closed.sectors_read);
}
const Register global{"counted global memory", check_global};

int64_t conflicts_of(int64_t &accesses, const std::function<void()> &body) {
  auto c = count(1, 32, 32 * 1024, body);
  accesses = c.shared_accesses;
  return c.shared_conflicts;
}

void check_conflicts() {
  int64_t accesses;
  auto lane = [] { return thread_index(); };
  auto expect = [&](const char *what, int64_t want_accesses, int64_t want_extra,
                    const std::function<void()> &body) {
    int64_t extra = conflicts_of(accesses, body);
    check(accesses == want_accesses && extra == want_extra, "%s: %lld passes and %lld more", what,
          (long long)accesses, (long long)extra);
  };
  auto s = shared<float>(0);
  expect("neighbours", 1, 0, [&] { s.store(lane(), 1.0f); });
  expect("stride 2", 1, 1, [&] { s.store(2 * lane(), 1.0f); });
  expect("stride 32", 1, 31, [&] { s.store(32 * lane(), 1.0f); });
  expect("stride 33", 1, 0, [&] { s.store(33 * lane(), 1.0f); });
  expect("two bytes of a word", 1, 0, [&] { shared<bf16>(0).store(lane(), bf16{0}); });
  expect("vectors", 4, 0, [&] { s.set_vec(4 * lane(), Vec<float, 4>{}); });
  expect("vectors at a stride of 32", 4, 28, [&] { s.set_vec(32 * lane(), Vec<float, 4>{}); });
  expect("pairs", 2, 0, [&] { s.set_vec(2 * lane(), Vec<float, 2>{}); });
  expect("broadcast", 2, 0, [&] {
    if (lane() == 0) s.store(0, 1.0f);
    warp_sync();
    s.load(0);
  });
  auto rows = [&](int pitch) {
    return [pitch, lane] {
      auto m = shared<bf16>(0);
      m.set_vec(lane() * pitch, Vec<bf16, 8>{});  // as many passes as the load
      warp_sync();
      uint32_t r[4];
      load_matrix<4>(r, m + lane() * pitch);
    };
  };
  expect("rows side by side", 8, 0, rows(8));
  expect("rows at a pitch of 128 bytes", 8, 56, rows(64));
  expect("rows at a pitch of 144 bytes", 8, 0, rows(72));
  Array<float> x(std::vector<float>(4096, 1.0f));
  expect("copies", 4, 0, [&] {
    copy_async<16>(s + 4 * lane(), x + 4 * lane());
    copy_async_commit();
    copy_async_wait<0>();
  });

  count(1, 32, 32 * 1024, [&] {
    s.store(4 * lane(), 1.0f);
    warp_sync();
    s.store(16 * lane(), 1.0f);
  });
  auto places = simt::conflicts();
  check(places.size() == 2 && places[0].passes == 15 && places[1].passes == 3 &&
            places[0].kernel == "counted" && places[0].place.find("counters_test.cpp:") == 0,
        "two places, most first");
}
const Register bank_conflicts{"bank conflicts", check_conflicts};

void check_instructions() {
  Array<float> x(std::vector<float>(4096, 1.0f));
  auto c = count(3, 64, 1024, [&] {
    float d[4] = {};
    uint32_t a[4] = {}, b[2] = {}, a8[2] = {}, b8[1] = {};
    for (int i = 0; i < 5; i++) mma_16x8x16(d, a, b);
    mma_16x8x8(d, a8, b8);
    block_sync();
    named_sync(1 + warp_index(), 32);
    warp_sync();
    copy_async<16>(shared<float>(0) + 4 * thread_index(), x + 4 * thread_index());
    copy_async_commit();
    copy_async_wait<0>();
  });
  check(c.mma_16x8x16 == 30 && c.mma_16x8x8 == 6, "mma");
  check(c.block_barriers == 9 && c.warp_barriers == 6, "barriers: %lld, %lld",
        (long long)c.block_barriers, (long long)c.warp_barriers);
  check(c.async_copies == 192 && c.bytes_read == 3072, "copies");
}
const Register instructions{"counted instructions", check_instructions};

}  // namespace
}  // namespace simt_test
