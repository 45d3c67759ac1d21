package dev.cria.bench;

import dev.cria.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** {@code cblas_sgemm} of OpenBLAS through the foreign function interface of Java. */
final class OpenBlasGemm implements Gemm {
  private static final int ROW_MAJOR = 101;
  private static final int NO_TRANS = 111;
  private static final int TRANS = 112;

  private final int m;
  private final int n;
  private final int k;
  private final MemorySegment x;
  private final MemorySegment w;
  private final MemorySegment y;
  private final Arena arena = Arena.ofShared();
  private final MethodHandle sgemm;

  OpenBlasGemm(Tensor x, Tensor w, int threads) {
    this.m = Math.toIntExact(x.dim(0));
    this.n = Math.toIntExact(w.dim(0));
    this.k = Math.toIntExact(x.dim(1));
    this.x = x.segment();
    this.w = w.segment();
    this.y = arena.allocate(4L * m * n, 64);
    SymbolLookup library = OpenBlas.library();
    ValueLayout.OfInt i = ValueLayout.JAVA_INT;
    ValueLayout.OfFloat f = ValueLayout.JAVA_FLOAT;
    MemorySegment none = MemorySegment.NULL;
    Linker linker = Linker.nativeLinker();
    sgemm =
        linker.downcallHandle(
            library.find("cblas_sgemm").orElse(none),
            FunctionDescriptor.ofVoid(
                i,
                i,
                i,
                i,
                i,
                i,
                f,
                ValueLayout.ADDRESS,
                i,
                ValueLayout.ADDRESS,
                i,
                f,
                ValueLayout.ADDRESS,
                i));
    MethodHandle setThreads =
        linker.downcallHandle(
            library.find("openblas_set_num_threads").orElse(none), FunctionDescriptor.ofVoid(i));
    try {
      setThreads.invokeExact(threads);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void multiply() {
    try {
      sgemm.invokeExact(ROW_MAJOR, NO_TRANS, TRANS, m, n, k, 1f, x, k, w, k, 0f, y, n);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public float[] result() {
    return y.toArray(ValueLayout.JAVA_FLOAT);
  }

  @Override
  public void close() {
    arena.close();
  }
}
