package dev.cria.cli.demo;

import dev.cria.llm.Llama;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.eval.TokenScorer;
import dev.cria.llm.generate.GenerateOptions;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.PairItem;
import dev.cria.llm.train.Samples;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Examines a model on held-out pairs: what it answers, and which of two answers it prefers. */
public final class Exam {
  private static final int BATCH_ROWS = 2048;
  private static final int ROOM = 4; // tokens an answer may be longer than the right one

  private final List<PairItem> items;

  /** An exam; the chosen answer of each pair is the right one and ends with a stop token. */
  public Exam(List<PairItem> items) {
    this.items = List.copyOf(items);
  }

  /**
   * What a model showed.
   *
   * @param answers greedy answer to each item
   * @param exact 1 where it is the right one to the character, else 0
   * @param preferred 1 where log p(right) &gt; log p(wrong), half for a tie, else 0
   */
  public record Marks(List<String> answers, Samples exact, Samples preferred) {}

  /** Examines the model with its active adapter. */
  public Marks examine(Llama model, Objective.Progress progress) {
    Tokenizer tokenizer = model.tokenizer();
    Set<Integer> stop = Set.copyOf(model.config().eosIds());
    List<String> answers = new ArrayList<>();
    double[] exact = new double[items.size()];
    try (Generator generator = new Generator(model)) {
      for (int i = 0; i < items.size(); i++) {
        PairItem item = items.get(i);
        GenerateOptions options = GenerateOptions.greedy(item.chosen().length + ROOM).stopAt(stop);
        Generator.Result made = generator.generate(item.prompt(), options, token -> {});
        String answer = tokenizer.decode(made.tokens());
        answers.add(answer);
        boolean ended = made.stop() == Generator.Stop.TOKEN;
        exact[i] = ended && answer.equals(tokenizer.decode(item.chosen())) ? 1 : 0;
        progress.at("exam", i + 1, items.size());
      }
    }
    return new Marks(List.copyOf(answers), Samples.of(exact), Samples.of(preferred(model)));
  }

  private double[] preferred(Llama model) {
    double[] preferred = new double[items.size()];
    int from = 0;
    while (from < items.size()) {
      ScoredBatch.Builder batch = new ScoredBatch.Builder();
      int to = from;
      while (to < items.size() && (to == from || batch.rows() < BATCH_ROWS)) {
        PairItem item = items.get(to++);
        batch.answers(item.prompt(), item.chosen(), item.rejected());
      }
      double[] sums = TokenScorer.segmentSums(model, batch.build(), model.inference());
      for (int i = from; i < to; i++) {
        double right = sums[2 * (i - from)];
        double wrong = sums[2 * (i - from) + 1];
        preferred[i] = right > wrong ? 1 : right == wrong ? 0.5 : 0;
      }
      from = to;
    }
    return preferred;
  }
}
