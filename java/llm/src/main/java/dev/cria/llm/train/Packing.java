package dev.cria.llm.train;

import java.util.ArrayList;
import java.util.List;

/** Cuts a list of items into batches of limited size, keeping their order. */
final class Packing {
  private Packing() {}

  /**
   * Batches of at most {@code maxRows} rows and {@code maxItems} items (0: any number). An item
   * with more rows than that is a batch of its own.
   *
   * @param order indexes into {@code items}
   */
  static List<int[]> pack(List<Item> items, int[] order, long maxRows, int maxItems) {
    List<int[]> batches = new ArrayList<>();
    int start = 0;
    long rows = 0;
    for (int i = 0; i < order.length; i++) {
      int next = items.get(order[i]).rows();
      boolean full = rows + next > maxRows || (maxItems > 0 && i - start == maxItems);
      if (i > start && full) {
        batches.add(java.util.Arrays.copyOfRange(order, start, i));
        start = i;
        rows = 0;
      }
      rows += next;
    }
    if (start < order.length) {
      batches.add(java.util.Arrays.copyOfRange(order, start, order.length));
    }
    return batches;
  }

  /** Batches of all items in their order. */
  static List<List<Item>> pack(List<Item> items, long maxRows) {
    int[] order = new int[items.size()];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    List<List<Item>> batches = new ArrayList<>();
    for (int[] batch : pack(items, order, maxRows, 0)) {
      batches.add(items.subList(batch[0], batch[batch.length - 1] + 1));
    }
    return batches;
  }
}
