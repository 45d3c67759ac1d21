package dev.cria.llm;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.nn.KvCache;

/** Keys and values of one text in every layer, for generation token by token. */
public final class KvState implements AutoCloseable {
  private final KvCache[] layers;
  private final long capacity;

  /**
   * An empty state.
   *
   * @param capacity most tokens it can hold
   * @param dtype F32 or BF16 storage
   */
  KvState(LlamaConfig config, Device device, long capacity, DType dtype) {
    this.capacity = capacity;
    this.layers = new KvCache[config.layers()];
    try {
      for (int i = 0; i < layers.length; i++) {
        layers[i] = new KvCache(device, capacity, config.kvHeads(), config.headDim(), dtype);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Tokens held. */
  public long length() {
    return layers[0].length();
  }

  /** Most tokens that can be held. */
  public long capacity() {
    return capacity;
  }

  /** Forgets all tokens from {@code length} on. */
  public void truncate(long length) {
    for (KvCache layer : layers) {
      layer.truncate(length);
    }
  }

  KvCache layer(int index) {
    return layers[index];
  }

  @Override
  public void close() {
    for (KvCache layer : layers) {
      if (layer != null) {
        layer.close();
      }
    }
  }
}
