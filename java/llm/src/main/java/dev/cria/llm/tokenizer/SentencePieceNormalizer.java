package dev.cria.llm.tokenizer;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Rewrites a text as a SentencePiece model asks before it is cut: character map, spaces, dummy
 * prefix.
 */
final class SentencePieceNormalizer {
  /** U+2581 in UTF-8, which stands for a space inside pieces. */
  static final byte[] SPACE = {(byte) 0xE2, (byte) 0x96, (byte) 0x81};

  private static final byte[] REPLACEMENT_CHARACTER = {(byte) 0xEF, (byte) 0xBF, (byte) 0xBD};

  private final SentencePieceModel.Normalizer spec;
  private final boolean spaceAsSuffix;
  private final @Nullable CharsMap map;
  private final ByteTrie userDefined;

  SentencePieceNormalizer(
      SentencePieceModel.Normalizer spec,
      boolean spaceAsSuffix,
      ByteTrie userDefined,
      String where) {
    this.spec = spec;
    this.spaceAsSuffix = spaceAsSuffix;
    this.userDefined = userDefined;
    this.map = spec.charsMap().length == 0 ? null : new CharsMap(spec.charsMap(), where);
  }

  /** The text as bytes ready to be cut; empty stays empty. */
  byte[] normalize(String text) {
    byte[] in = Utf8.encode(text);
    Buffer out = new Buffer(in.length * 3 + 8);
    int at = 0;
    if (spec.removeExtraWhitespaces()) {
      // Leading spaces go before anything else, so that a text of spaces alone gets no dummy prefix
      // either.
      Buffer step = new Buffer(16);
      while (at < in.length) {
        step.size = 0;
        int used = next(in, at, step);
        if (!(step.size == 1 && step.bytes[0] == ' ')) {
          break;
        }
        at += used;
      }
    }
    if (at == in.length) {
      return new byte[0];
    }
    if (spec.addDummyPrefix() && !spaceAsSuffix) {
      out.space(spec.escapeWhitespaces());
    }
    Buffer step = new Buffer(64);
    boolean afterSpace = spec.removeExtraWhitespaces();
    while (at < in.length) {
      step.size = 0;
      at += next(in, at, step);
      int from = 0;
      while (afterSpace && from < step.size && step.bytes[from] == ' ') {
        from++;
      }
      if (from < step.size) {
        for (int i = from; i < step.size; i++) {
          if (step.bytes[i] == ' ') {
            out.space(spec.escapeWhitespaces());
          } else {
            out.add(step.bytes[i]);
          }
        }
        afterSpace = step.bytes[step.size - 1] == ' ';
      }
      if (!spec.removeExtraWhitespaces()) {
        afterSpace = false;
      }
    }
    if (spec.removeExtraWhitespaces()) {
      out.trimSpaces(spec.escapeWhitespaces());
    }
    if (spec.addDummyPrefix() && spaceAsSuffix) {
      out.space(spec.escapeWhitespaces());
    }
    return Arrays.copyOf(out.bytes, out.size);
  }

  /**
   * Puts the normal form of what stands at {@code at} into {@code out}; returns how many bytes of
   * the text it covers.
   */
  private int next(byte[] in, int at, Buffer out) {
    int whole = userDefined.isEmpty() ? 0 : userDefined.longest(in, at);
    if (whole > 0) {
      out.add(in, at, whole);
      return whole;
    }
    if (map != null) {
      long found = map.longest(in, at);
      if (found >= 0) {
        int place = (int) found;
        int count = map.replacementLength(place);
        for (int i = 0; i < count; i++) {
          out.add(map.replacement(place + i));
        }
        return (int) (found >>> 32);
      }
    }
    int length = Math.min(Utf8.length(in[at] & 0xFF), in.length - at);
    if (length == 1 && in[at] < 0) {
      out.add(REPLACEMENT_CHARACTER, 0, 3);
    } else {
      out.add(in, at, length);
    }
    return length;
  }

  /** Growing bytes. */
  private static final class Buffer {
    private byte[] bytes;
    private int size;

    Buffer(int capacity) {
      bytes = new byte[capacity];
    }

    void add(byte b) {
      if (size == bytes.length) {
        bytes = Arrays.copyOf(bytes, size * 2);
      }
      bytes[size++] = b;
    }

    void add(byte[] from, int at, int count) {
      for (int i = 0; i < count; i++) {
        add(from[at + i]);
      }
    }

    void space(boolean escape) {
      if (escape) {
        add(SPACE, 0, SPACE.length);
      } else {
        add((byte) ' ');
      }
    }

    void trimSpaces(boolean escaped) {
      byte[] space = escaped ? SPACE : new byte[] {' '};
      while (size >= space.length
          && Arrays.equals(bytes, size - space.length, size, space, 0, space.length)) {
        size -= space.length;
      }
    }
  }
}
