package dev.cria.llm.tokenizer;

import dev.cria.llm.InvalidInputException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The compiled character map of a SentencePiece normaliser: a double-array trie (Darts-clone units)
 * from character sequences to places in a list of zero-terminated replacements.
 */
final class CharsMap {
  private final int[] units;
  private final byte[] replacements;

  /** {@code blob} is {@code u32 trieBytes, u32 units[], replacements}, little-endian. */
  CharsMap(byte[] blob, String where) {
    ByteBuffer in = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
    long trieBytes = blob.length < 4 ? -1 : Integer.toUnsignedLong(in.getInt());
    if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > blob.length - 4) {
      throw new InvalidInputException(
          where,
          "character map of " + blob.length + " bytes claims a trie of " + trieBytes + " bytes");
    }
    units = new int[(int) trieBytes / 4];
    in.asIntBuffer().get(units);
    replacements = new byte[blob.length - 4 - (int) trieBytes];
    in.position(4 + (int) trieBytes).get(replacements);
  }

  /**
   * Finds the longest known sequence at {@code from}. Returns its length in the upper half and the
   * place of its replacement in the lower half, or -1.
   */
  long longest(byte[] text, int from) {
    long found = -1;
    long node = offset(units[0]);
    for (int i = from; i < text.length; i++) {
      int label = text[i] & 0xFF;
      node ^= label;
      // Labels compare with the top bit included, so that a unit holding a value never passes for a
      // child.
      if (node >= units.length || label == 0 || (units[(int) node] & 0x800000FF) != label) {
        return found;
      }
      int unit = units[(int) node];
      node ^= offset(unit);
      if ((unit >>> 8 & 1) != 0) {
        if (node >= units.length) {
          return found;
        }
        int value = units[(int) node] & 0x7FFFFFFF;
        if (value < replacements.length) {
          found = (long) (i + 1 - from) << 32 | value;
        }
      }
    }
    return found;
  }

  /** Number of bytes of the replacement at a place. */
  int replacementLength(int place) {
    int end = place;
    while (end < replacements.length && replacements[end] != 0) {
      end++;
    }
    return end - place;
  }

  /** One byte of the replacements. */
  byte replacement(int place) {
    return replacements[place];
  }

  private static long offset(int unit) {
    return (long) (unit >>> 10) << ((unit & 1 << 9) >>> 6);
  }
}
