package dev.cria.llm;

import dev.cria.llm.lora.Adapter;
import org.jspecify.annotations.Nullable;

/**
 * How one forward pass is made: which adapter is on, whether dropout is, and what backward
 * recomputes. Immutable.
 *
 * @param adapter the adapter that is on, null for the bare model; {@link Adapter#weighted} makes
 *     one of several
 * @param training whether adapter dropout is on
 * @param dropoutKey key of this pass's dropout masks; each layer and input derives its own
 * @param recomputedBlocks so many blocks, from the first, keep only their input and are run again
 *     by backward; matters only while a tape records
 */
public record ForwardContext(
    @Nullable Adapter adapter, boolean training, long dropoutKey, int recomputedBlocks) {

  /** A pass without dropout, with the given adapter on (null: none). */
  public static ForwardContext inference(@Nullable Adapter adapter) {
    return new ForwardContext(adapter, false, 0, 0);
  }

  /** A training pass: the masks depend on exactly these four numbers. */
  public static ForwardContext training(
      @Nullable Adapter adapter, long seed, long step, int microStep) {
    return new ForwardContext(adapter, true, Keys.of(seed, step, microStep), 0);
  }

  /** The same pass with another number of recomputed blocks. */
  public ForwardContext recomputing(int blocks) {
    return new ForwardContext(adapter, training, dropoutKey, blocks);
  }

  /** Key of the mask of one input of one layer, shared by the projections of that input. */
  long maskKey(int layer, int input) {
    return training ? Keys.of(dropoutKey, layer, input) : 0;
  }
}
