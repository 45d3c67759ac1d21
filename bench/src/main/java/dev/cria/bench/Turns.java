package dev.cria.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** Equal things of which each run takes the next, so that it comes from memory, not a cache. */
final class Turns<T> {
  private final List<T> all = new ArrayList<>();
  private int next;

  Turns(int count, IntFunction<T> make) {
    for (int i = 0; i < count; i++) {
      all.add(make.apply(i));
    }
  }

  T next() {
    next = next + 1 == all.size() ? 0 : next + 1;
    return all.get(next);
  }
}
