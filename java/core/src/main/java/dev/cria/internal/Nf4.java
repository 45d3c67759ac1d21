package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** NF4 matrices: quantising, parts in and out. Arguments as in cria.h; a failing call throws. */
public final class Nf4 {
  private static final MethodHandle NF4_QUANTIZE = Abi.link("cria_nf4_quantize", "pllliipp");
  private static final MethodHandle NF4_IMPORT = Abi.link("cria_nf4_import", "plllpppplppfp");
  private static final MethodHandle NF4_INFO = Abi.link("cria_nf4_info", "pppppp");
  private static final MethodHandle NF4_EXPORT = Abi.link("cria_nf4_export", "ppppppppp");
  private static final MethodHandle NF4_DEQUANTIZE = Abi.link("cria_nf4_dequantize", "ppllip");
  private static final MethodHandle NF4_FREE = Abi.link("cria_nf4_free", "p");

  private Nf4() {}

  public static void nf4Quantize(
      MemorySegment queue,
      long n,
      long k,
      long blockSize,
      int doubleQuant,
      int dtype,
      MemorySegment w,
      MemorySegment matrix) {
    try {
      Abi.check(
          (int) NF4_QUANTIZE.invokeExact(queue, n, k, blockSize, doubleQuant, dtype, w, matrix));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4Import(
      MemorySegment queue,
      long n,
      long k,
      long blockSize,
      MemorySegment codes,
      MemorySegment codeMap,
      MemorySegment absmax,
      MemorySegment absmaxCodes,
      long nestedBlockSize,
      MemorySegment nestedAbsmax,
      MemorySegment nestedMap,
      float nestedOffset,
      MemorySegment matrix) {
    try {
      Abi.check(
          (int)
              NF4_IMPORT.invokeExact(
                  queue,
                  n,
                  k,
                  blockSize,
                  codes,
                  codeMap,
                  absmax,
                  absmaxCodes,
                  nestedBlockSize,
                  nestedAbsmax,
                  nestedMap,
                  nestedOffset,
                  matrix));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4Info(
      MemorySegment matrix,
      MemorySegment n,
      MemorySegment k,
      MemorySegment blockSize,
      MemorySegment nestedBlockSize,
      MemorySegment bytes) {
    try {
      Abi.check((int) NF4_INFO.invokeExact(matrix, n, k, blockSize, nestedBlockSize, bytes));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4Export(
      MemorySegment queue,
      MemorySegment matrix,
      MemorySegment codes,
      MemorySegment codeMap,
      MemorySegment absmax,
      MemorySegment absmaxCodes,
      MemorySegment nestedAbsmax,
      MemorySegment nestedMap,
      MemorySegment nestedOffset) {
    try {
      Abi.check(
          (int)
              NF4_EXPORT.invokeExact(
                  queue,
                  matrix,
                  codes,
                  codeMap,
                  absmax,
                  absmaxCodes,
                  nestedAbsmax,
                  nestedMap,
                  nestedOffset));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4Dequantize(
      MemorySegment queue,
      MemorySegment matrix,
      long row,
      long rows,
      int dtype,
      MemorySegment out) {
    try {
      Abi.check((int) NF4_DEQUANTIZE.invokeExact(queue, matrix, row, rows, dtype, out));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void nf4Free(MemorySegment matrix) {
    try {
      Abi.check((int) NF4_FREE.invokeExact(matrix));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
