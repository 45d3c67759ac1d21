package dev.cria.bench;

import com.github.tjake.jlama.math.VectorMath;
import com.github.tjake.jlama.tensor.FloatBufferTensor;
import com.github.tjake.jlama.tensor.operations.NativeSimdTensorOperations;
import com.github.tjake.jlama.tensor.operations.TensorOperations;
import com.github.tjake.jlama.util.PhysicalCoreExecutor;
import dev.cria.Tensor;
import java.lang.foreign.ValueLayout;

/** The native matrix product of Jlama, split over its threads as its models do. */
final class JlamaGemm implements Gemm {
  private final int n;
  private final int k;
  private final FloatBufferTensor x;
  private final FloatBufferTensor w;
  private final FloatBufferTensor y;
  private final TensorOperations operations = new NativeSimdTensorOperations();

  JlamaGemm(Tensor x, Tensor w, int threads) {
    PhysicalCoreExecutor.overrideThreadCount(threads);
    this.n = Math.toIntExact(w.dim(0));
    this.k = Math.toIntExact(x.dim(1));
    this.x = copy(x);
    this.w = copy(w);
    this.y = new FloatBufferTensor(Math.toIntExact(x.dim(0)), n);
  }

  private static FloatBufferTensor copy(Tensor tensor) {
    var copy =
        new FloatBufferTensor(Math.toIntExact(tensor.dim(0)), Math.toIntExact(tensor.dim(1)));
    copy.getMemorySegment().copyFrom(tensor.segment());
    return copy;
  }

  @Override
  public void multiply() {
    VectorMath.pchunk(
        0, n, (start, length) -> operations.dotProductChunk(y, x, w, 0, k, start, length));
  }

  @Override
  public float[] result() {
    return y.getMemorySegment().toArray(ValueLayout.JAVA_FLOAT);
  }

  @Override
  public void close() {
    x.close();
    w.close();
    y.close();
  }
}
