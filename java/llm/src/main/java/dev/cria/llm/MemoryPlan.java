package dev.cria.llm;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.llm.lora.Adapter;
import dev.cria.nn.Parameter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a training step needs, in bytes, and how many blocks are recomputed so that it fits.
 *
 * <p>The sizes follow from the shape of the model and the rows of a batch; the memory that is in
 * use already, weights included, is measured.
 *
 * @param present resident memory of the process before training, clean file pages apart
 * @param trainingState gradients, moments and master weights that training adds
 * @param activations what the forward pass keeps for backward
 * @param working the most that comes and goes beside it: one block's backward pass, its recomputed
 *     activations, the loss
 * @param allowance for the growth of the Java heap and what the system adds
 * @param recomputedBlocks how many blocks, from the first, keep only their input
 * @param blocks of the model
 */
public record MemoryPlan(
    long present,
    long trainingState,
    long activations,
    long working,
    long allowance,
    int recomputedBlocks,
    int blocks) {
  /** Logits that exist at a time in the loss, as the kernels cut them. */
  private static final long LOGITS = 12L << 20;

  private static final long HEAP_GROWTH = 192L << 20;

  /** The peak. */
  public long total() {
    return present + trainingState + activations + working + allowance;
  }

  /** The parts by name, in bytes. */
  public Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("present_bytes", present);
    map.put("training_state_bytes", trainingState);
    map.put("activation_bytes", activations);
    map.put("working_bytes", working);
    map.put("allowance_bytes", allowance);
    map.put("total_bytes", total());
    map.put("recomputed_blocks", recomputedBlocks);
    map.put("blocks", blocks);
    return map;
  }

  /**
   * The plan that recomputes as little as the limit allows.
   *
   * @param rows most rows of a micro-batch
   * @param eightBit whether the moments have 8 bits
   * @param limit most resident bytes of the process, 0 for no limit: then nothing is recomputed
   * @throws CriaException naming the least possible if even recomputing every block does not fit
   */
  public static MemoryPlan of(Llama model, long rows, boolean eightBit, long limit) {
    int blocks = model.config().layers();
    MemoryPlan plan = with(model, rows, eightBit, 0);
    for (int n = 1; limit > 0 && n <= blocks && plan.total() > limit; n++) {
      plan = with(model, rows, eightBit, n);
    }
    if (limit > 0 && plan.total() > limit) {
      throw new CriaException(
          "memory plan: at least "
              + mebibytes(plan.total())
              + " MiB are needed for micro-batches of "
              + rows
              + " tokens with every block recomputed, "
              + mebibytes(limit)
              + " MiB are allowed; use smaller batches, shorter texts, a smaller rank or 8-bit"
              + " moments");
    }
    return plan;
  }

  private static MemoryPlan with(Llama model, long rows, boolean eightBit, int recomputed) {
    LlamaConfig c = model.config();
    Adapter adapter = model.activeAdapter();
    long kept = 4 * rows * keptPerRow(c, adapter);
    long input = 4 * rows * c.hidden();
    long state = 0;
    for (Parameter parameter : model.trainedParameters()) {
      long n = parameter.value().size();
      state += 4 * n + (eightBit ? 2 * n + n / 32 : 8 * n);
      state += parameter.value().dtype() == DType.BF16 ? 4 * n : 0;
    }
    // Gradients of one block: of its feed-forward part, which is the wider one, and the stream;
    // beside them the intermediate values that the forward pass of the block does not keep.
    long wide = Math.max(3L * c.intermediate(), 2L * (c.queryDim() + c.kvDim()) + c.queryDim());
    long backward = 4 * rows * (wide + 4L * c.hidden());
    long forward = 4 * rows * (c.queryDim() + c.kvDim() + 4L * c.hidden() + c.intermediate());
    long loss = 4 * (3 * rows * c.hidden() + Math.min(rows * c.vocab(), LOGITS));
    long block = backward + (recomputed > 0 ? kept + forward : 0);
    long present = ProcessMemory.residentBytes();
    if (present < 0) {
      Runtime heap = Runtime.getRuntime();
      present = model.device().liveBytes() + heap.totalMemory();
    }
    return new MemoryPlan(
        present,
        state,
        (c.layers() - recomputed) * kept + recomputed * input,
        Math.max(block, Math.max(forward, loss)),
        HEAP_GROWTH + model.device().scratchBytes() / 2,
        recomputed,
        c.layers());
  }

  /** Floats that one row of one block keeps for backward. */
  private static long keptPerRow(LlamaConfig c, @Nullable Adapter adapter) {
    // Stream before attention and before the feed-forward part, with their norms' factors;
    // rotated queries and keys, values, attention output with its log-sums; gate and up.
    long floats = 2L * (c.hidden() + 1) + 2L * c.queryDim() + 2L * c.kvDim() + c.heads();
    floats += 2L * c.intermediate();
    boolean full = adapter == null;
    String path = LlamaBlock.path(0);
    boolean[] adapted = new boolean[LlamaBlock.MATRICES.size()];
    for (int m = 0; m < adapted.length; m++) {
      boolean has =
          adapter != null && adapter.branch(path + LlamaBlock.MATRICES.get(m), true) != null;
      adapted[m] = full || has;
      floats += has && adapter != null ? adapter.config().rank() : 0;
    }
    floats += adapted[0] || adapted[1] || adapted[2] ? c.hidden() : 0;
    floats += adapted[4] || adapted[5] ? c.hidden() : 0;
    floats += adapted[6] ? c.intermediate() : 0;
    return floats;
  }

  private static long mebibytes(long bytes) {
    return (bytes + (1 << 20) - 1) >> 20;
  }
}
