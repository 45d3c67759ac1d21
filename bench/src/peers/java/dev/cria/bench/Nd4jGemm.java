package dev.cria.bench;

import dev.cria.Tensor;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/** {@code mmuli} of ND4J into an array that is there. */
final class Nd4jGemm implements Gemm {
  private final INDArray x;
  private final INDArray w;
  private final INDArray y;

  Nd4jGemm(Tensor x, Tensor w, int threads) {
    Nd4j.getEnvironment().setMaxThreads(threads);
    Nd4j.getEnvironment().setMaxMasterThreads(threads);
    this.x = Nd4j.createFromArray(x.toFloats()).reshape(x.shape());
    this.w = Nd4j.createFromArray(w.toFloats()).reshape(w.shape()).transpose();
    // Column by column, as its matrix product wants the result.
    this.y = Nd4j.create(new long[] {x.dim(0), w.dim(0)}, 'f');
  }

  @Override
  public void multiply() {
    x.mmuli(w, y);
  }

  @Override
  public float[] result() {
    return y.dup('c').data().asFloat();
  }

  @Override
  public void close() {}
}
