package dev.cria.bench;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import dev.cria.Tensor;

/** {@code matMul} of the Deep Java Library on its PyTorch engine. */
final class DjlGemm implements Gemm {
  private final NDManager manager;
  private final NDArray x;
  private final NDArray w;

  DjlGemm(Tensor x, Tensor w, int threads) {
    // The engine reads it when it starts.
    System.setProperty("ai.djl.pytorch.num_threads", Integer.toString(threads));
    this.manager = NDManager.newBaseManager(Device.cpu(), "PyTorch");
    this.x = manager.create(x.toFloats(), new Shape(x.shape()));
    this.w = manager.create(w.toFloats(), new Shape(w.shape())).transpose();
  }

  @Override
  public void multiply() {
    x.matMul(w).close();
  }

  @Override
  public float[] result() {
    try (NDArray y = x.matMul(w)) {
      return y.toFloatArray();
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
