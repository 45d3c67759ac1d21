package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Gathering, scattering, segments and strided copies. Arguments as in cria.h; a failing call
 * throws.
 */
public final class Indexing {
  private static final MethodHandle GATHER_ROWS = Abi.link("cria_gather_rows", "plllppp");
  private static final MethodHandle SCATTER_ADD_ROWS = Abi.link("cria_scatter_add_rows", "plllppp");
  private static final MethodHandle SCALE_ROWS = Abi.link("cria_scale_rows", "pllppp");
  private static final MethodHandle SEGMENT_SUM = Abi.link("cria_segment_sum", "plppp");
  private static final MethodHandle SEGMENT_BROADCAST = Abi.link("cria_segment_broadcast", "plppp");
  private static final MethodHandle COPY_STRIDED = Abi.link("cria_copy_strided", "piippppp");

  private Indexing() {}

  public static void gatherRows(
      MemorySegment queue,
      long n,
      long rows,
      long c,
      MemorySegment index,
      MemorySegment x,
      MemorySegment y) {
    try {
      Abi.check((int) GATHER_ROWS.invokeExact(queue, n, rows, c, index, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void scatterAddRows(
      MemorySegment queue,
      long n,
      long rows,
      long c,
      MemorySegment index,
      MemorySegment y,
      MemorySegment x) {
    try {
      Abi.check((int) SCATTER_ADD_ROWS.invokeExact(queue, n, rows, c, index, y, x));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void scaleRows(
      MemorySegment queue,
      long rows,
      long cols,
      MemorySegment s,
      MemorySegment x,
      MemorySegment y) {
    try {
      Abi.check((int) SCALE_ROWS.invokeExact(queue, rows, cols, s, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void segmentSum(
      MemorySegment queue, long segments, MemorySegment offsets, MemorySegment x, MemorySegment y) {
    try {
      Abi.check((int) SEGMENT_SUM.invokeExact(queue, segments, offsets, x, y));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void segmentBroadcast(
      MemorySegment queue, long segments, MemorySegment offsets, MemorySegment y, MemorySegment x) {
    try {
      Abi.check((int) SEGMENT_BROADCAST.invokeExact(queue, segments, offsets, y, x));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void copyStrided(
      MemorySegment queue,
      int elementBytes,
      int rank,
      MemorySegment dims,
      MemorySegment x,
      MemorySegment xStrides,
      MemorySegment y,
      MemorySegment yStrides) {
    try {
      Abi.check(
          (int)
              COPY_STRIDED.invokeExact(queue, elementBytes, rank, dims, x, xStrides, y, yStrides));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
