package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Tensor;
import dev.cria.nn.Sampler;
import dev.cria.nn.Sampling;
import org.openjdk.jmh.annotations.Param;

/** Drawing one token. */
public class SamplerBenchmark extends OperationBenchmark {
  /** How it is drawn. */
  public enum Kind {
    GREEDY,
    TEMPERATURE,
    TOP_K,
    TOP_P
  }

  @Param public Kind kind = Kind.GREEDY;

  private long key;

  @Override
  protected Operation prepare() {
    // Spread as those of a trained model; of a flat distribution nearly all tokens would have to be
    // sorted.
    Tensor logits = numbers(DType.F32, 3, 1, model.vocabulary);
    Sampling sampling =
        switch (kind) {
          case GREEDY -> Sampling.greedy();
          case TEMPERATURE -> new Sampling(0.8f, 0, 1);
          case TOP_K -> new Sampling(0.8f, 40, 1);
          case TOP_P -> new Sampling(0.8f, 0, 0.9f);
        };
    return Operation.of(
        Work.bytes(4.0 * model.vocabulary), () -> Sampler.sample(logits, sampling, ++key));
  }
}
