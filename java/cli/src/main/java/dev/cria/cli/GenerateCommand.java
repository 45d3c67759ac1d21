package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.tokenizer.Tokenizer;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Continues a text. */
@Command(
    name = "generate",
    sortOptions = false,
    customSynopsis = "cria generate --model DIR [OPTIONS]",
    description = {
      "Continue a text.",
      "Without --prompt the text starts from BOS. Generation ends at the model's end-of-text token,"
          + " after --max-tokens, or when the context is full."
    },
    footer = {
      "",
      "Examples:",
      "  cria generate --model stories --greedy --max-tokens 200",
      "  cria generate --model m --adapter a --prompt \"Once upon a time\" --temperature 0.7"
    })
final class GenerateCommand extends CriaCommand {
  @Mixin private ModelOptions model = new ModelOptions();
  @Mixin private SamplingOptions sampling = new SamplingOptions();

  @Option(
      names = "--prompt",
      paramLabel = "TEXT",
      description = "Text to continue; printed before what is new.")
  private @Nullable String prompt;

  @Option(
      names = "--special",
      description = "Read special tokens such as <|im_start|> in the prompt as such.")
  private boolean special;

  @Override
  protected void check() {
    sampling.check(this);
  }

  @Override
  protected int run() {
    try (Device device = openDevice();
        Phases phases = new Phases();
        Llama llama = model.load(device);
        Generator generator = new Generator(llama)) {
      phases.done("load");
      Tokenizer tokenizer = llama.tokenizer();
      int[] ids = promptIds(tokenizer);
      if (ids.length > llama.config().context()) {
        throw new InvalidInputException(
            "--prompt",
            ids.length
                + " tokens, the context of the model is "
                + llama.config().context()
                + "; shorten it");
      }
      TextStream stream = new TextStream(tokenizer, json ? null : out());
      for (int id : ids) {
        stream.accept(id);
      }
      Set<Integer> stop = new TreeSet<>(llama.config().eosIds());
      tokenizer.eosId().ifPresent(stop::add);
      Generator.Result made = generator.generate(ids, sampling.options(stop), stream::accept);
      String text = stream.finish();
      if (!json && Terminal.interactive()) {
        // Into a file or a pipe goes the text and nothing else.
        out().println();
        out().flush();
      }
      phases.done("generate");
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("text", text);
      facts.put("prompt_ids", ids);
      facts.put("ids", made.tokens());
      facts.put("stop", made.stop().name().toLowerCase(Locale.ROOT));
      facts.put("prompt_seconds", made.promptSeconds());
      facts.put("seconds", made.seconds());
      facts.put("phases", phases.toList());
      result(facts);
    }
    return 0;
  }

  private int[] promptIds(Tokenizer tokenizer) {
    int[] ids = prompt == null ? new int[0] : tokenizer.encode(prompt, special);
    if (ids.length > 0 && !tokenizer.addsBos()) {
      return ids;
    }
    if (tokenizer.bosId().isEmpty()) {
      if (ids.length > 0) {
        return ids;
      }
      throw new InvalidInputException(
          "generate", "the tokenizer has no BOS to start from; give --prompt");
    }
    int[] longer = new int[ids.length + 1];
    longer[0] = tokenizer.bosId().getAsInt();
    System.arraycopy(ids, 0, longer, 1, ids.length);
    return longer;
  }
}
