package dev.cria.llm.train;

import dev.cria.CriaException;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.DpoKind;
import dev.cria.autograd.Ops;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.Encoder;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Learns to prefer one answer to another (Rafailov et al. 2023; IPO: Azar et al. 2023; hinge: Zhao
 * et al. 2023).
 *
 * <p>The reference is the policy as it is before the first update; its log-probabilities are
 * computed once for each pair, on the same path as the policy's, and kept for the whole run. Both
 * answers of a pair share the rows of their prompt. Dropout is off: with it the policy would differ
 * from the reference before anything is learned.
 */
public final class DpoObjective implements Objective {
  private final DpoKind kind;
  private final float beta;
  private final float labelSmoothing;
  private final IdentityHashMap<Item, float[]> reference = new IdentityHashMap<>();

  /**
   * The objective.
   *
   * @param beta strength of the pull to the reference, usually 0.1
   * @param labelSmoothing share of pairs taken to be labelled the wrong way round, in [0, 0.5); for
   *     {@link DpoKind#SIGMOID} only
   */
  public DpoObjective(DpoKind kind, double beta, double labelSmoothing) {
    if (!(beta > 0) || Double.isInfinite(beta)) {
      throw new CriaException("dpo: beta is " + beta + "; it must be positive");
    }
    if (!(labelSmoothing >= 0 && labelSmoothing < 0.5)) {
      throw new CriaException(
          "dpo: label smoothing is " + labelSmoothing + "; it must be in [0, 0.5)");
    }
    if (labelSmoothing > 0 && kind != DpoKind.SIGMOID) {
      throw new CriaException("dpo: label smoothing is for the sigmoid loss, not " + kind);
    }
    this.kind = kind;
    this.beta = (float) beta;
    this.labelSmoothing = (float) labelSmoothing;
  }

  /** The sigmoid loss without smoothing. */
  public DpoObjective(double beta) {
    this(DpoKind.SIGMOID, beta, 0);
  }

  @Override
  public String name() {
    return "dpo";
  }

  @Override
  public String settings() {
    return "dpo " + kind + " beta " + beta + " smoothing " + labelSmoothing;
  }

  @Override
  public List<? extends Item> encode(Encoder encoder, DataSet data) {
    return encoder.pairs(data).items();
  }

  @Override
  public void check(Item item) {
    pair(item);
  }

  private static PairItem pair(Item item) {
    if (item instanceof PairItem pair) {
      return pair;
    }
    throw new CriaException(
        "dpo: "
            + item.origin()
            + " is no pair of answers but a "
            + item.getClass().getSimpleName());
  }

  @Override
  public void prepare(
      Llama model,
      List<Item> items,
      boolean[] used,
      List<Item> heldOut,
      long batchRows,
      Progress progress) {
    List<Item> needed = new ArrayList<>();
    for (int i = 0; i < used.length; i++) {
      if (used[i]) {
        needed.add(items.get(i));
      }
    }
    needed.addAll(heldOut);
    int done = 0;
    for (List<Item> part : Packing.pack(needed, batchRows)) {
      computeReference(model, part);
      done += part.size();
      progress.at("reference", done, needed.size());
    }
  }

  private void computeReference(Llama model, List<Item> part) {
    try (Scope scope = Scope.open()) {
      float[] sums = logProbabilities(model, part, model.inference()).toFloats();
      for (int i = 0; i < part.size(); i++) {
        reference.put(part.get(i), new float[] {sums[i], sums[part.size() + i]});
      }
    }
  }

  /** Summed log-probabilities [2n]: of all chosen answers, then of all rejected ones. */
  private static Tensor logProbabilities(Llama model, List<Item> items, ForwardContext context) {
    ScoredBatch.Builder builder = new ScoredBatch.Builder();
    int n = items.size();
    int[] order = new int[2 * n];
    for (int i = 0; i < n; i++) {
      PairItem pair = pair(items.get(i));
      builder.answers(pair.prompt(), pair.chosen(), pair.rejected());
      order[i] = 2 * i;
      order[n + i] = 2 * i + 1;
    }
    ScoredBatch batch = builder.build(order);
    Tensor rows = model.predictingRows(batch, context);
    Tensor labels = Tensor.ofInts(model.device(), batch.labels(), batch.predictions());
    Tensor each = Ops.linearLogProb(rows, model.head(), labels, false).logp();
    return Ops.segmentSum(each, batch.offsets());
  }

  @Override
  public Map<String, float[]> state(List<Item> items, List<Item> heldOut) {
    Map<String, float[]> state = new LinkedHashMap<>();
    state.put("reference.items", flatten(items));
    state.put("reference.held_out", flatten(heldOut));
    return state;
  }

  /** Two numbers for each pair; NaN where a pair has no reference because it is not used. */
  private float[] flatten(List<Item> items) {
    float[] flat = new float[2 * items.size()];
    for (int i = 0; i < items.size(); i++) {
      float[] pair = reference.get(items.get(i));
      flat[2 * i] = pair == null ? Float.NaN : pair[0];
      flat[2 * i + 1] = pair == null ? Float.NaN : pair[1];
    }
    return flat;
  }

  @Override
  public void restore(Map<String, float[]> state, List<Item> items, List<Item> heldOut) {
    unflatten(state.get("reference.items"), items);
    unflatten(state.get("reference.held_out"), heldOut);
  }

