package dev.cria.llm.tokenizer;

import java.util.Arrays;

/**
 * The merge rules of a byte-pair encoding and their application. Symbols are ints; a rule joins two
 * neighbours into one and has a rank. The rule of lowest rank is applied first, the leftmost place
 * first among equals, until none applies. A heap of candidate places keeps this at O(n log n) for a
 * text of n symbols.
 */
final class BpeMerges {
  private final LongLongMap rules = new LongLongMap();

  /**
   * Adds the rule {@code left + right -> merged}; an earlier rule for the same pair stays. All
   * numbers are not negative.
   */
  void add(int left, int right, int rank, int merged) {
    rules.putIfAbsent(pair(left, right), (long) rank << 32 | merged);
  }

  /** Number of rules. */
  int size() {
    return rules.size();
  }

  /** Whether the pair is joined by a rule. */
  boolean joins(int left, int right) {
    return rules.get(pair(left, right)) != LongLongMap.ABSENT;
  }

  /**
   * Joins symbols in place and returns how many remain. A negative symbol takes part in no rule.
   *
   * @param starts for each symbol the place where it begins in the text; kept in step, or null
   */
  int apply(int[] symbols, int @org.jspecify.annotations.Nullable [] starts, int count) {
    if (count < 2) {
      return count;
    }
    int[] next = new int[count];
    int[] previous = new int[count];
    Heap heap = new Heap(count);
    for (int i = 0; i < count; i++) {
      next[i] = i + 1 < count ? i + 1 : -1;
      previous[i] = i - 1;
      offer(heap, symbols, i, next[i]);
    }
    final int dead = Integer.MIN_VALUE;
    while (!heap.isEmpty()) {
      long top = heap.pop();
      int at = (int) top;
      int right = symbols[at] == dead ? -1 : next[at];
      if (right < 0 || symbols[at] < 0 || symbols[right] < 0) {
        continue;
      }
      // The place may have changed since it was offered: then its rule has another rank and was
      // offered anew.
      long rule = rules.get(pair(symbols[at], symbols[right]));
      if (rule == LongLongMap.ABSENT || rule >>> 32 != top >>> 32) {
        continue;
      }
      symbols[at] = (int) rule;
      symbols[right] = dead;
      next[at] = next[right];
      if (next[at] >= 0) {
        previous[next[at]] = at;
      }
      offer(heap, symbols, at, next[at]);
      if (previous[at] >= 0) {
        offer(heap, symbols, previous[at], at);
      }
    }
    int kept = 0;
    for (int i = 0; i >= 0; i = next[i]) {
      symbols[kept] = symbols[i];
      if (starts != null) {
        starts[kept] = starts[i];
      }
      kept++;
    }
    return kept;
  }

  private void offer(Heap heap, int[] symbols, int at, int right) {
    if (right < 0 || symbols[at] < 0 || symbols[right] < 0) {
      return;
    }
    long rule = rules.get(pair(symbols[at], symbols[right]));
    if (rule != LongLongMap.ABSENT) {
      heap.push((rule >>> 32) << 32 | at);
    }
  }

  private static long pair(int left, int right) {
    return (long) left << 32 | right;
  }

  /** A binary heap of longs, smallest on top: rank in the upper half, place in the lower. */
  private static final class Heap {
    private long[] items;
    private int size;

    Heap(int capacity) {
      items = new long[Math.max(4, capacity)];
    }

    boolean isEmpty() {
      return size == 0;
    }

    void push(long item) {
      if (size == items.length) {
        items = Arrays.copyOf(items, size * 2);
      }
      int i = size++;
      while (i > 0 && items[(i - 1) / 2] > item) {
        items[i] = items[(i - 1) / 2];
        i = (i - 1) / 2;
      }
      items[i] = item;
    }

    long pop() {
      long top = items[0];
      long last = items[--size];
      int i = 0;
      while (true) {
        int child = 2 * i + 1;
        if (child >= size) {
          break;
        }
        if (child + 1 < size && items[child + 1] < items[child]) {
          child++;
        }
        if (items[child] >= last) {
          break;
        }
        items[i] = items[child];
        i = child;
      }
      items[i] = last;
      return top;
    }
  }
}
