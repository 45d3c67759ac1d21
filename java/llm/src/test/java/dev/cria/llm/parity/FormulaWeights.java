package dev.cria.llm.parity;

import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.llm.checkpoint.WeightReader;
import java.nio.charset.StandardCharsets;

/** Weights that follow from a rule instead of a file; tests/parity/README.md states it. */
record FormulaWeights(Device device) implements WeightReader {
  @Override
  public Tensor dense(String name, long... shape) {
    long size = 1;
    for (long d : shape) {
      size *= d;
    }
    long hash = 0xCBF29CE484222325L;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash ^ (b & 0xFF)) * 0x100000001B3L;
    }
    float[] values = new float[Math.toIntExact(size)];
    for (int i = 0; i < values.length; i++) {
      long z = hash + (i + 1) * 0x9E3779B97F4A7C15L;
      z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
      z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
      z ^= z >>> 31;
      int b = (byte) (z >>> 56);
      if (shape.length == 1) {
        values[i] = 1 + (b >> 3) * 0x1p-7f;
      } else {
        values[i] = b * (name.contains("embed_tokens") ? 0x1p-7f : 0x1p-11f);
      }
    }
    return Tensor.of(device, values, shape);
  }
}
