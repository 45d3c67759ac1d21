package dev.cria;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cria.autograd.Ops;
import java.util.Optional;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;

/** Recorded work, on the emulated GPU. */
@NullUnmarked
class GraphTest {
  private static Device simt() {
    try {
      return Device.open("simt");
    } catch (NativeException e) {
      assumeTrue(false, "libcria_simt.so is not built (cmake -P native/cmake/build.cmake)");
      throw e;
    }
  }

  @Test
  void runsOnWhatTheTensorsHoldThen() {
    try (Device device = simt()) {
      try (Scope scope = Scope.open()) {
        Tensor x = Tensor.of(device, new float[] {1, 2}, 2);
        Tensor y = Tensor.zeros(device, DType.F32, 2);
        Runnable work =
            () -> {
              try (Scope inner = Scope.open()) {
                y.copyFrom(Ops.mul(Ops.add(x, x), x));
              }
            };
        try (Graph graph = Graph.record(device, work).orElseThrow()) {
          assertThat(y.toFloats()).containsExactly(0, 0);
          graph.run();
          assertThat(y.toFloats()).containsExactly(2, 8);
          // Other tensors do not get the memory that the graph works in.
          for (int i = 0; i < 8; i++) {
            Tensor.of(device, new float[] {7, 7}, 2);
          }
          x.copyFrom(new float[] {3, 4});
          graph.run();
          assertThat(y.toFloats()).containsExactly(18, 32);
        }
      }
      assertThat(device.liveBytes()).isZero();
    }
  }

  @Test
  void workThatCannotBeRecordedLeavesNothing() {
    try (Device device = simt()) {
      try (Scope scope = Scope.open()) {
        Tensor x = Tensor.of(device, new float[] {1, 2}, 2);
        Runnable reads =
            () -> {
              try (Scope inner = Scope.open()) {
                Ops.add(x, x).toFloats();
              }
            };
        assertThat(Graph.record(device, reads)).isEmpty();
        Runnable fails =
            () -> {
              throw new IllegalStateException("on purpose");
            };
        assertThatThrownBy(() -> Graph.record(device, fails)).hasMessage("on purpose");
        reads.run();
      }
      assertThat(device.liveBytes()).isZero();
    }
  }

  @Test
  void theCpuRecordsNothing() {
    try (Device device = Device.open("cpu", 1)) {
      assertThat(Graph.record(device, () -> {})).isEqualTo(Optional.empty());
    }
  }
}
