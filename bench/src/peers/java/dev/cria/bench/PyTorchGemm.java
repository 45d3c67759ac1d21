package dev.cria.bench;

import dev.cria.Tensor;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.global.torch;

/** {@code torch::linear}, called through JavaCPP. */
final class PyTorchGemm implements Gemm {
  private final NoGradGuard guard;
  private final org.bytedeco.pytorch.Tensor x;
  private final org.bytedeco.pytorch.Tensor w;

  PyTorchGemm(Tensor x, Tensor w, int threads) {
    torch.set_num_threads(threads);
    this.guard = new NoGradGuard();
    this.x = org.bytedeco.pytorch.Tensor.create(x.toFloats(), x.shape());
    this.w = org.bytedeco.pytorch.Tensor.create(w.toFloats(), w.shape());
  }

  @Override
  public void multiply() {
    torch.linear(x, w).close();
  }

  @Override
  public float[] result() {
    try (org.bytedeco.pytorch.Tensor y = torch.linear(x, w)) {
      float[] numbers = new float[Math.toIntExact(y.numel())];
      y.data_ptr_float().get(numbers);
      return numbers;
    }
  }

  @Override
  public void close() {
    x.close();
    w.close();
    guard.close();
  }
}
