package dev.cria.llm.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** Finds which of a set of byte strings begin at a place of a text. */
final class ByteTrie {
  private final LongLongMap edges = new LongLongMap();
  private final List<Integer> values = new ArrayList<>(List.of(-1));

  /** Called for each string found, shortest first. */
  interface Match {
    /** {@code value} is the one stored with the string, {@code length} its length in bytes. */
    void found(int value, int length);
  }

  /** Adds a string with a value that is not negative; the first of two equal strings stays. */
  void add(byte[] key, int value) {
    int node = 0;
    for (byte b : key) {
      long edge = (long) node << 8 | (b & 0xFF);
      long child = edges.get(edge);
      if (child == LongLongMap.ABSENT) {
        child = values.size();
        values.add(-1);
        edges.putIfAbsent(edge, child);
      }
      node = (int) child;
    }
    if (key.length > 0 && values.get(node) < 0) {
      values.set(node, value);
    }
  }

  /** Reports every string that begins at {@code from}. */
  void prefixes(byte[] text, int from, Match match) {
    int node = 0;
    for (int i = from; i < text.length; i++) {
      node = step(node, text[i]);
      if (node < 0) {
        return;
      }
      int value = values.get(node);
      if (value >= 0) {
        match.found(value, i + 1 - from);
      }
    }
  }

  /** Length of the longest string that begins at {@code from}, or 0. */
  int longest(byte[] text, int from) {
    int node = 0;
    int longest = 0;
    for (int i = from; i < text.length; i++) {
      node = step(node, text[i]);
      if (node < 0) {
        break;
      }
      if (values.get(node) >= 0) {
        longest = i + 1 - from;
      }
    }
    return longest;
  }

  /** Value of the string that is exactly {@code text[from, from + length)}, or -1. */
  int value(byte[] text, int from, int length) {
    int node = 0;
    for (int i = 0; i < length && node >= 0; i++) {
      node = step(node, text[from + i]);
    }
    return node < 0 ? -1 : values.get(node);
  }

  boolean isEmpty() {
    return values.size() == 1;
  }

  private int step(int node, byte b) {
    return (int) edges.get((long) node << 8 | (b & 0xFF));
  }
}
