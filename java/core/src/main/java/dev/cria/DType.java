package dev.cria;

import java.util.Locale;

/** Element types of tensors, in the order of {@code cria_dtype}. */
public enum DType {
  /** IEEE binary32: all activations and gradients. */
  F32(4),
  /** Upper half of a binary32: weights. */
  BF16(2),
  /** IEEE binary16: only a source of casts and quantisation. */
  F16(2),
  /** Token ids, labels, positions, indices. */
  I32(4),
  /** Codes. */
  U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of an element. */
  public int bytes() {
    return bytes;
  }

  /** Whether elements are floating-point numbers. */
  public boolean isFloat() {
    return this == F32 || this == BF16 || this == F16;
  }

  /** Number of the type in the C interface. */
  public int code() {
    return ordinal();
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
