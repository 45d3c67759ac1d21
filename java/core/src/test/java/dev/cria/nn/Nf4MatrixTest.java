package dev.cria.nn;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.NativeException;
import dev.cria.Status;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Nf4MatrixTest extends DeviceTest {
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void partsGoOutAndInBitForBit(boolean doubleQuant) {
    Tensor w = randn(1, 7, 33);
    try (Nf4Matrix matrix = Nf4Matrix.quantize(w, 64, doubleQuant);
        Nf4Matrix copy = Nf4Matrix.of(device, matrix.export())) {
      assertThat(matrix.rows()).isEqualTo(7);
      assertThat(matrix.columns()).isEqualTo(33);
      assertThat(matrix.blockSize()).isEqualTo(64);
      assertThat(matrix.nestedBlockSize()).isEqualTo(doubleQuant ? 256 : 0);
      Nf4Matrix.Parts parts = matrix.export();
      Nf4Matrix.Parts again = copy.export();
      assertThat(again.codes().toArray(ValueLayout.JAVA_BYTE))
          .isEqualTo(parts.codes().toArray(ValueLayout.JAVA_BYTE));
      assertThat(again.codeMap()).isEqualTo(parts.codeMap());
      assertThat(again.absmax()).isEqualTo(parts.absmax());
      assertThat(again.nestedAbsmax()).isEqualTo(parts.nestedAbsmax());
      assertThat(again.nestedOffset()).isEqualTo(parts.nestedOffset());
      assertThat(copy.dequantize(DType.F32).toFloats())
          .isEqualTo(matrix.dequantize(DType.F32).toFloats());
      assertThat(matrix.dequantizeRows(2, 3, DType.BF16).toFloats())
          .isEqualTo(matrix.dequantize(DType.F32).rows(2, 3).toFloats());
    }
  }

  @Test
  void weightsStayWithinHalfAStep() {
    float[] w = randn(1, 16, 64).toFloats();
    try (Nf4Matrix matrix = Nf4Matrix.quantize(Tensor.of(device, w, 16, 64), 64, false)) {
      float[] back = matrix.dequantize(DType.F32).toFloats();
      float[] absmax = requireNonNull(matrix.export().absmax());
      for (int i = 0; i < w.length; i++) {
        // The widest gap between codes, -1 to -0.6962, is 0.3038; bf16 adds 2^-9 of the value.
        double bound = absmax[i / 64] * (0.3039 / 2 + 0x1p-9);
        assertThat(Math.abs((double) back[i] - w[i])).isLessThanOrEqualTo(bound);
      }
    }
  }

  @Test
  void linearEqualsTheDenseOneOnTheDequantisedWeight() {
    Tensor x = randn(1, 5, 64);
    try (Nf4Matrix matrix = Nf4Matrix.quantize(randn(2, 9, 64), 64, true)) {
      Weight.Dense dense = new Weight.Dense(new Parameter("w", matrix.dequantize(DType.BF16)));
      Weight.Nf4 quantised = new Weight.Nf4(matrix);
      assertThat(quantised.outFeatures()).isEqualTo(9);
      float[] a = Ops.linear(x, quantised).toFloats();
      float[] b = Ops.linear(x, dense).toFloats();
      double[] bound = bound(x, dense.parameter().value());
      for (int i = 0; i < a.length; i++) {
        assertThat(Math.abs((double) a[i] - b[i])).isLessThanOrEqualTo(bound[i]);
      }
      Tensor dy = randn(3, 5, 9);
      float[][] gradients = new float[2][];
      for (int i = 0; i < 2; i++) {
        try (Tape tape = Tape.record()) {
          tape.watch(x);
          tape.backward(Ops.linear(x, i == 0 ? quantised : dense), dy);
          gradients[i] = tape.gradient(x).toFloats();
        }
      }
      double[] backward = bound(dy, Ops.transpose(matrix.dequantize(DType.F32), 1, 0));
      for (int i = 0; i < gradients[0].length; i++) {
        assertThat(Math.abs((double) gradients[0][i] - gradients[1][i]))
            .isLessThanOrEqualTo(backward[i]);
      }
    }
  }

  /**
   * Both sides may round x to bf16 (2^-9 relative each) and add up in f32 in their own order: (2 *
   * 2^-9 + k 2^-23) sum |x||w|.
   */
  private double[] bound(Tensor x, Tensor w) {
    Tensor sums = Ops.matmul(Ops.abs(x), Ops.abs(w.to(DType.F32)), false, true);
    float[] values = sums.toFloats();
    double[] bound = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      bound[i] = (0x1p-8 + x.dim(1) * 0x1p-23) * values[i] * 1.001;
    }
    return bound;
  }

  @Test
  void nativeMemoryIsCountedAndFreed() {
    long before = device.liveBytes();
    Nf4Matrix matrix = Nf4Matrix.quantize(randn(1, 64, 64), 64, true);
    assertThat(matrix.byteSize()).isBetween(64 * 64 / 2L, 64 * 64L);
    assertThat(device.liveBytes()).isGreaterThan(before);
    matrix.close();
    matrix.close();
    assertThatThrownBy(() -> matrix.dequantize(DType.F32)).hasMessageContaining("already closed");
  }

  @Test
  @SuppressWarnings("NullAway") // it does not see the annotation of array components in class files
  void badInputIsNamed() {
    assertThatThrownBy(() -> Nf4Matrix.quantize(randn(1, 64), 64, true))
        .isInstanceOf(CriaException.class)
        .hasMessageContaining("f32[64]");
    assertThatThrownBy(() -> Nf4Matrix.quantize(randn(1, 8, 8), 48, true))
        .hasMessageContaining("block size is 48");
    Tensor bad = Tensor.of(device, new float[] {1, Float.NaN}, 1, 2);
    assertThatThrownBy(() -> Nf4Matrix.quantize(bad, 64, false))
        .isInstanceOfSatisfying(
            NativeException.class, e -> assertThat(e.status()).isEqualTo(Status.NOT_FINITE));
    MemorySegment codes = MemorySegment.ofArray(new byte[31]);
    assertThatThrownBy(
            () ->
                new Nf4Matrix.Parts(
                    1, 64, 64, codes, new float[16], new float[1], null, 0, null, null, 0f))
        .hasMessage("nf4 parts: codes has 31 entries, 32 expected");
  }
}
