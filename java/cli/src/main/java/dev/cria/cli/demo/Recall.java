package dev.cria.cli.demo;

import dev.cria.llm.Llama;
import dev.cria.llm.generate.GenerateOptions;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.Samples;
import java.util.List;
import java.util.Set;

/** Measures what pretraining taught: completing its own kind of sentence for words never seen. */
final class Recall {
  private Recall() {}

  /** 1 for each word that the model states backwards rightly and ends with a full stop, else 0. */
  static Samples of(Llama model, List<String> words, Objective.Progress progress) {
    Tokenizer tokenizer = model.tokenizer();
    int bos = tokenizer.bosId().orElseThrow();
    int stop = tokenizer.encode(".", false)[0];
    double[] right = new double[words.size()];
    try (Generator generator = new Generator(model)) {
      for (int i = 0; i < right.length; i++) {
        String word = words.get(i);
        int[] text = tokenizer.encode(word + " backwards is ", false);
        int[] prompt = new int[text.length + 1];
        prompt[0] = bos;
        System.arraycopy(text, 0, prompt, 1, text.length);
        GenerateOptions options = GenerateOptions.greedy(word.length() + 4).stopAt(Set.of(stop));
        Generator.Result made = generator.generate(prompt, options, token -> {});
        boolean ended = made.stop() == Generator.Stop.TOKEN;
        right[i] = ended && tokenizer.decode(made.tokens()).equals(Words.backwards(word)) ? 1 : 0;
        progress.at("recall", i + 1, right.length);
      }
    }
    return Samples.of(right);
  }
}
