package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.internal.Attention;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Keys and values of one sequence in one layer, for generation token by token. Owns native memory
 * that no scope owns: close it.
 */
public final class KvCache implements AutoCloseable {
  private final Device device;
  private final MemorySegment handle;
  private final long capacity;
  private final int kvHeads;
  private final int headDim;
  private boolean closed;

  /**
   * An empty cache.
   *
   * @param capacity most rows it can hold
   * @param kvHeads key/value heads G
   * @param headDim width D of a head
   * @param dtype f32 or bf16
   */
  public KvCache(Device device, long capacity, int kvHeads, int headDim, DType dtype) {
    if (capacity < 1 || kvHeads < 1 || headDim < 1) {
      throw new CriaException(
          "kv cache: capacity " + capacity + ", heads " + kvHeads + ", head width " + headDim);
    }
    this.device = device;
    this.capacity = capacity;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      Attention.kvCreate(device.handle(), capacity, kvHeads, headDim, dtype.code(), out);
      this.handle = out.get(ValueLayout.ADDRESS, 0);
    }
  }

  /** Adds rows of keys and values, each f32 [T, G*D]. */
  public void append(Tensor k, Tensor v) {
    long width = (long) kvHeads * headDim;
    if (k.rank() != 2 || k.dim(1) != width || !k.sameShape(v)) {
      throw new CriaException(
          "kv cache: keys " + k + " and values " + v + " for " + kvHeads + " heads of " + headDim);
    }
    Attention.kvAppend(device.queue(), handle(), k.dim(0), k.address(), v.address());
  }

  /**
   * Attention of the rows appended last.
   *
   * @param q f32 [T, H*D]; row i sees the first {@code length - T + i + 1} rows
   * @return f32 [T, H*D]
   */
  public Tensor attend(Tensor q, int heads, float scale) {
    if (q.rank() != 2 || heads < 1 || q.dim(1) != (long) heads * headDim || heads % kvHeads != 0) {
      throw new CriaException(
          "kv cache: queries " + q + " with " + heads + " heads for " + kvHeads + " of " + headDim);
    }
    Tensor out = Tensor.empty(device, DType.F32, q.shape());
    Attention.kvAttention(
        device.queue(), handle(), q.dim(0), heads, scale, q.address(), out.address());
    return out;
  }

  /** Rows held. */
  public long length() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
      Attention.kvLength(handle(), out);
      return out.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  /** Most rows it can hold. */
  public long capacity() {
    return capacity;
  }

  /** Forgets all rows from {@code length} on. */
  public void truncate(long length) {
    Attention.kvTruncate(handle(), length);
  }

  /** Frees the memory; idempotent. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Attention.kvFree(handle);
    }
  }

  private MemorySegment handle() {
    if (closed) {
      throw new CriaException("kv cache: already closed");
    }
    return handle;
  }
}
