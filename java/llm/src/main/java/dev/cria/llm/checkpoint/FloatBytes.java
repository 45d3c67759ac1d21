package dev.cria.llm.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Float32 arrays as the little-endian bytes of safetensors. */
public final class FloatBytes {
  private static final ValueLayout.OfFloat F32 =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FloatBytes() {}

  /** The bytes of an array. */
  public static MemorySegment of(float[] values) {
    MemorySegment data = MemorySegment.ofArray(new byte[4 * values.length]);
    for (int i = 0; i < values.length; i++) {
      data.set(F32, 4L * i, values[i]);
    }
    return data;
  }

  /** The array of bytes, whose number is a multiple of 4. */
  public static float[] read(MemorySegment data) {
    float[] values = new float[Math.toIntExact(data.byteSize() / 4)];
    for (int i = 0; i < values.length; i++) {
      values[i] = data.get(F32, 4L * i);
    }
    return values;
  }
}
