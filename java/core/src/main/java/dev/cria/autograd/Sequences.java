package dev.cria.autograd;

import dev.cria.CriaException;
import java.util.Arrays;

/**
 * Sequences packed into the rows of one batch. Row i of a sequence sees its prefix and the rows of
 * the sequence up to itself.
 *
 * @param table four numbers for each sequence: start, length, prefix start, prefix length; the
 *     prefix lies within the rows of another sequence, and a plain sequence has prefix length 0
 */
@SuppressWarnings("ArrayRecordComponent")
public record Sequences(int[] table) {
  private static final int FIELDS = 4;

  /** Checks the numbers; the table must not be changed afterwards. */
  public Sequences {
    if (table.length % FIELDS != 0) {
      throw new CriaException("sequences: four numbers each expected, got " + table.length);
    }
    for (int value : table) {
      if (value < 0) {
        throw new CriaException("sequences: negative number in " + Arrays.toString(table));
      }
    }
  }

  /** Plain sequences one after the other from row 0. */
  public static Sequences of(int... lengths) {
    int[] table = new int[FIELDS * lengths.length];
    int start = 0;
    for (int i = 0; i < lengths.length; i++) {
      table[FIELDS * i] = start;
      table[FIELDS * i + 1] = lengths[i];
      start = Math.addExact(start, lengths[i]);
    }
    return new Sequences(table);
  }

  /** Number of sequences. */
  public int count() {
    return table.length / FIELDS;
  }

  /** First row of a sequence. */
  public int start(int sequence) {
    return table[FIELDS * sequence];
  }

  /** Rows of a sequence, its prefix not counted. */
  public int length(int sequence) {
    return table[FIELDS * sequence + 1];
  }

  /** First row of the prefix. */
  public int prefixStart(int sequence) {
    return table[FIELDS * sequence + 2];
  }

  /** Rows of the prefix. */
  public int prefixLength(int sequence) {
    return table[FIELDS * sequence + 3];
  }

  void checkWithin(long rows) {
    for (int i = 0; i < count(); i++) {
      if ((long) start(i) + length(i) > rows || (long) prefixStart(i) + prefixLength(i) > rows) {
        throw new CriaException(
            "attention: sequence "
                + i
                + " (start "
                + start(i)
                + ", length "
                + length(i)
                + ", prefix "
                + prefixStart(i)
                + ", "
                + prefixLength(i)
                + ") does not lie within "
                + rows
                + " rows");
      }
    }
  }
}
