package dev.cria;

import dev.cria.internal.Abi;
import dev.cria.internal.Devices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * One allocation of device memory. It lives while a scope owns it or something retains it, and is
 * an element of the list of its scope.
 */
final class Storage {
  final Device device;
  final MemorySegment address;
  final long bytes;
  @Nullable Scope owner;
  @Nullable Storage previous;
  @Nullable Storage next;
  private int retained;
  private boolean freed;
  private @Nullable Arena hostArena;

  /** Allocates at least {@code bytes} bytes, a multiple of 4. */
  Storage(Device device, long bytes) {
    this.device = device;
    this.bytes = (bytes + 3) & ~3L;
    MemorySegment out = Abi.scratch();
    Devices.alloc(device.handle(), this.bytes, out);
    this.address = out.get(ValueLayout.ADDRESS, 0);
  }

  boolean isFreed() {
    return freed;
  }

  /** The memory as a segment that becomes invalid when the memory is freed. */
  @SuppressWarnings("MustBeClosedChecker") // closed when the memory is freed
  MemorySegment hostSegment() {
    Arena arena = hostArena;
    if (arena == null) {
      arena = Arena.ofShared();
      hostArena = arena;
    }
    return address.reinterpret(bytes, arena, null);
  }

  void retain() {
    retained++;
  }

  void release() {
    if (retained == 0) {
      throw new CriaException("tensor: released more often than retained");
    }
    retained--;
    freeIfUnused();
  }

  /** To be called when the owner or a retention has gone. */
  void freeIfUnused() {
    if (owner != null || retained > 0 || freed) {
      return;
    }
    freed = true;
    if (hostArena != null) {
      hostArena.close();
    }
    device.free(address);
  }
}
