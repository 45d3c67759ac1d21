package dev.cria.llm.tokenizer;

import java.util.Arrays;

/** A map from non-negative longs to longs with open addressing, built once and then only read. */
final class LongLongMap {
  /** Returned by {@link #get} for a key that is not there. */
  static final long ABSENT = -1;

  private long[] keys = new long[16];
  private long[] values = new long[16];
  private int size;

  LongLongMap() {
    Arrays.fill(keys, ABSENT);
  }

  /** Stores a non-negative value, unless the key is there already. */
  void putIfAbsent(long key, long value) {
    if (2 * size >= keys.length) {
      grow();
    }
    int slot = slot(keys, key);
    if (keys[slot] == ABSENT) {
      keys[slot] = key;
      values[slot] = value;
      size++;
    }
  }

  long get(long key) {
    int slot = slot(keys, key);
    return keys[slot] == ABSENT ? ABSENT : values[slot];
  }

  int size() {
    return size;
  }

  private static int slot(long[] keys, long key) {
    long hash = key * 0x9E3779B97F4A7C15L;
    int mask = keys.length - 1;
    int slot = (int) (hash >>> 32) & mask;
    while (keys[slot] != ABSENT && keys[slot] != key) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private void grow() {
    long[] oldKeys = keys;
    long[] oldValues = values;
    keys = new long[oldKeys.length * 2];
    values = new long[keys.length];
    Arrays.fill(keys, ABSENT);
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] != ABSENT) {
        int slot = slot(keys, oldKeys[i]);
        keys[slot] = oldKeys[i];
        values[slot] = oldValues[i];
      }
    }
  }
}
