// table.cpp: the CPU device's table of functions.
#include "abi/error.h"
#include "cpu/operations.h"

namespace cria::cpu {

// Entries whose implementation has not landed yet are null weak references; the table then refuses them.
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) extern __attribute__((weak)) decltype(::cria_##name) name;
#include "abi/entry_points.inc"

namespace {

template <class Function>
struct Pending;

template <class... Parameters>
struct Pending<cria_status (*)(Parameters...)> {
  static cria_status call(Parameters...) {
    fail(CRIA_UNSUPPORTED, "cpu: this operation is not implemented yet");
  }
};

template <class Function>
Function or_pending(Function function) {
  return function ? function : &Pending<Function>::call;
}

}  // namespace

const DeviceTable &device_table() {
  static const DeviceTable table = [] {
    DeviceTable t;
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) t.name = or_pending(&cpu::name);
#include "abi/entry_points.inc"
    return t;
  }();
  return table;
}

}  // namespace cria::cpu
