package dev.cria.llm.train;

import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.Encoder;
import java.util.List;
import java.util.Map;

/**
 * What is learned: maps a batch of items to a loss and figures. The trainer owns everything else:
 * batches, gradients, the optimiser, evaluation, checkpoints.
 */
public interface Objective {
  /** Short name for reports, for example {@code sft}. */
  String name();

  /** Settings that change the result, to recognise an interrupted run. */
  String settings();

  /** The items that the records of a data set become. */
  List<? extends Item> encode(Encoder encoder, DataSet data);

  /** Throws unless the objective can learn from this item. */
  void check(Item item);

  /**
   * Called once before the first step of a run that does not resume, with the model as it is then.
   *
   * @param items all items of which the run will use some
   * @param used which of them it will use
   * @param heldOut items for evaluation
   * @param batchRows most rows of a forward pass
   */
  default void prepare(
      Llama model,
      List<Item> items,
      boolean[] used,
      List<Item> heldOut,
      long batchRows,
      Progress progress) {}

  /** What {@link #prepare} found out and a resumed run needs again. */
  default Map<String, float[]> state(List<Item> items, List<Item> heldOut) {
    return Map.of();
  }

  /** Takes back what {@link #state} gave, instead of {@link #prepare}. */
  default void restore(Map<String, float[]> state, List<Item> items, List<Item> heldOut) {}

  /**
   * Computes the loss of a micro-batch on the tape that is recording.
   *
   * @param metrics receives figures of the batch
   * @return the sum over the batch; the trainer divides by the weight of the whole step
   */
  Loss loss(Llama model, List<Item> items, ForwardContext context, Metrics metrics);

  /**
   * Figures of each held-out item, in their order, the loss (named {@code loss}) first.
   *
   * @param batchRows most rows of a forward pass
   */
  Map<String, Samples> evaluate(
      Llama model, List<Item> items, ForwardContext context, long batchRows, Progress progress);

  /** Told how far a long piece of work is. */
  interface Progress {
    /** {@code done} of {@code total} parts of {@code work} are done. */
    void at(String work, long done, long total);
  }
}
