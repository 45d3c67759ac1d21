package dev.cria.optim;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.Tensor;
import dev.cria.nn.Parameter;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdamWTest extends DeviceTest {
  private static final AdamWConfig CONFIG = new AdamWConfig(0.9, 0.99, 1e-8f, 0.1f, false);

  private Parameter parameter(String name, Tensor value) {
    return new Parameter(name, value, true);
  }

  /** Sets a gradient that depends on the step. */
  private void gradient(Parameter parameter, int step) {
    requireNonNull(parameter.grad()).copyFrom(randn(100 + step, parameter.value().size()));
  }

  @Test
  void stepsFollowTheFormula() {
    Parameter p = parameter("p", randn(1, 5));
    double[] value = doubles(p.value());
    double[] m = new double[5];
    double[] v = new double[5];
    float lr = 0.01f;
    float scale = 0.5f;
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(p));
        AdamW adam = new AdamW(List.of(p), CONFIG)) {
      for (int step = 1; step <= 5; step++) {
        gradient(p, step);
        double[] g = doubles(requireNonNull(p.grad()));
        adam.step(lr, scale);
        for (int i = 0; i < 5; i++) {
          double gi = scale * g[i];
          value[i] *= 1 - (double) lr * 0.1f;
          m[i] = 0.9 * m[i] + (1 - 0.9) * gi;
          v[i] = 0.99 * v[i] + (1 - 0.99) * gi * gi;
          value[i] -=
              lr
                  / (1 - Math.pow(0.9, step))
                  * m[i]
                  / (Math.sqrt(v[i]) / Math.sqrt(1 - Math.pow(0.99, step)) + 1e-8f);
        }
      }
      assertThat(adam.stepCount()).isEqualTo(5);
    }
    float[] actual = p.value().toFloats();
    for (int i = 0; i < 5; i++) {
      // Per step: rounding of the value (2^-24 of it) and a few roundings of an update of size lr.
      double bound = 5 * (2 * 0x1p-24 * Math.abs(value[i]) + 16 * 0x1p-24 * lr);
      assertThat((double) actual[i]).isCloseTo(value[i], Offset.offset(bound));
    }
  }

  private static double[] doubles(Tensor tensor) {
    float[] floats = tensor.toFloats();
    double[] doubles = new double[floats.length];
    for (int i = 0; i < floats.length; i++) {
      doubles[i] = floats[i];
    }
    return doubles;
  }

  @Test
  void bf16ParametersFollowTheirMaster() {
    Tensor start = randn(1, 300).to(DType.BF16);
    Parameter half = parameter("p", start.copy());
    Parameter full = parameter("p", start.to(DType.F32));
    try (GradientBuffer first = new GradientBuffer(device, List.of(half));
        GradientBuffer second = new GradientBuffer(device, List.of(full));
        AdamW halfAdam = new AdamW(List.of(half), CONFIG);
        AdamW fullAdam = new AdamW(List.of(full), CONFIG)) {
      for (int step = 1; step <= 3; step++) {
        gradient(half, step);
        gradient(full, step);
        // Far below a bf16 step: only the master can add these up.
        halfAdam.step(1e-5f, 1f);
        fullAdam.step(1e-5f, 1f);
      }
      Tensor master = requireNonNull(halfAdam.state().get("p.master"));
      assertThat(master.toFloats()).isEqualTo(full.value().toFloats());
      assertThat(half.value().toBytes()).isEqualTo(full.value().to(DType.BF16).toBytes());
    }
  }

  @Test
  void eightBitStepsStayNearTheExactOnes() {
    Parameter exact = parameter("p", randn(1, 1000));
    Parameter coarse = parameter("p", randn(1, 1000));
    AdamWConfig eight = new AdamWConfig(0.9, 0.99, 1e-8f, 0f, true);
    AdamWConfig full = new AdamWConfig(0.9, 0.99, 1e-8f, 0f, false);
    try (GradientBuffer first = new GradientBuffer(device, List.of(exact));
        GradientBuffer second = new GradientBuffer(device, List.of(coarse));
        AdamW adam = new AdamW(List.of(exact), full);
        AdamW adam8 = new AdamW(List.of(coarse), eight)) {
      gradient(exact, 1);
      gradient(coarse, 1);
      adam.step(0.01f, 1f);
      adam8.step(0.01f, 1f);
      // The first update does not read a stored moment: the same but for rounding.
      float[] a = exact.value().toFloats();
      float[] b = coarse.value().toFloats();
      for (int i = 0; i < a.length; i++) {
        assertThat(b[i]).isCloseTo(a[i], Offset.offset(1e-6f));
      }
      assertThat(adam8.byteSize()).isEqualTo(2 * (1000 + 4 * 4));
      assertThat(adam.byteSize()).isEqualTo(2 * 4000);
      double distance = 0;
      for (int step = 2; step <= 10; step++) {
        gradient(exact, step);
        gradient(coarse, step);
        adam.step(0.01f, 1f);
        adam8.step(0.01f, 1f);
      }
      a = exact.value().toFloats();
      b = coarse.value().toFloats();
      for (int i = 0; i < a.length; i++) {
        distance += Math.abs(a[i] - b[i]) / a.length;
      }
      // Each step moves a weight by at most about lr; the mean error stays a fraction of one step.
      assertThat(distance).isLessThan(0.01).isPositive();
    }
  }

  @ParameterizedTest
  @CsvSource({"false,false", "true,false", "false,true", "true,true"})
  void restoredStateContinuesWithTheSameBits(boolean eightBit, boolean bf16) {
    AdamWConfig config = new AdamWConfig(0.9, 0.95, 1e-8f, 0.01f, eightBit);
    Tensor start = bf16 ? randn(1, 700).to(DType.BF16) : randn(1, 700);
    Parameter p = parameter("layer.p", start);
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(p));
        AdamW adam = new AdamW(List.of(p), config)) {
      for (int step = 1; step <= 3; step++) {
        gradient(p, step);
        adam.step(0.01f, 1f);
      }
      Parameter q = parameter("layer.p", p.value().copy());
      try (GradientBuffer others = new GradientBuffer(device, List.of(q));
          AdamW restored = new AdamW(List.of(q), config)) {
        Map<String, Tensor> to = restored.state();
        assertThat(to.keySet()).isEqualTo(adam.state().keySet());
        adam.state()
            .forEach(
                (name, tensor) ->
                    requireNonNull(to.get(name)).copyFrom(MemorySegment.ofArray(tensor.toBytes())));
        restored.setStepCount(adam.stepCount());
        for (int step = 4; step <= 6; step++) {
          gradient(p, step);
          gradient(q, step);
          adam.step(0.01f, 1f);
          restored.step(0.01f, 1f);
        }
        assertThat(q.value().toBytes()).isEqualTo(p.value().toBytes());
        restored
            .state()
            .forEach(
                (name, tensor) ->
                    assertThat(tensor.toBytes())
                        .as(name)
                        .isEqualTo(requireNonNull(adam.state().get(name)).toBytes()));
      }
    }
  }

  @Test
  void frozenParametersStayAndMissingGradientsAreNamed() {
    Parameter frozen = new Parameter("frozen", randn(1, 3));
    float[] before = frozen.value().toFloats();
    Parameter lost = parameter("lost", randn(2, 3));
    try (AdamW adam = new AdamW(List.of(frozen), CONFIG);
        AdamW other = new AdamW(List.of(lost), CONFIG)) {
      adam.step(0.1f, 1f);
      assertThat(frozen.value().toFloats()).isEqualTo(before);
      assertThatThrownBy(() -> other.step(0.1f, 1f))
          .hasMessage("adamw: lost f32[3] has no gradient buffer");
    }
  }

  @Test
  void gradientBufferIsClearedAndMeasured() {
    Parameter a = parameter("a", randn(1, 2));
    Parameter b = parameter("b", randn(2, 2, 1));
    try (GradientBuffer gradients = new GradientBuffer(device, List.of(a, b))) {
      requireNonNull(a.grad()).copyFrom(new float[] {1, 2});
      requireNonNull(b.grad()).copyFrom(new float[] {-4, 10});
      // 1 + 4 + 16 + 100 = 121
      assertThat(gradients.norm()).isEqualTo(11.0);
      gradients.zero();
      assertThat(gradients.norm()).isZero();
      requireNonNull(a.grad()).copyFrom(new float[] {Float.NaN, 0});
      assertThat(gradients.norm()).isNaN();
      assertThat(requireNonNull(b.grad()).shape()).containsExactly(2, 1);
    }
    assertThatThrownBy(() -> new GradientBuffer(device, List.of(a, a)))
        .hasMessageContaining("twice");
  }
}
