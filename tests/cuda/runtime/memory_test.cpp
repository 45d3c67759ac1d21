// memory_test.cpp: the caching allocator: when blocks are used again, what counts, and running out of memory.
#include "harness.h"

namespace runtime_test {
namespace {

using cria::gpu::queue_of;
using cria::gpu::Scratch;
using fake::machine;

int mallocs() { return machine().count("cudaMalloc"); }
int waits() { return machine().count("cudaStreamSynchronize"); }

const Register reuse{"freed blocks serve requests of their size", [] {
                       Device d;
                       void *a = d.alloc(1000);
                       d.free(a);
                       const int before = mallocs();
                       void *b = d.alloc(1001);  // both take 1024 bytes
                       check(b == a && mallocs() == before, "the block was not used again");
                       void *c = d.alloc(1000);
                       check(c != b && mallocs() == before + 1, "a live block was used again");
                       d.free(b);
                       d.free(c);
                       void *e = d.alloc(1025);  // a class above
                       check(e != a && e != c && mallocs() == before + 2,
                             "a smaller block was used");
                       d.free(e);
                       void *zero = d.alloc(0), *other = d.alloc(0);
                       check(zero && other && zero != other, "addresses of nothing are unique");
                       d.free(zero);
                       d.free(other);
                       // Large sizes are rounded by at most an eighth.
                       for (const int64_t bytes : {65537, 100000, 131073, 200000}) {
                         const int64_t live = machine().live_bytes;
                         void *block = d.alloc(bytes);
                         const int64_t taken = machine().live_bytes - live;
                         check(taken >= bytes && taken <= bytes + bytes / 8 && taken % 256 == 0,
                               "%d bytes took %d", int(bytes), int(taken));
                         d.free(block);
                       }
                     }};

const Register order{
    "with several queues a block waits for all of them", [] {
      Device d;
      cria_queue *a = d.queue();
      void *x = d.alloc(4000);
      set(a, x, 1);
      d.free(x);
      int before = waits();
      check(d.alloc(4000) == x && waits() == before, "one queue runs in order");
      d.free(x);

      cria_queue *b = d.queue();
      set(a, x, 2);  // work of a that still uses the block
      before = waits();
      check(d.alloc(4000) == x && waits() == before + 2, "%d waits", waits() - before);
      set(b, x, 3);
      check(get(b, x) == 3 && get(a, x) == 3, "work of the other queue came later");
      d.free(x);
      // Freed before the queues were waited for.
      void *y = d.alloc(8000);
      d.free(y);
      x = d.alloc(4000);
      before = waits();
      check(d.alloc(8000) == y && waits() == before, "waited although it had waited since");
      d.free(x);
      d.free(y);
      // Of two blocks the one that needs no waiting.
      void *p = d.alloc(16000), *q = d.alloc(16000);
      d.free(p);
      d.free(d.alloc(4000));  // waits
      d.free(q);
      before = waits();
      check(d.alloc(16000) == p && waits() == before, "took the block that must wait");
      d.free(p);
      d.destroy(a);
      d.destroy(b);
    }};

const Register account{
    "the account of memory", [] {
      Device d;
      const auto &memory = d->memory;
      void *a = d.alloc(1000), *b = d.alloc(500);
      check(memory.live == 1500 && memory.peak == 1500 && memory.objects == 2, "live");
      d.free(a);
      check(memory.live == 500 && memory.peak == 1500 && memory.objects == 1, "after free");
      check(memory.live + memory.scratch >= 1500 && memory.scratch == 1024, "scratch %d",
            int(memory.scratch));
      void *c = d.alloc(1000);
      check(memory.scratch == 0, "scratch %d", int(memory.scratch));
      refused(d.table().free(d, &c), CRIA_INVALID_ARGUMENT, {"free", "not a live address"});
      d.free(b);
      d.free(c);
      refused(d.table().free(d, c), CRIA_INVALID_ARGUMENT, {"free", "not a live address"});

      cria_queue *q = d.queue();
      const int64_t scratch = memory.scratch;
      {
        Scratch first(queue_of(q), 3000), second(queue_of(q), 3000);
        check(first.as<char>() != second.as<char>(), "two of a kind");
        check(memory.live == 0 && memory.scratch > scratch, "scratch is not live");
      }
      {
        const int before = mallocs();
        Scratch again(queue_of(q), 3000);
        check(mallocs() == before, "scratch is kept");
      }
      d.destroy(q);
    }};

const Register limit{"the limit", [] {
                       Device d;
                       d->memory.limit = 2000;
                       void *a = d.alloc(1500), *b = nullptr;
                       const int before = mallocs();
                       refused(d.table().alloc(d, 501, &b), CRIA_OUT_OF_MEMORY,
                               {"alloc", "501", "1500", "2000"});
                       check(mallocs() == before && d->memory.live == 1500, "asked the driver");
                       b = d.alloc(500);
                       d.free(a);
                       d.free(b);
                     }};

const Register out_of_memory{
    "out of memory", [] {
      Device d;
      cria_queue *q = d.queue();
      void *a = d.alloc(512 << 10);
      set(q, a, 1);
      d.free(a);
      // Fits only where the idle block was: it goes back to the driver, after its work.
      void *b = d.alloc(768 << 10);
      check(machine().live_bytes < 800 << 10, "%d bytes held", int(machine().live_bytes));
      set(q, b, 2);
      check(get(q, b) == 2, "value");
      void *c = nullptr;
      refused(d.table().alloc(d, 512 << 10, &c), CRIA_OUT_OF_MEMORY,
              {"alloc", "524288 bytes", "786688 that are in use"});
      check(d->memory.live == 768 << 10 && d->memory.objects == 2, "the failed allocation counts");
      bool thrown = false;
      try {
        Scratch scratch(queue_of(q), 512 << 10);
      } catch (const cria::Error &e) {
        thrown = e.status == CRIA_OUT_OF_MEMORY && e.message.find("scratch") == 0;
      }
      check(thrown, "scratch without memory");
      d.free(b);
      void *again = d.alloc(512 << 10);
      d.free(again);
      d.destroy(q);
    }};

}  // namespace
}  // namespace runtime_test
