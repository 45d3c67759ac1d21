package dev.cria.cli;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.chat.ChatTemplate;
import dev.cria.llm.chat.Message;
import dev.cria.llm.chat.NamedTemplates;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.tokenizer.Tokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A dialogue with a model. */
@Command(
    name = "chat",
    sortOptions = false,
    customSynopsis = "cria chat --model DIR [OPTIONS]",
    description = {
      "Talk with a model. Each line of standard input is a turn of the user.",
      "The dialogue goes through the model's chat template, default system turn included; an answer"
          + " ends at the template's end of turn. With --json each answer is a line of JSON."
    },
    footer = {
      "",
      "Examples:",
      "  cria chat --model smollm2",
      "  echo 'What is the capital of France?' | cria chat --model smollm2 --greedy",
      "  cria chat --model base --adapter run/adapter --template alpaca --temperature 0.7"
    })
final class ChatCommand extends CriaCommand {
  @Mixin private ModelOptions model = new ModelOptions();
  @Mixin private SamplingOptions sampling = new SamplingOptions();

  @Option(
      names = "--template",
      paramLabel = "NAME",
      description =
          "Chat template: alpaca, chatml, vicuna, llama-2 or zephyr; default: the model's own.")
  private @Nullable String template;

  @Option(names = "--system", paramLabel = "TEXT", description = "A system turn of your own.")
  private @Nullable String system;

  @Override
  protected void check() {
    sampling.check(this);
    String name = template;
    if (name != null && !NamedTemplates.names().contains(name)) {
      throw usage(
          "--template " + name + " is not known; " + String.join(", ", NamedTemplates.names()));
    }
  }

  @Override
  protected int run() throws IOException {
    try (Device device = openDevice();
        Llama llama = model.load(device);
        Generator generator = new Generator(llama)) {
      Tokenizer tokenizer = llama.tokenizer();
      ChatTemplate form =
          TrainingCommand.template(model.model, template, tokenizer)
              .orElseThrow(
                  () ->
                      new InvalidInputException(
                          model.model.toString(),
                          "the model has no chat template; use --template chatml, alpaca or vicuna"));
      Set<Integer> stop = new TreeSet<>(llama.config().eosIds());
      tokenizer.eosId().ifPresent(stop::add);
      endOfTurn(form, tokenizer, stop);
      List<Message> dialogue = new ArrayList<>();
      String first = system;
      if (first != null) {
        dialogue.add(new Message(Message.SYSTEM, first));
      }
      BufferedReader in =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = ask(in); line != null; line = ask(in)) {
        if (!line.isBlank()) {
          dialogue.add(Message.user(line));
          dialogue.add(Message.assistant(answer(generator, tokenizer, form, dialogue, stop)));
        }
      }
    }
    return 0;
  }

  private @Nullable String ask(BufferedReader in) throws IOException {
    if (!json && Terminal.interactive()) {
      out().print("> ");
      out().flush();
    }
    return in.readLine();
  }

  /** Adds the mark with which the template ends a turn of the model. */
  private static void endOfTurn(ChatTemplate form, Tokenizer tokenizer, Set<Integer> stop) {
    List<Message> sample = List.of(Message.user("a"), Message.assistant("b"));
    List<ChatTemplate.Segment> segments = form.segments(sample);
    for (ChatTemplate.Segment segment : segments) {
      if (segment.message() == 1) {
        for (int id : tokenizer.encode(segment.text(), true)) {
          if (tokenizer.isSpecial(id)) {
            stop.add(id);
            return;
          }
        }
      }
    }
  }

  private String answer(
      Generator generator,
      Tokenizer tokenizer,
      ChatTemplate form,
      List<Message> dialogue,
      Set<Integer> stop) {
    int[] ids = tokenizer.encode(form.render(dialogue, true), true);
    TextStream stream = new TextStream(tokenizer, json ? null : out());
    Generator.Result made = generator.generate(ids, sampling.options(stop), stream::accept);
    String text = stream.finish();
    if (json) {
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("answer", text);
      facts.put("prompt_ids", ids);
      facts.put("ids", made.tokens());
      facts.put("stop", made.stop().name().toLowerCase(Locale.ROOT));
      facts.put("prompt_seconds", made.promptSeconds());
      facts.put("seconds", made.seconds());
      out().println(LINE.writeValueAsString(facts));
    } else {
      out().println();
    }
    out().flush();
    return text;
  }
}
