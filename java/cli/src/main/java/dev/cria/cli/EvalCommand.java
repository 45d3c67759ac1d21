package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.data.Example.ChoiceExample;
import dev.cria.llm.eval.MultipleChoice;
import dev.cria.llm.eval.Perplexity;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.train.Estimate;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures how well a model predicts a text or answers multiple-choice questions. */
@Command(
    name = "eval",
    sortOptions = false,
    customSynopsis = "cria eval --model DIR (--text FILE | --choices FILE) [OPTIONS]",
    description = {
      "Measure a model on a text or on multiple-choice questions.",
      "--text: mean negative log-likelihood in nats per token, perplexity and bits per byte, in all"
          + " and per piece. A piece longer than the context goes in windows that overlap by one"
          + " token, so that each token but the first is predicted once. BOS stands before a piece"
          + " only where the tokenizer adds one.",
      "--choices: share of questions whose right ending has the highest log-likelihood, summed and"
          + " per byte."
    },
    footer = {
      "",
      "Examples:",
      "  cria eval --model m --text book.txt",
      "  cria eval --model m --text stories.txt --separator '<|endoftext|>' --json",
      "  cria eval --model m --adapter a --quantize nf4 --choices hellaswag.jsonl --limit 200"
    })
final class EvalCommand extends CriaCommand {
  @Mixin private ModelOptions model = new ModelOptions();

  @ArgGroup(multiplicity = "1")
  private Source source = new Source();

  /** Exactly one of the two. */
  static final class Source {
    @Option(names = "--text", paramLabel = "FILE", description = "Text in UTF-8.")
    @Nullable Path text;

    @Option(
        names = "--choices",
        paramLabel = "FILE",
        description =
            "Multiple-choice questions: JSON lines with ctx, endings and label, or the like.")
    @Nullable Path choices;
  }

  @Option(
      names = "--separator",
      paramLabel = "S",
      description =
          "Cut the text at each S into pieces, which are stripped; empty ones do not count.")
  private @Nullable String separator;

  @Option(
      names = "--limit",
      paramLabel = "N",
      defaultValue = "0",
      description = "Only the first N pieces or questions; 0: all (${DEFAULT-VALUE}).")
  private int limit;

  @Override
  protected void check() {
    if (limit < 0) {
      throw usage("--limit cannot be " + limit + "; 0 or more expected");
    }
    if (separator != null && source.text == null) {
      throw usage("--separator goes with --text");
    }
    if (separator != null && separator.isEmpty()) {
      throw usage("--separator cannot be empty");
    }
  }

  @Override
  protected int run() throws IOException {
    Path text = source.text;
    Path choices = source.choices;
    if (text != null) {
      List<String> pieces = limited(pieces(text));
      if (pieces.isEmpty()) {
        throw new InvalidInputException(text.toString(), "has no text");
      }
      evaluateText(pieces);
    } else if (choices != null) {
      evaluateChoices(limited(DataFiles.choices(choices)));
    }
    return 0;
  }

  private <T> List<T> limited(List<T> all) {
    return limit > 0 && limit < all.size() ? all.subList(0, limit) : all;
  }

  private List<String> pieces(Path file) throws IOException {
    String all;
    try {
      all = Files.readString(file);
    } catch (CharacterCodingException e) {
      throw new InvalidInputException(file.toString(), "is not UTF-8", e);
    }
    if (separator == null) {
      return all.isEmpty() ? List.of() : List.of(all);
    }
    return Arrays.stream(all.split(Pattern.quote(separator), -1))
        .map(String::strip)
        .filter(piece -> !piece.isEmpty())
        .toList();
  }

  private void evaluateText(List<String> pieces) {
    long begin = System.nanoTime();
    try (Device device = openDevice();
        Progress progress = progress();
        Llama llama = model.load(device)) {
      Tokenizer tokenizer = llama.tokenizer();
      ForwardContext context = llama.inference();
      List<Map<String, Object>> each = new ArrayList<>();
      Perplexity.Score all = new Perplexity.Score(0, 0, 0);
      for (String piece : pieces) {
        Perplexity.Score score = Perplexity.text(llama, tokenizer, piece, context);
        all = all.plus(score);
        each.add(facts(score));
        if (pieces.size() > 1) {
          say("piece %4d  %s", each.size(), line(score));
        }
        progress.at("evaluation", each.size(), pieces.size());
      }
      Map<String, Object> facts = facts(all);
      facts.put("pieces", each);
      facts.put("seconds", seconds(begin));
      result(facts);
      say("all         %s", line(all));
    }
  }

  private static Map<String, Object> facts(Perplexity.Score score) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("nll", score.meanNll());
    facts.put("perplexity", score.perplexity());
    facts.put("bits_per_byte", score.bitsPerByte());
    facts.put("predicted_tokens", score.predicted());
    facts.put("bytes", score.bytes());
    return facts;
  }

  private static String line(Perplexity.Score score) {
    return "NLL %.6f  perplexity %.4f  bits per byte %.6f  (%,d tokens predicted, %,d bytes)"
        .formatted(
            score.meanNll(),
            score.perplexity(),
            score.bitsPerByte(),
            score.predicted(),
            score.bytes());
  }

  private void evaluateChoices(List<ChoiceExample> questions) {
    long begin = System.nanoTime();
    try (Device device = openDevice();
        Progress progress = progress();
        Llama llama = model.load(device)) {
      Tokenizer tokenizer = llama.tokenizer();
      ForwardContext context = llama.inference();
      double[] sum = new double[questions.size()];
      double[] bytes = new double[questions.size()];
      for (int i = 0; i < questions.size(); i++) {
        ChoiceExample question = questions.get(i);
        MultipleChoice.Answer answer = MultipleChoice.answer(llama, tokenizer, question, context);
        sum[i] = answer.bySum() == question.label() ? 1 : 0;
        bytes[i] = answer.byBytes() == question.label() ? 1 : 0;
        progress.at("evaluation", i + 1, questions.size());
      }
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("questions", questions.size());
      facts.put("accuracy", Figures.facts(Estimate.mean(sum)));
      facts.put("accuracy_per_byte", Figures.facts(Estimate.mean(bytes)));
      facts.put("seconds", seconds(begin));
      result(facts);
      say("%d questions", questions.size());
      say("accuracy by summed log-likelihood    %s", Figures.show(Estimate.mean(sum)));
      say("accuracy by log-likelihood per byte  %s", Figures.show(Estimate.mean(bytes)));
    }
  }

  private static double seconds(long begin) {
    return (System.nanoTime() - begin) * 1e-9;
  }
}
