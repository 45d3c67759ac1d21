package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Attention over packed sequences and over a cache. Arguments as in cria.h; a failing call throws.
 */
public final class Attention {
  private static final MethodHandle ATTENTION = Abi.link("cria_attention", "plllllpfippppp");
  private static final MethodHandle ATTENTION_BWD =
      Abi.link("cria_attention_bwd", "plllllpfippppppppp");
  private static final MethodHandle KV_CREATE = Abi.link("cria_kv_create", "plllip");
  private static final MethodHandle KV_FREE = Abi.link("cria_kv_free", "p");
  private static final MethodHandle KV_APPEND = Abi.link("cria_kv_append", "pplpp");
  private static final MethodHandle KV_LENGTH = Abi.link("cria_kv_length", "pp");
  private static final MethodHandle KV_TRUNCATE = Abi.link("cria_kv_truncate", "pl");
  private static final MethodHandle KV_ATTENTION = Abi.link("cria_kv_attention", "ppllfpp");

  private Attention() {}

  public static void attention(
      MemorySegment queue,
      long t,
      long heads,
      long kvHeads,
      long d,
      long sequenceCount,
      MemorySegment sequences,
      float scale,
      int precision,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment out,
      MemorySegment lse) {
    try {
      Abi.check(
          (int)
              ATTENTION.invokeExact(
                  queue,
                  t,
                  heads,
                  kvHeads,
                  d,
                  sequenceCount,
                  sequences,
                  scale,
                  precision,
                  q,
                  k,
                  v,
                  out,
                  lse));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void attentionBwd(
      MemorySegment queue,
      long t,
      long heads,
      long kvHeads,
      long d,
      long sequenceCount,
      MemorySegment sequences,
      float scale,
      int precision,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment out,
      MemorySegment lse,
      MemorySegment dout,
      MemorySegment dq,
      MemorySegment dk,
      MemorySegment dv) {
    try {
      Abi.check(
          (int)
              ATTENTION_BWD.invokeExact(
                  queue,
                  t,
                  heads,
                  kvHeads,
                  d,
                  sequenceCount,
                  sequences,
                  scale,
                  precision,
                  q,
                  k,
                  v,
                  out,
                  lse,
                  dout,
                  dq,
                  dk,
                  dv));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvCreate(
      MemorySegment device, long capacity, long kvHeads, long d, int dtype, MemorySegment cache) {
    try {
      Abi.check((int) KV_CREATE.invokeExact(device, capacity, kvHeads, d, dtype, cache));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvFree(MemorySegment cache) {
    try {
      Abi.check((int) KV_FREE.invokeExact(cache));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvAppend(
      MemorySegment queue, MemorySegment cache, long t, MemorySegment k, MemorySegment v) {
    try {
      Abi.check((int) KV_APPEND.invokeExact(queue, cache, t, k, v));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvLength(MemorySegment cache, MemorySegment length) {
    try {
      Abi.check((int) KV_LENGTH.invokeExact(cache, length));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvTruncate(MemorySegment cache, long length) {
    try {
      Abi.check((int) KV_TRUNCATE.invokeExact(cache, length));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void kvAttention(
      MemorySegment queue,
      MemorySegment cache,
      long t,
      long heads,
      float scale,
      MemorySegment q,
      MemorySegment out) {
    try {
      Abi.check((int) KV_ATTENTION.invokeExact(queue, cache, t, heads, scale, q, out));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
