package dev.cria.cli;

import dev.cria.llm.data.Encoder;
import dev.cria.llm.data.Example;
import dev.cria.llm.train.EvalReport;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Objective;
import dev.cria.llm.train.SupervisedObjective;
import java.util.List;
import picocli.CommandLine.Command;

/** Supervised fine-tuning. */
@Command(
    name = "sft",
    sortOptions = false,
    customSynopsis = "cria sft --model DIR --data FILE --out DIR [OPTIONS]",
    description = {
      "Fine-tune a model on texts, instructions or dialogues.",
      "Trains a LoRA adapter on the frozen model (on NF4 weights with --quantize nf4: QLoRA), or all"
          + " weights with --full. Of instructions and dialogues only the answers are learned.",
      "Fields of a record: text; prompt, completion; instruction, input, output; messages;"
          + " conversations."
    },
    footer = {
      "",
      "Examples:",
      "  cria sft --model m --data alpaca.json --out run --quantize nf4 --hold-out 100",
      "  cria sft --model m --data book.txt --out run --full --lr 1e-4 --max-length 256",
      "  cria sft --model m --data chats.jsonl --out run --save-every 50 --resume --memory 6g"
    })
final class SftCommand extends TrainingCommand {
  /** Settings of the run. */
  record SftSettings(TrainingSettings training) {}

  @Override
  protected long batchTokens() {
    return 2048;
  }

  @Override
  protected int batchItems() {
    return 0;
  }

  @Override
  protected Objective objective() {
    return new SupervisedObjective();
  }

  @Override
  protected List<? extends Item> items(Encoder encoder, Example example) {
    return encoder.text(example);
  }

  @Override
  protected Record settings(TrainingSettings shared) {
    return new SftSettings(shared);
  }

  @Override
  protected String unit() {
    return "nats per token";
  }

  @Override
  protected void compare(EvalReport before, EvalReport after, Outcome outcome) {
    Figures.change(outcome, "held-out loss", "held_out_loss", "loss", before, after);
  }
}
