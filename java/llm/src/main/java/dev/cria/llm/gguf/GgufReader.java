package dev.cria.llm.gguf;

import dev.cria.llm.InvalidInputException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the primitive values of a GGUF header in order; every count is checked against the bytes
 * that are left.
 */
final class GgufReader {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int MAX_DEPTH = 4;

  private final MemorySegment data;
  private final String file;
  private boolean wide = true;
  private long at;

  GgufReader(MemorySegment data, String file) {
    this.data = data;
    this.file = file;
  }

  /** Version 1 writes counts in 32 bits, later ones in 64. */
  void wideCounts(boolean wide) {
    this.wide = wide;
  }

  long position() {
    return at;
  }

  int u32() {
    return data.get(INT, take(4));
  }

  long u64() {
    return data.get(LONG, take(8));
  }

  /** A number of things of at least {@code size} bytes each that follow in the header. */
  int count(String what, int size) {
    long count = wide ? u64() : Integer.toUnsignedLong(u32());
    if (count < 0 || count > (data.byteSize() - at) / size || count > Integer.MAX_VALUE - 8) {
      throw bad(
          what
              + " claims to be "
              + Long.toUnsignedString(count)
              + ", but only "
              + (data.byteSize() - at)
              + " bytes are left");
    }
    return (int) count;
  }

  /** A dimension of a tensor. */
  long dimension() {
    return wide ? u64() : Integer.toUnsignedLong(u32());
  }

  String string(String what) {
    int length = count("the length of " + what, 1);
    byte[] bytes = new byte[length];
    MemorySegment.copy(data, ValueLayout.JAVA_BYTE, take(length), bytes, 0, length);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /**
   * A metadata value: {@link Long}, {@link Double}, {@link Boolean}, {@link String}, or for arrays
   * {@code long[]}, {@code double[]} or a list.
   */
  Object value(String key) {
    return value(key, u32(), 0);
  }

  private Object value(String key, int type, int depth) {
    return switch (type) {
      case 0, 1, 2, 3, 4, 5, 10, 11 -> integer(type);
      case 6, 12 -> real(type);
      case 7 -> flag(key);
      case 8 -> string(key);
      case 9 -> array(key, depth);
      default -> throw bad(key + " has unknown value type " + type);
    };
  }

  private Object array(String key, int depth) {
    if (depth == MAX_DEPTH) {
      throw bad(key + " has arrays nested more than " + MAX_DEPTH + " deep");
    }
    int type = u32();
    int size =
        switch (type) {
          case 0, 1, 7 -> 1;
          case 2, 3 -> 2;
          case 4, 5, 6 -> 4;
          case 10, 11, 12 -> 8;
          case 8, 9 -> 4;
          default -> throw bad(key + " is an array of unknown value type " + type);
        };
    int count = count("array " + key, size);
    switch (type) {
      case 0, 1, 2, 3, 4, 5, 10, 11 -> {
        long[] values = new long[count];
        for (int i = 0; i < count; i++) {
          values[i] = integer(type);
        }
        return values;
      }
      case 6, 12 -> {
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
          values[i] = real(type);
        }
        return values;
      }
      default -> {
        List<Object> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
          values.add(value(key, type, depth + 1));
        }
        return List.copyOf(values);
      }
    }
  }

  private long integer(int type) {
    return switch (type) {
      case 0 -> data.get(ValueLayout.JAVA_BYTE, take(1)) & 0xFFL;
      case 1 -> data.get(ValueLayout.JAVA_BYTE, take(1));
      case 2 -> data.get(SHORT, take(2)) & 0xFFFFL;
      case 3 -> data.get(SHORT, take(2));
      case 4 -> Integer.toUnsignedLong(u32());
      case 5 -> u32();
      default -> u64();
    };
  }

  private double real(int type) {
    // A float is taken as the decimal number it was written from: 1e-5f is 1e-5.
    return type == 6
        ? Double.parseDouble(Float.toString(Float.intBitsToFloat(u32())))
        : Double.longBitsToDouble(u64());
  }

  private boolean flag(String key) {
    byte value = data.get(ValueLayout.JAVA_BYTE, take(1));
    if (value != 0 && value != 1) {
      throw bad(key + " is a flag of value " + value);
    }
    return value == 1;
  }

  private long take(long count) {
    if (count > data.byteSize() - at) {
      throw bad("the file ends inside its header");
    }
    long from = at;
    at += count;
    return from;
  }

  InvalidInputException bad(String problem) {
    return new InvalidInputException(
        file, "not a usable GGUF file: at byte " + at + ": " + problem);
  }
}
