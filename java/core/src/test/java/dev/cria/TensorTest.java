package dev.cria;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class TensorTest extends DeviceTest {
  @Test
  void keepsValuesAndShape() {
    Tensor x = Tensor.of(device, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    assertThat(x.toString()).isEqualTo("f32[2, 3]");
    assertThat(x.dim(-1)).isEqualTo(3);
    assertThat(x.size()).isEqualTo(6);
    assertThat(x.byteSize()).isEqualTo(24);
    assertThat(x.toFloats()).containsExactly(1, 2, 3, 4, 5, 6);
    assertThat(Tensor.ofInts(device, new int[] {-100, 7}, 2).toInts()).containsExactly(-100, 7);
    assertThat(Tensor.scalar(device, 2.5f).item()).isEqualTo(2.5f);
  }

  @Test
  void viewsShareMemory() {
    Tensor x = Tensor.of(device, new float[] {1, 2, 3, 4, 5, 6}, 3, 2);
    Tensor rows = x.rows(1, 2);
    assertThat(rows.toFloats()).containsExactly(3, 4, 5, 6);
    assertThat(rows.rows(1, 1).baseOffset()).isEqualTo(2);
    x.reshape(-1).rows(3, 1).fill(9f);
    assertThat(rows.toFloats()).containsExactly(3, 9, 5, 6);
    assertThat(x.reshape(2, -1).shape()).containsExactly(2, 3);
  }

  @Test
  void wrongShapesAreNamed() {
    Tensor x = Tensor.zeros(device, DType.F32, 2, 3);
    assertThatThrownBy(() -> x.reshape(4, 2))
        .isInstanceOf(CriaException.class)
        .hasMessage("reshape: f32[2, 3] cannot become [4, 2]");
    assertThatThrownBy(() -> x.rows(1, 2)).hasMessage("rows: 1 to 3 are not rows of f32[2, 3]");
    assertThatThrownBy(() -> Tensor.of(device, new float[3], 2, 2))
        .hasMessage("Tensor.of: 3 values given for shape [2, 2]");
    assertThatThrownBy(() -> Tensor.empty(device, DType.F32, -1))
        .hasMessageContaining("negative dimension");
    assertThatThrownBy(() -> Tensor.empty(device, DType.F32, 1L << 40, 1L << 40))
        .hasMessageContaining("too large");
    assertThatThrownBy(x::item).hasMessageContaining("one element expected, got f32[2, 3]");
    assertThatThrownBy(x::toInts).hasMessage("toInts: i32 expected, got f32[2, 3]");
  }

  @Test
  void castsRoundToNearestEven() {
    // bf16 keeps 8 significant bits: 1 + 2^-8 lies halfway and goes to the even 1.
    Tensor x = Tensor.of(device, new float[] {1f, 1f + 0x1p-8f, 1f + 3 * 0x1p-8f, -2.5f}, 4);
    Tensor rounded = x.to(DType.BF16);
    assertThat(rounded.dtype()).isEqualTo(DType.BF16);
    assertThat(rounded.toFloats()).containsExactly(1f, 1f, 1f + 0x1p-6f, -2.5f);
    assertThat(rounded.toBytes()).hasSize(8).startsWith(0x80, 0x3f);
  }

  @Test
  void oddByteCountsAreZeroed() {
    Tensor bytes = Tensor.zeros(device, DType.U8, 7);
    assertThat(bytes.toBytes()).containsOnly(0).hasSize(7);
    assertThat(Tensor.zeros(device, DType.BF16, 3).toFloats()).containsExactly(0, 0, 0);
    assertThat(Tensor.zeros(device, DType.F32, 0).toFloats()).isEmpty();
  }

  @Test
  void copiesFromAndToHostMemory() {
    Tensor x = Tensor.empty(device, DType.F32, 2);
    try (Arena arena = Arena.ofConfined()) {
      x.copyFrom(arena.allocateFrom(ValueLayout.JAVA_FLOAT, 3f, 4f));
      MemorySegment out = arena.allocate(8, 4);
      x.copyTo(out);
      assertThat(out.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(3f, 4f);
      assertThatThrownBy(() -> x.copyTo(arena.allocate(4)))
          .hasMessage("copyTo: 4 bytes given, f32[2] has 8");
    }
    x.copyFrom(MemorySegment.ofArray(new float[] {5f, 6f}));
    assertThat(x.copy().toFloats()).containsExactly(5f, 6f);
  }

  @Test
  void segmentShowsTheElementsUntilTheyAreFreed() {
    Tensor x = Tensor.of(device, new float[] {1, 2, 3}, 3);
    MemorySegment tail = x.rows(1, 2).segment();
    assertThat(tail.toArray(ValueLayout.JAVA_FLOAT)).containsExactly(2, 3);
    x.close();
    assertThatThrownBy(() -> tail.get(ValueLayout.JAVA_FLOAT, 0))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void randomNumbersDependOnTheKeyOnly() {
    float[] a = normal(7, 1000).toFloats();
    assertThat(normal(7, 10, 100).toFloats()).isEqualTo(a);
    assertThat(normal(8, 1000).toFloats()).isNotEqualTo(a);
    for (float u : Tensor.uniform(device, 3, -1f, 2f, DType.F32, 1000).toFloats()) {
      assertThat(u).isBetween(-1f, 2f);
    }
  }

  private static Tensor normal(long key, long... shape) {
    return Tensor.randn(device, key, 0f, 1f, DType.F32, shape);
  }

  @Test
  void useAfterCloseIsAnError() {
    Tensor x = Tensor.zeros(device, DType.F32, 2);
    Tensor view = x.reshape(1, 2);
    x.close();
    x.close();
    assertThat(x.isClosed()).isTrue();
    assertThatThrownBy(view::toFloats)
        .isInstanceOf(CriaException.class)
        .hasMessageContaining("f32[1, 2] was used after its memory had been freed");
  }

  @Test
  void nativeFailuresCarryStatusAndMessage() {
    device.setLimit(device.liveBytes() + 1000);
    try {
      assertThatThrownBy(() -> Tensor.empty(device, DType.F32, 1000))
          .isInstanceOfSatisfying(
              NativeException.class, e -> assertThat(e.status()).isEqualTo(Status.OUT_OF_MEMORY))
          .hasMessageContaining("4000");
    } finally {
      device.setLimit(0);
    }
    assertThatThrownBy(() -> Device.open("abacus"))
        .isInstanceOf(NativeException.class)
        .hasMessageContaining("abacus");
  }
}
