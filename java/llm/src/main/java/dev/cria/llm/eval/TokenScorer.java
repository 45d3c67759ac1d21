package dev.cria.llm.eval;

import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;

/** Log-probabilities of labels under a model, outside training. */
public final class TokenScorer {
  private TokenScorer() {}

  /** Log-probability of each prediction of the batch, in nats, {@code [L]}. */
  public static float[] logProbabilities(Llama model, ScoredBatch batch, ForwardContext context) {
    if (batch.predictions() == 0) {
      return new float[0];
    }
    try (Scope scope = Scope.open()) {
      Tensor rows = model.predictingRows(batch, context);
      Tensor labels = Tensor.ofInts(model.device(), batch.labels(), batch.predictions());
      return Ops.linearLogProb(rows, model.head(), labels, false).logp().toFloats();
    }
  }

  /** Sum of the log-probabilities of each segment, in nats. */
  public static double[] segmentSums(Llama model, ScoredBatch batch, ForwardContext context) {
    float[] each = logProbabilities(model, batch, context);
    double[] sums = new double[batch.segments()];
    for (int s = 0; s < sums.length; s++) {
      for (int i = batch.offsets()[s]; i < batch.offsets()[s + 1]; i++) {
        sums[s] += each[i];
      }
    }
    return sums;
  }
}
