package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.nn.Nf4Matrix;
import org.openjdk.jmh.annotations.Param;

/** Quantising a matrix to NF4 and turning it back into numbers. */
public class Nf4Benchmark extends OperationBenchmark {
  /** What is done. */
  public enum Conversion {
    QUANTIZE_F32,
    QUANTIZE_BF16,
    DEQUANTIZE_F32,
    DEQUANTIZE_BF16
  }

  @Param public Conversion conversion = Conversion.QUANTIZE_F32;

  @Override
  protected Operation prepare() {
    int n = model.hidden;
    int k = model.width;
    DType type =
        switch (conversion) {
          case QUANTIZE_F32, DEQUANTIZE_F32 -> DType.F32;
          case QUANTIZE_BF16, DEQUANTIZE_BF16 -> DType.BF16;
        };
    Tensor weights = numbers(type, 0.02f, n, k);
    Work work = Work.bytes(weights.byteSize() + Work.nf4Bytes(n, k));
    return switch (conversion) {
      case QUANTIZE_F32, QUANTIZE_BF16 ->
          Operation.of(work, () -> Nf4Matrix.quantize(weights, 64, true).close());
      case DEQUANTIZE_F32, DEQUANTIZE_BF16 -> {
        Nf4Matrix matrix = own(Nf4Matrix.quantize(weights, 64, true));
        yield Operation.of(work, () -> matrix.dequantize(type));
      }
    };
  }
}