  private void unflatten(float @org.jspecify.annotations.Nullable [] flat, List<Item> items) {
    if (flat == null || flat.length != 2 * items.size()) {
      throw new CriaException(
          "dpo resume: the checkpoint has the reference of "
              + (flat == null ? 0 : flat.length / 2)
              + " pairs, the data has "
              + items.size());
    }
    for (int i = 0; i < items.size(); i++) {
      if (!Float.isNaN(flat[2 * i])) {
        reference.put(items.get(i), new float[] {flat[2 * i], flat[2 * i + 1]});
      }
    }
  }

  private record Batch(float[] refChosen, float[] refRejected, int[] chosen, int[] rejected) {}

  private Batch batch(List<Item> items) {
    int n = items.size();
    Batch b = new Batch(new float[n], new float[n], new int[n], new int[n]);
    for (int i = 0; i < n; i++) {
      PairItem pair = pair(items.get(i));
      float[] ref = reference.get(pair);
      if (ref == null) {
        throw new CriaException("dpo: " + pair.origin() + " has no reference log-probabilities");
      }
      b.refChosen[i] = ref[0];
      b.refRejected[i] = ref[1];
      b.chosen[i] = pair.chosen().length;
      b.rejected[i] = pair.rejected().length;
    }
    return b;
  }

  private record Scores(Tensor loss, float[] chosen, float[] rejected) {}

  private Scores score(Llama model, List<Item> items, Batch b, ForwardContext context) {
    int n = items.size();
    ForwardContext still =
        new ForwardContext(context.adapter(), false, 0, context.recomputedBlocks());
    Tensor sums = logProbabilities(model, items, still);
    Tensor chosen = Ops.slice(sums, 0, 0, n);
    Tensor rejected = Ops.slice(sums, 0, n, n);
    Tensor loss =
        Ops.dpoLoss(
            chosen,
            rejected,
            Tensor.of(model.device(), b.refChosen, n),
            Tensor.of(model.device(), b.refRejected, n),
            b.chosen,
            b.rejected,
            kind,
            beta,
            labelSmoothing);
    return new Scores(loss, chosen.toFloats(), rejected.toFloats());
  }

  @Override
  public Loss loss(Llama model, List<Item> items, ForwardContext context, Metrics metrics) {
    Batch b = batch(items);
    Scores scores = score(model, items, b, context);
    float[] losses = scores.loss.toFloats();
    double value = 0;
    for (int i = 0; i < losses.length; i++) {
      value += losses[i];
      double rewardChosen = beta * (double) (scores.chosen[i] - b.refChosen[i]);
      double rewardRejected = beta * (double) (scores.rejected[i] - b.refRejected[i]);
      metrics.add("rewards_chosen", rewardChosen, 1);
      metrics.add("rewards_rejected", rewardRejected, 1);
      metrics.add("rewards_margin", rewardChosen - rewardRejected, 1);
      metrics.add("accuracy", right(rewardChosen, rewardRejected), 1);
      metrics.add("logps_chosen", scores.chosen[i], 1);
      metrics.add("logps_rejected", scores.rejected[i], 1);
    }
    return new Loss(Ops.sum(scores.loss), value);
  }

  /** 1 where the first is larger, half for a tie. */
  private static double right(double chosen, double rejected) {
    return chosen > rejected ? 1 : chosen == rejected ? 0.5 : 0;
  }

  /**
   * Figures of held-out pairs: {@code loss}; {@code accuracy}: share with a positive reward margin;
   * {@code logp_accuracy}: share with log p(chosen) > log p(rejected), no reference; {@code
   * shorter_accuracy}: share in which the chosen answer is the shorter one, in tokens; ties count
   * half; {@code rewards_margin}.
   */
  @Override
  public Map<String, Samples> evaluate(
      Llama model, List<Item> items, ForwardContext context, long batchRows, Progress progress) {
    int total = items.size();
    double[] loss = new double[total];
    double[] accuracy = new double[total];
    double[] plain = new double[total];
    double[] shorter = new double[total];
    double[] margin = new double[total];
    int at = 0;
    for (List<Item> part : Packing.pack(items, batchRows)) {
      Batch b = batch(part);
      try (Scope scope = Scope.open()) {
        Scores scores = score(model, part, b, context);
        float[] losses = scores.loss.toFloats();
        for (int i = 0; i < part.size(); i++, at++) {
          double chosen = scores.chosen[i] - b.refChosen[i];
          double rejected = scores.rejected[i] - b.refRejected[i];
          loss[at] = losses[i];
          margin[at] = beta * (chosen - rejected);
          accuracy[at] = right(chosen, rejected);
          plain[at] = right(scores.chosen[i], scores.rejected[i]);
          shorter[at] = right(-b.chosen[i], -b.rejected[i]);
        }
      }
      progress.at("evaluation", at, total);
    }
    Map<String, Samples> figures = new LinkedHashMap<>();
    figures.put("loss", Samples.of(loss));
    figures.put("accuracy", Samples.of(accuracy));
    figures.put("logp_accuracy", Samples.of(plain));
    figures.put("shorter_accuracy", Samples.of(shorter));
    figures.put("rewards_margin", Samples.of(margin));
    return figures;
  }
}
