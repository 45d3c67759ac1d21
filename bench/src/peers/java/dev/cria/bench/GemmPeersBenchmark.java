package dev.cria.bench;

import dev.cria.Tensor;
import org.openjdk.jmh.annotations.Param;

/**
 * A linear layer in float32 by Cria and by other libraries, each in a process of its own with the
 * same number of threads. The first product is checked before anything is measured.
 */
public class GemmPeersBenchmark extends OperationBenchmark {
  /** Who computes. */
  public enum Library {
    CRIA,
    /** OpenBLAS through the foreign function interface of Java. */
    OPENBLAS,
    /** The C++ interface of PyTorch in Java, by JavaCPP. */
    PYTORCH,
    /** Deep Java Library with its PyTorch engine. */
    DJL,
    ND4J,
    /** The native operations of Jlama. */
    JLAMA
  }

  @Param public Library library = Library.CRIA;

  @Param({"SQUARE", "UP"})
  public Projection projection = Projection.SQUARE;

  @Param("512")
  public int tokens;

  @Override
  protected Operation prepare() {
    int k = projection.in(model);
    int n = projection.out(model);
    int m = tokens;
    Tensor x = numbers(m, k);
    Tensor w = numbers(n, k);
    int workers = device().threads();
    Gemm gemm =
        own(
            switch (library) {
              case CRIA -> new CriaGemm(x, w);
              case OPENBLAS -> new OpenBlasGemm(x, w, workers);
              case PYTORCH -> new PyTorchGemm(x, w, workers);
              case DJL -> new DjlGemm(x, w, workers);
              case ND4J -> new Nd4jGemm(x, w, workers);
              case JLAMA -> new JlamaGemm(x, w, workers);
            });
    gemm.multiply();
    check(x, w, gemm.result());
    return Operation.of(
        Work.f32(2.0 * m * n * k, 4.0 * ((double) m * k + (double) n * k + (double) m * n)),
        gemm::multiply);
  }

  /** Compares some elements with sums in float64. */
  private static void check(Tensor x, Tensor w, float[] y) {
    float[] xs = x.toFloats();
    float[] ws = w.toFloats();
    int m = Math.toIntExact(x.dim(0));
    int n = Math.toIntExact(w.dim(0));
    int k = Math.toIntExact(x.dim(1));
    if (y.length != m * n) {
      throw new IllegalStateException("gemm: %d numbers, %d expected".formatted(y.length, m * n));
    }
    for (int i = 0; i < 64; i++) {
      int row = (int) ((long) i * (m - 1) / 63);
      int column = (int) ((long) (i * 37 % 64) * (n - 1) / 63);
      double sum = 0;
      double magnitude = 0;
      for (int j = 0; j < k; j++) {
        double term = (double) xs[row * k + j] * ws[column * k + j];
        sum += term;
        magnitude += Math.abs(term);
      }
      // Sums of float32 in any order: k roundings of half an ulp of at most the sum of magnitudes.
      double allowed = k * 0x1p-24 * magnitude;
      double error = Math.abs(y[row * n + column] - sum);
      if (!(error <= allowed)) {
        throw new IllegalStateException(
            "gemm: element (%d, %d) is off by %g, %g allowed"
                .formatted(row, column, error, allowed));
      }
    }
  }
}
