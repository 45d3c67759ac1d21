package dev.cria.llm.gguf;

import dev.cria.llm.InvalidInputException;

/**
 * How the values of a tensor are stored: blocks of {@link #blockLength} values in {@link
 * #blockBytes} bytes.
 */
public enum GgufType {
  /** IEEE single precision. */
  F32(0, 1, 4),
  /** IEEE half precision. */
  F16(1, 1, 2),
  /** f16 scale d, 16 bytes of two 4-bit codes: {@code d * (code - 8)}. */
  Q4_0(2, 32, 18),
  /** f16 scale d and minimum m, 16 bytes of two 4-bit codes: {@code d * code + m}. */
  Q4_1(3, 32, 20),
  /** f16 scale d, 32 signed bytes: {@code d * code}. */
  Q8_0(8, 32, 34),
  /** The upper half of single precision. */
  BF16(30, 1, 2);

  /** Names of the types of the format by number, for errors. */
  private static final String[] NAMES = {
    "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K",
    "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
    "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M", "BF16"
  };

  private final int code;
  private final int blockLength;
  private final int blockBytes;

  GgufType(int code, int blockLength, int blockBytes) {
    this.code = code;
    this.blockLength = blockLength;
    this.blockBytes = blockBytes;
  }

  /** Values in a block. */
  public int blockLength() {
    return blockLength;
  }

  /** Bytes of a block. */
  public int blockBytes() {
    return blockBytes;
  }

  static GgufType of(int code, String where) {
    for (GgufType type : values()) {
      if (type.code == code) {
        return type;
      }
    }
    String name = code >= 0 && code < NAMES.length ? NAMES[code] : "unknown";
    throw new InvalidInputException(
        where,
        "type "
            + name
            + " ("
            + code
            + ") is not supported; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are");
  }

  /**
   * Widens {@code count} values, a multiple of the block length, from {@code in} to the start of
   * {@code out}.
   */
  void decode(byte[] in, int count, float[] out) {
    switch (this) {
      case F32 -> {
        for (int i = 0; i < count; i++) {
          out[i] = Float.intBitsToFloat(u16(in, 4 * i) | u16(in, 4 * i + 2) << 16);
        }
      }
      case F16 -> {
        for (int i = 0; i < count; i++) {
          out[i] = half(in, 2 * i);
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          out[i] = Float.intBitsToFloat(u16(in, 2 * i) << 16);
        }
      }
      case Q8_0 -> {
        for (int b = 0, at = 0; b < count; b += 32, at += 34) {
          float scale = half(in, at);
          for (int i = 0; i < 32; i++) {
            out[b + i] = scale * in[at + 2 + i];
          }
        }
      }
      case Q4_0 -> {
        for (int b = 0, at = 0; b < count; b += 32, at += 18) {
          float scale = half(in, at);
          for (int i = 0; i < 16; i++) {
            int codes = in[at + 2 + i];
            out[b + i] = scale * ((codes & 15) - 8);
            out[b + i + 16] = scale * ((codes >> 4 & 15) - 8);
          }
        }
      }
      case Q4_1 -> {
        for (int b = 0, at = 0; b < count; b += 32, at += 20) {
          float scale = half(in, at);
          float least = half(in, at + 2);
          for (int i = 0; i < 16; i++) {
            int codes = in[at + 4 + i];
            out[b + i] = scale * (codes & 15) + least;
            out[b + i + 16] = scale * (codes >> 4 & 15) + least;
          }
        }
      }
    }
  }

  private static int u16(byte[] in, int at) {
    return in[at] & 0xFF | (in[at + 1] & 0xFF) << 8;
  }

  private static float half(byte[] in, int at) {
    return Float.float16ToFloat((short) u16(in, at));
  }
}
