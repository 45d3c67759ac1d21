package dev.cria.llm.train;

import dev.cria.CriaException;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.eval.TokenScorer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Learns to predict the weighted tokens of texts: cross-entropy, summed over tokens times their
 * weights and divided by the sum of the weights of the whole step.
 */
public final class SupervisedObjective implements Objective {
  /** The objective; it has no settings. */
  public SupervisedObjective() {}

  @Override
  public String name() {
    return "sft";
  }

  @Override
  public String settings() {
    return "sft";
  }

  @Override
  public List<? extends Item> encode(Encoder encoder, DataSet data) {
    return encoder.texts(data).items();
  }

  @Override
  public void check(Item item) {
    text(item);
  }

  private static TextItem text(Item item) {
    if (item instanceof TextItem text) {
      return text;
    }
    throw new CriaException(
        "sft: " + item.origin() + " is no text to learn but a " + item.getClass().getSimpleName());
  }

  private static ScoredBatch batch(List<Item> items) {
    ScoredBatch.Builder builder = new ScoredBatch.Builder();
    for (Item item : items) {
      TextItem text = text(item);
      builder.text(text.ids(), text.weights());
    }
    return builder.build();
  }

  @Override
  public Loss loss(Llama model, List<Item> items, ForwardContext context, Metrics metrics) {
    ScoredBatch batch = batch(items);
    Tensor rows = model.predictingRows(batch, context);
    int n = batch.predictions();
    Tensor labels = Tensor.ofInts(model.device(), batch.labels(), n);
    Tensor weights = batch.unweighted() ? null : Tensor.of(model.device(), batch.weights(), n);
    Tensor sum = Ops.linearCrossEntropy(rows, model.head(), labels, weights, 1f);
    return new Loss(sum, sum.item());
  }

  @Override
  public Map<String, Samples> evaluate(
      Llama model, List<Item> items, ForwardContext context, long batchRows, Progress progress) {
    double[] nll = new double[items.size()];
    double[] weight = new double[items.size()];
    int at = 0;
    for (List<Item> part : Packing.pack(items, batchRows)) {
      ScoredBatch batch = batch(part);
      float[] each = TokenScorer.logProbabilities(model, batch, context);
      for (int s = 0; s < part.size(); s++, at++) {
        for (int i = batch.offsets()[s]; i < batch.offsets()[s + 1]; i++) {
          nll[at] -= (double) batch.weights()[i] * each[i];
          weight[at] += batch.weights()[i];
        }
      }
      progress.at("evaluation", at, items.size());
    }
    Map<String, Samples> figures = new LinkedHashMap<>();
    figures.put("loss", new Samples(nll, weight));
    return figures;
  }
}
