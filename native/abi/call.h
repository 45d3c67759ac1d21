// call.h: what every entry of the C interface does around its work: check arguments, turn exceptions into a status
// and the message of cria_last_error.
#pragma once

#include <cinttypes>
#include <exception>
#include <initializer_list>
#include <new>

#include "abi/device.h"
#include "abi/error.h"

namespace cria {

// Sets the message of cria_last_error for the calling thread.
void set_last_error(const char *message) noexcept;

// Checks the arguments of one call; every failed check throws CRIA_INVALID_ARGUMENT.
class Arguments {
 public:
  explicit Arguments(const char *operation) : operation_(operation) {}

  void that(bool condition, const char *wrong) const {
    if (!condition) fail(CRIA_INVALID_ARGUMENT, "%s: %s", operation_, wrong);
  }

  void that(bool condition, const char *wrong, int64_t value) const {
    if (!condition) fail(CRIA_INVALID_ARGUMENT, "%s: %s: %" PRId64, operation_, wrong, value);
  }

  // A pointer that is needed whatever the sizes.
  void handle(const char *name, const void *pointer) const {
    if (!pointer) fail(CRIA_INVALID_ARGUMENT, "%s: %s is null", operation_, name);
  }

  // A pointer to `count` elements: null only where there are none.
  void pointer(const char *name, const void *pointer, int64_t count) const {
    if (count > 0) handle(name, pointer);
  }

  int64_t size(const char *name, int64_t value) const { return at_least(name, value, 0); }

  int64_t at_least(const char *name, int64_t value, int64_t least) const {
    if (value < least) {
      fail(CRIA_INVALID_ARGUMENT, "%s: %s must be at least %" PRId64 ": %" PRId64, operation_, name,
           least, value);
    }
    return value;
  }

  int64_t between(const char *name, int64_t value, int64_t least, int64_t most) const {
    if (value < least || value > most) {
      fail(CRIA_INVALID_ARGUMENT, "%s: %s must be %" PRId64 "..%" PRId64 ": %" PRId64, operation_,
           name, least, most, value);
    }
    return value;
  }

  void flag(const char *name, int32_t value) const { between(name, value, 0, 1); }

  void positive(const char *name, double value) const {
    if (!(value > 0))
      fail(CRIA_INVALID_ARGUMENT, "%s: %s must be positive: %g", operation_, name, value);
  }

  // low <= value < high; not a number fails.
  void in_range(const char *name, double value, double low, double high) const {
    if (!(value >= low && value < high)) {
      fail(CRIA_INVALID_ARGUMENT, "%s: %s must be in [%g, %g): %g", operation_, name, low, high,
           value);
    }
  }

  void finite(const char *name, double value) const {
    if (!(value - value == 0))
      fail(CRIA_INVALID_ARGUMENT, "%s: %s must be finite: %g", operation_, name, value);
  }

  void dtype(const char *name, cria_dtype value, std::initializer_list<cria_dtype> allowed) const {
    for (cria_dtype a : allowed) {
      if (a == value) return;
    }
    fail(CRIA_INVALID_ARGUMENT, "%s: %s has an element type that is not supported here: %d",
         operation_, name, value);
  }

  // The product of sizes that are each at least 0; fails where arrays of it could not be addressed.
  int64_t count(std::initializer_list<int64_t> sizes) const {
    int64_t product = 1;
    for (int64_t s : sizes) {
      if (s == 0) return 0;
    }
    for (int64_t s : sizes) {
      if (s > (INT64_MAX / 16) / product) {
        fail(CRIA_INVALID_ARGUMENT, "%s: sizes are too large: their product overflows at %" PRId64,
             operation_, s);
      }
      product *= s;
    }
    return product;
  }

  // The device behind a queue.
  const DeviceTable &queue(const cria_queue *queue) const {
    handle("queue", queue);
    return *queue->device->table;
  }

  void same_device(const cria_queue *queue, const cria_device *device) const {
    that(queue->device == device, "the queue and the object belong to different devices");
  }

 private:
  const char *operation_;
};

// Runs body(arguments) and reports what it throws. Nothing leaves this function but a status.
template <class Body>
cria_status guarded(const char *operation, Body body) noexcept {
  try {
    return body(Arguments(operation));
  } catch (const Error &e) {
    set_last_error(e.message.c_str());
    return e.status;
  } catch (const std::bad_alloc &) {
    set_last_error((std::string(operation) + ": out of memory").c_str());
    return CRIA_OUT_OF_MEMORY;
  } catch (const std::exception &e) {
    set_last_error((std::string(operation) + ": " + e.what()).c_str());
    return CRIA_INTERNAL;
  } catch (...) {
    set_last_error((std::string(operation) + ": unknown exception").c_str());
    return CRIA_INTERNAL;
  }
}

// Handles of devices (cria_nf4, cria_kv, cria_graph) begin with a pointer to their device.
inline cria_device *device_of_handle(const void *handle) {
  return *static_cast<cria_device *const *>(handle);
}

}  // namespace cria
