package dev.cria.cli;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.Example;
import dev.cria.llm.data.Example.ChoiceExample;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads data files for the commands that want records of one kind. */
final class DataFiles {
  private DataFiles() {}

  /** Multiple-choice questions; a record of another kind is an error. */
  static List<ChoiceExample> choices(Path file) throws IOException {
    List<ChoiceExample> questions = new ArrayList<>();
    for (Example example : DataSet.load(file).examples()) {
      if (!(example instanceof ChoiceExample question)) {
        throw new InvalidInputException(
            example.origin(),
            "is no multiple-choice question; ctx, endings and label are expected");
      }
      questions.add(question);
    }
    return questions;
  }
}
