package dev.cria.autograd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.DType;
import dev.cria.Scope;
import dev.cria.Tensor;
import java.util.Random;
import java.util.function.Function;

/**
 * Compares the gradients of a function of f32 tensors with differences. The loss is the sum of the
 * outputs times fixed random weights, added on the host in float64. The difference quotient is the
 * central one of fourth order, whose own error is h^4/30 of the fifth derivative, negligible at h =
 * 1/64 for functions of size 1; what remains is the rounding of the f32 outputs:
 *
 * <pre>|error| <= 1.5 * k * 2^-24 * sum |w y| / h</pre>
 *
 * where k bounds the roundings inside one output.
 */
final class GradientCheck {
  private static final double H = 1.0 / 64;

  /** Roundings in one output; every operation checked here has fewer. */
  private static final double ROUNDINGS = 16;

  private GradientCheck() {}

  /** Checks the gradient of each input. */
  static void check(Function<Tensor[], Tensor> function, Tensor... inputs) {
    float[][] gradients = new float[inputs.length][];
    float[] weights;
    double size = 0;
    try (Scope scope = Scope.open();
        Tape tape = Tape.record()) {
      for (Tensor input : inputs) {
        tape.watch(input);
      }
      Tensor y = function.apply(inputs);
      weights = weights(y.size());
      float[] values = y.toFloats();
      for (int i = 0; i < values.length; i++) {
        size += Math.abs((double) weights[i] * values[i]);
      }
      tape.backward(y, Tensor.of(y.device(), weights, y.shape()));
      for (int i = 0; i < inputs.length; i++) {
        gradients[i] = tape.gradient(inputs[i]).toFloats();
        assertThat(gradients[i]).hasSize(Math.toIntExact(inputs[i].size()));
      }
    }
    double tolerance = 1.5 * ROUNDINGS * 0x1p-24 * (size + 1) / H;
    for (int i = 0; i < inputs.length; i++) {
      float[] origin = inputs[i].toFloats();
      for (int j = 0; j < origin.length; j++) {
        double near = loss(function, inputs, i, j, H) - loss(function, inputs, i, j, -H);
        double far = loss(function, inputs, i, j, 2 * H) - loss(function, inputs, i, j, -2 * H);
        double expected = (8 * near - far) / (12 * H);
        assertThat((double) gradients[i][j])
            .as("gradient %d of input %d %s", j, i, inputs[i])
            .isCloseTo(
                expected,
                org.assertj.core.data.Offset.offset(tolerance + 1e-4 * Math.abs(expected)));
        inputs[i].copyFrom(origin);
      }
    }
  }

  /** Loss with element j of input i moved. */
  private static double loss(
      Function<Tensor[], Tensor> function, Tensor[] inputs, int i, int j, double move) {
    float[] values = inputs[i].toFloats();
    float origin = values[j];
    values[j] = (float) (origin + move);
    inputs[i].copyFrom(values);
    double sum = 0;
    try (Scope scope = Scope.open()) {
      float[] y = function.apply(inputs).toFloats();
      float[] weights = weights(y.length);
      for (int k = 0; k < y.length; k++) {
        sum += (double) weights[k] * y[k];
      }
    }
    values[j] = origin;
    inputs[i].copyFrom(values);
    return sum;
  }

  private static float[] weights(long count) {
    Random random = new Random(99);
    float[] weights = new float[Math.toIntExact(count)];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) random.nextGaussian();
    }
    return weights;
  }

  /** Largest difference of two tensors of the same shape. */
  static double distance(Tensor a, Tensor b) {
    assertThat(a.shape()).isEqualTo(b.shape());
    float[] x = a.dtype() == DType.F32 ? a.toFloats() : a.to(DType.F32).toFloats();
    float[] y = b.toFloats();
    double largest = 0;
    for (int i = 0; i < x.length; i++) {
      largest = Math.max(largest, Math.abs((double) x[i] - y[i]));
    }
    return largest;
  }
}
