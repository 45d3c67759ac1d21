package dev.cria;

/** Outcomes of native calls, in the order of {@code cria_status}. */
public enum Status {
  OK,
  /** A size, pointer, enum value or combination is wrong. */
  INVALID_ARGUMENT,
  /** The device, or the limit set on it, has no room. */
  OUT_OF_MEMORY,
  /** Legal, but this device or build does not do it. */
  UNSUPPORTED,
  /** An input that must be finite is not. */
  NOT_FINITE,
  /** The device or its driver failed. */
  DEVICE_ERROR,
  /** A defect of the library. */
  INTERNAL;

  private static final Status[] VALUES = values();

  /** The status with this number; INTERNAL for one that the header does not know. */
  public static Status of(int number) {
    return number >= 0 && number < VALUES.length ? VALUES[number] : INTERNAL;
  }
}
