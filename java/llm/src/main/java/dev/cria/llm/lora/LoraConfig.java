package dev.cria.llm.lora;

import dev.cria.CriaException;
import java.util.List;

/**
 * What an adapter looks like (Hu et al. 2021): y = x W^T + alpha/rank * drop(x) A^T B^T.
 *
 * @param rank rows of A, at least 1
 * @param alpha strength; the product is scaled by alpha/rank
 * @param dropout probability with which an input of the adapter is dropped in training
 * @param targets which matrices get one: ends of module paths ({@code q_proj}, {@code
 *     mlp.up_proj}), or {@link #ALL_LINEAR}
 */
public record LoraConfig(int rank, double alpha, double dropout, List<String> targets) {
  /** Target that stands for all seven matrices of every block. */
  public static final String ALL_LINEAR = "all-linear";

  /** Checks the numbers. */
  public LoraConfig {
    if (rank < 1 || rank > 65_536) {
      throw new CriaException("LoRA: rank is " + rank + "; it must be at least 1");
    }
    if (!(alpha > 0) || Double.isInfinite(alpha)) {
      throw new CriaException("LoRA: alpha is " + alpha + "; it must be positive");
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new CriaException("LoRA: dropout is " + dropout + "; it must be in [0, 1)");
    }
    targets = List.copyOf(targets);
    if (targets.isEmpty()) {
      throw new CriaException("LoRA: no targets; name some (q_proj) or use " + ALL_LINEAR);
    }
  }

  /** All linear layers, without dropout. */
  public static LoraConfig of(int rank, double alpha) {
    return new LoraConfig(rank, alpha, 0, List.of(ALL_LINEAR));
  }

  /** The same with other targets. */
  public LoraConfig targets(String... names) {
    return new LoraConfig(rank, alpha, dropout, List.of(names));
  }

  /** The same with dropout. */
  public LoraConfig dropout(double probability) {
    return new LoraConfig(rank, alpha, probability, targets);
  }

  /** Factor of the product A^T B^T. */
  public float scale() {
    return (float) (alpha / rank);
  }

  /** Whether the matrix of this module path gets an adapter. */
  boolean selects(String module) {
    return targets.stream()
        .anyMatch(t -> t.equals(ALL_LINEAR) || module.equals(t) || module.endsWith("." + t));
  }
}
