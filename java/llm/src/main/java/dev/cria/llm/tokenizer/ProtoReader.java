package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.nio.charset.StandardCharsets;

/**
 * Reads protobuf wire format from bytes that nobody vouches for: every length is checked against
 * what is there.
 */
final class ProtoReader {
  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED32 = 5;

  private final byte[] data;
  private final String where;
  private final int end;
  private int at;
  private int wireType;
  private int field;

  ProtoReader(byte[] data, String where) {
    this(data, 0, data.length, where);
  }

  private ProtoReader(byte[] data, int from, int end, String where) {
    this.data = data;
    this.where = where;
    this.at = from;
    this.end = end;
  }

  /** Number of the next field, or 0 at the end. */
  int next() {
    if (at == end) {
      return 0;
    }
    long tag = varint();
    wireType = (int) (tag & 7);
    long number = tag >>> 3;
    if (number < 1 || number > 0x1FFFFFFF) {
      throw broken("field number " + number);
    }
    field = (int) number;
    return field;
  }

  /** Passes over the value of a field that is of no interest. */
  void skip() {
    switch (wireType) {
      case VARINT -> varint();
      case FIXED64 -> take(8);
      case BYTES -> take(length());
      case FIXED32 -> take(4);
      default -> throw broken("wire type " + wireType);
    }
  }

  long number() {
    expect(VARINT);
    return varint();
  }

  boolean flag() {
    return number() != 0;
  }

  /** An int32 or enum; larger values are refused. */
  int integer() {
    long value = number();
    if (value != (int) value) {
      throw broken("value " + value + " of field " + field + " does not fit 32 bits");
    }
    return (int) value;
  }

  float real() {
    expect(FIXED32);
    int from = take(4);
    int bits = 0;
    for (int i = 3; i >= 0; i--) {
      bits = bits << 8 | (data[from + i] & 0xFF);
    }
    return Float.intBitsToFloat(bits);
  }

  byte[] bytes() {
    expect(BYTES);
    int count = length();
    int from = take(count);
    return java.util.Arrays.copyOfRange(data, from, from + count);
  }

  String text() {
    return new String(bytes(), StandardCharsets.UTF_8);
  }

  /** A reader of the message inside this field. */
  ProtoReader message() {
    expect(BYTES);
    int count = length();
    int from = take(count);
    return new ProtoReader(data, from, from + count, where);
  }

  private void expect(int type) {
    if (wireType != type) {
      throw broken("field " + field + " has wire type " + wireType + ", " + type + " expected");
    }
  }

  private int length() {
    long count = varint();
    if (count < 0 || count > end - at) {
      throw broken(
          "field "
              + field
              + " claims "
              + Long.toUnsignedString(count)
              + " bytes, "
              + (end - at)
              + " are left");
    }
    return (int) count;
  }

  private int take(int count) {
    if (count > end - at) {
      throw broken("ends inside field " + field);
    }
    int from = at;
    at += count;
    return from;
  }

  private long varint() {
    long value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at == end) {
        throw broken("ends inside a number");
      }
      byte b = data[at++];
      value |= (long) (b & 0x7F) << shift;
      if (b >= 0) {
        return value;
      }
    }
    throw broken("a number of more than 10 bytes");
  }

  private InvalidInputException broken(String problem) {
    return new InvalidInputException(
        where, "not a SentencePiece model: at byte " + at + ": " + problem);
  }
}
