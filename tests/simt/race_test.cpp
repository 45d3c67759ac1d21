// race_test.cpp: the race detector: each missing or too narrow synchronisation is reported, and none that suffices is.
#include "harness.h"

namespace simt_test {
namespace {

using namespace cria::gpu;

// What stands between a store of each thread and its read of another thread's value.
enum Fence { kNothing, kShuffle, kWarp, kHalfWarps, kNamed, kBlock };

void synchronise(Fence fence) {
  int half = thread_index() / 16 % 2;
  switch (fence) {
    case kNothing:
      break;
    case kShuffle:
      shuffle_xor(0, 1);
      break;
    case kWarp:
      warp_sync();
      break;
    case kHalfWarps:
      warp_sync(0xFFFFu << 16 * half);
      break;
    case kNamed:
      named_sync(1 + warp_index() / 2, 64);
      break;
    case kBlock:
      block_sync();
      break;
  }
}

// Each thread writes, synchronises, reads the value of thread i ^ distance, synchronises again and writes.
template <class T>
CRIA_KERNEL(128, 1)
void neighbours(T *global, int distance, Fence after_write, Fence after_read) {
  int i = thread_index();
  auto s = shared<T>(0);
  s.store(i, T(0));
  if (global) store(global + i, T(0));
  block_sync();
  for (int round = 0; round < 3; round++) {
    s.store(i, T(round));
    if (global) store(global + i, T(round));
    synchronise(after_write);
    s.load(i ^ distance);
    if (global) load(global + (i ^ distance));
    synchronise(after_read);
  }
}

template <class T>
void check_neighbours() {
  Array<T> global(128);
  auto good = [&](int distance, Fence fence) {
    silent("ordered", {}, 128, 1024, [&] { neighbours<T>(global, distance, fence, fence); }, [] {});
  };
  auto bad = [&](int distance, Fence write, Fence read) {
    reported("race", 128, 1024, [&] { neighbours<T>(nullptr, distance, write, read); },
             {"race in shared memory", "race_test.cpp"});
  };
  good(0, kNothing);
  good(5, kHalfWarps);
  good(16, kWarp);
  good(32, kNamed);
  good(5, kNamed);
  good(64, kBlock);
  good(3, kBlock);
  bad(1, kNothing, kBlock);
  bad(1, kBlock, kNothing);
  bad(1, kShuffle, kBlock);
  bad(16, kHalfWarps, kBlock);
  bad(32, kWarp, kBlock);
  bad(32, kBlock, kWarp);
  bad(64, kNamed, kBlock);
  bad(64, kBlock, kNamed);
}

const Register words{"races of words", check_neighbours<float>};
const Register wides{"races of 8 bytes", check_neighbours<double>};
const Register shorts{"races of 2 bytes", check_neighbours<uint16_t>};
const Register bytes{"races of bytes", check_neighbours<uint8_t>};

void check_global() {
  Array<float> x(std::vector<float>(512, 1.0f));
  reported("write, read", 64, 0,
           [&] {
             store(x + thread_index(), 2.0f);
             load(x + (thread_index() ^ 32));
           },
           {"race in global memory", "byte 128 of the allocation"});
  reported("read, write", 64, 0,
           [&] {
             load(x + (thread_index() ^ 32));
             store(x + thread_index(), 2.0f);
           },
           {"race in global memory"});
  auto blocks = [&](const char *name, auto body) {
    reported(name, 32, 0, body, {"race in global memory between blocks", "block number"},
             {3, 1, 1});
  };
  blocks("writes of two blocks", [&] {
    if (thread_index() == 0) store(x.get(), 1.0f);
  });
  blocks("read of another block's", [&] {
    store(x + (block_x() * 32 + thread_index()), 1.0f);
    load(x + (block_x() / 2 * 32 + thread_index()));
  });
  blocks("overlap", [&] {
    if (thread_index() < 8) store_vec(x + (block_x() * 28 + thread_index() * 4), Vec<float, 4>{});
  });
  Array<uint64_t> sums(std::vector<uint64_t>(2, 0));
  blocks("atomic and plain", [&] {
    if (thread_index() == 0 && block_x() < 2) atomic_add(sums.get(), uint64_t{1});
    if (thread_index() == 0 && block_x() == 2) store(sums.get(), uint64_t{0});
  });
  silent(
      "apart", {4, 2, 1}, 64, 0,
      [&] {
        atomic_add(sums.get(), uint64_t{1});
        int block = block_x() + grid_x() * block_y();
        load(sums + 1);
        store(x + (block * 64 + thread_index()), 1.0f);
      },
      [] {});
}
const Register global{"races in global memory", check_global};

// Neighbouring bytes of different threads do not disturb each other, in any mixture of widths.
void check_mixed() {
  silent(
      "mixed", {}, 64, 2048,
      [] {
        int i = thread_index();
        auto b = shared<uint8_t>(0);
        for (int round = 0; round < 2; round++) {
          b.store(i, uint8_t(i));  // bytes 0..63
          shared<bf16>(64).store(i, bf16{1});
          shared<float>(192).store(i, 1.0f);
          shared<float>(448).set_vec(4 * i, Vec<float, 4>{});
          block_sync();
          shared<float>(0).vec<4>(i % 28 * 4);
          block_sync();
          if (i < 28) shared<float>(0).set_vec(i * 4, Vec<float, 4>{});
          block_sync();
        }
      },
      [] {});
  reported("byte within a vector", 64, 1024,
           [] {
             if (thread_index() == 0) shared<float>(0).set_vec(0, Vec<float, 4>{});
             if (thread_index() == 40) shared<uint8_t>(0).store(13, uint8_t(1));
           },
           {"race in shared memory", "offset 13"});
  reported("vector over a byte", 64, 1024,
           [] {
             if (thread_index() == 0) shared<uint8_t>(0).store(13, uint8_t(1));
             if (thread_index() == 40) shared<float>(0).set_vec(0, Vec<float, 4>{});
           },
           {"race in shared memory"});
  reported("third reader", 96, 1024,
           [] {
             int warp = warp_index();
             if (thread_index() == 0) shared<float>(0).store(0, 1.0f);
             block_sync();
             shared<float>(0).load(0);
             if (warp < 2) named_sync(1, 64);
             if (thread_index() == 0) shared<float>(0).store(0, 2.0f);
           },
           {"race in shared memory"});
}
const Register mixed{"widths side by side", check_mixed};

// A pipeline of asynchronous copies. Its defects: nothing orders the copies with other threads' reads (no barrier after
// the wait), and a stage is filled again while others may still read it (no barrier after the read).
template <bool AFTER_WAIT, bool AFTER_READ>
CRIA_KERNEL(64, 1)
void stages(const float *from) {
  int i = thread_index();
  auto s = shared<float>(0);
  copy_async<4>(s + i, from + i);
  copy_async_commit();
  for (int step = 0; step < 4; step++) {
    if (step < 3) copy_async<4>(s + ((step + 1) % 2 * 64 + i), from + ((step + 1) * 64 + i));
    copy_async_commit();
    copy_async_wait<1>();
    if (AFTER_WAIT) block_sync();
    s.load(step % 2 * 64 + (i ^ 32));
    if (AFTER_READ) block_sync();
  }
}

void check_pipelines() {
  Array<float> from(std::vector<float>(256, 1.0f));
  silent("stages", {}, 64, 512, [&] { stages<true, true>(from); }, [] {});
  for (simt::AsyncMode mode :
       {simt::AsyncMode::lazy, simt::AsyncMode::eager, simt::AsyncMode::random}) {
    simt::settings().async = mode;
    reported("stage overwritten early", 64, 512, [&] { stages<true, false>(from); }, {});
    reported("no barrier after the wait", 64, 512, [&] { stages<false, true>(from); }, {});
  }
  simt::settings().async = simt::AsyncMode::lazy;
}
const Register pipelines{"stages of copies", check_pipelines};

void check_removed() {
  Array<float> x(128);
  auto noticed = [&](const std::string &skip) {
    simt::settings().skip = skip;
    bool reported = false;
    try {
      simt::launch("removed", {}, 128, 1024, [&] { neighbours<float>(x, 64, kBlock, kBlock); });
    } catch (const cria::Error &) {
      reported = true;
    }
    simt::settings().skip = "";
    return reported;
  };
  simt::reset_synchronising_places();
  check(!noticed(""), "right as it is");
  std::string needed;
  const std::vector<std::string> places = simt::synchronising_places();
  for (const std::string &place : places) {
    check(place.find("removed@race_test.cpp:") == 0, "kernel and place: %s", place.c_str());
    if (!noticed(place)) continue;
    check(needed.empty(), "both %s and %s are needed", needed.c_str(), place.c_str());
    needed = place.substr(place.find('@') + 1);
  }
  check(places.size() == 2 && !needed.empty(), "one of %zu barriers is needed", places.size());
  check(noticed(needed), "of every kernel");
  check(!noticed("other@" + needed), "of another kernel");
}
const Register removed{"skip", check_removed};

}  // namespace
}  // namespace simt_test
