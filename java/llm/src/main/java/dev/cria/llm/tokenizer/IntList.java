package dev.cria.llm.tokenizer;

import java.util.Arrays;

/** A growing list of ints. */
final class IntList {
  private int[] items = new int[16];
  private int size;

  void add(int item) {
    if (size == items.length) {
      items = Arrays.copyOf(items, size * 2);
    }
    items[size++] = item;
  }

  int last() {
    return size == 0 ? -1 : items[size - 1];
  }

  int[] toArray() {
    return Arrays.copyOf(items, size);
  }
}
