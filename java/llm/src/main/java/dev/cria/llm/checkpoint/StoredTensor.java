package dev.cria.llm.checkpoint;

import dev.cria.safetensors.SafetensorsWriter;
import java.util.function.Consumer;

/**
 * A tensor that is about to be written; its values are made when it is its turn.
 *
 * @param name key in the file
 * @param dtype element type as safetensors names it
 * @param bytes size of its data
 */
record StoredTensor(
    String name, String dtype, long[] shape, long bytes, Consumer<SafetensorsWriter> content) {
  void writeTo(SafetensorsWriter writer) {
    content.accept(writer);
  }
}
