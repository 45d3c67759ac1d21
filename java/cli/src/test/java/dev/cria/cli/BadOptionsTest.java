package dev.cria.cli;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Options that cannot be. */
class BadOptionsTest extends Refusals {
  @ParameterizedTest
  @CsvSource({
    "--rank, 0, 1 or more expected",
    "--rank, -4, 1 or more expected",
    "--rank, many, --rank",
    "--alpha, 0, a positive number",
    "--dropout, 1, below 1",
    "--lr, -1, a positive number",
    "--lr, NaN, a positive number",
    "--batch-tokens, 0, 1 or more",
    "--accumulate, 0, 1 or more",
    "--warmup, 200%, out of range",
    "--memory, lots, is not a size",
    "--template, none, is not known",
    "--schedule, square, --schedule",
    "--quantize, int3, --quantize",
    "--eval-every, 5, needs --eval-data or --hold-out",
    "--no-such-option, 1, Unknown option"
  })
  void settingsThatCannotBeAreUsageErrors(String option, String value, String message) {
    refused(2, message, sft(option, value));
  }

  @Test
  void optionsThatContradictEachOtherAreUsageErrors() {
    refused(2, "--full trains the weights", sft("--full", "--quantize", "nf4"));
    refused(2, "--rank is for a new adapter", sft("--full", "--rank", 4));
    refused(2, "not both", sft("--epochs", 2));
    refused(2, "not both", sft("--resume", "--overwrite"));
    refused(2, "not both", sft("--truncate", "--drop-long"));
  }

  @Test
  void missingOptionsAreUsageErrors() {
    refused(2, "Missing required option", "sft", "--model", model, "--out", out);
    refused(2, "Missing required", "init", out);
    refused(2, "Missing required", "eval", "--model", model);
    refused(2, "Missing required", "import", model);
  }

  @ParameterizedTest
  @CsvSource({
    "--beta, 0, a positive number",
    "--beta, -0.1, a positive number",
    "--loss, best, is no loss",
    "--label-smoothing, 0.5, below 0.5",
    "--batch-pairs, 0, 1 or more"
  })
  void preferenceSettingsThatCannotBeAreUsageErrors(String option, String value, String message) {
    Path pairs = TinyModel.pairs(folder, 4);
    refused(2, message, "dpo", "--model", model, "--data", pairs, "--out", out, option, value);
  }

  @Test
  void labelSmoothingIsForTheSigmoidLoss() {
    Path pairs = TinyModel.pairs(folder, 4);
    refused(
        2,
        "is for --loss sigmoid",
        "dpo",
        "--model",
        model,
        "--data",
        pairs,
        "--out",
        out,
        "--loss",
        "ipo",
        "--label-smoothing",
        0.1);
  }

  @ParameterizedTest
  @CsvSource({
    "--temperature, -1, 0 or more",
    "--top-p, 0, above 0",
    "--top-k, -1, 0 or more",
    "--max-tokens, -1, cannot be"
  })
  void samplingThatCannotBeIsAUsageError(String option, String value, String message) {
    refused(2, message, "generate", "--model", model, option, value);
  }

  @Test
  void unknownDevice() {
    refused(1, "tpu", sft("--device", "tpu"));
  }
}
