package dev.cria.safetensors;

import dev.cria.CriaException;
import dev.cria.DType;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Element types of the format by name, and the arithmetic of their sizes. */
final class TensorType {
  private static final Map<String, Integer> BITS =
      Map.ofEntries(
          Map.entry("BOOL", 8),
          Map.entry("U8", 8),
          Map.entry("I8", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E8M0", 8),
          Map.entry("F4", 4),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("U16", 16),
          Map.entry("I16", 16),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("U32", 32),
          Map.entry("I32", 32),
          Map.entry("F32", 32),
          Map.entry("U64", 64),
          Map.entry("I64", 64),
          Map.entry("F64", 64),
          Map.entry("C64", 64));

  private TensorType() {}

  /** Bytes of a tensor; the message of a failure starts with {@code context}. */
  static long bytes(String context, String dtype, long[] shape) {
    Integer bits = BITS.get(dtype);
    if (bits == null) {
      throw new CriaException(context + "unknown dtype \"" + dtype + "\"");
    }
    long total = bits;
    boolean empty = false;
    for (long dim : shape) {
      if (dim < 0) {
        throw new CriaException(context + "negative dimension in " + Arrays.toString(shape));
      }
      empty |= dim == 0;
    }
    if (empty) {
      return 0;
    }
    for (long dim : shape) {
      try {
        total = Math.multiplyExact(total, dim);
      } catch (ArithmeticException e) {
        throw new CriaException(context + "shape " + Arrays.toString(shape) + " overflows", e);
      }
    }
    if (total % 8 != 0) {
      throw new CriaException(
          context + "shape " + Arrays.toString(shape) + " of " + dtype + " ends inside a byte");
    }
    return total / 8;
  }

  /** The type of a tensor in memory for a name, or null where there is none. */
  static @Nullable DType dtype(String name) {
    return switch (name) {
      case "F32" -> DType.F32;
      case "BF16" -> DType.BF16;
      case "F16" -> DType.F16;
      case "I32" -> DType.I32;
      case "U8" -> DType.U8;
      default -> null;
    };
  }

  /** The name of a type. */
  static String name(DType dtype) {
    return dtype.name();
  }
}
