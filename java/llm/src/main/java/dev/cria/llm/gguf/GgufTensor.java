package dev.cria.llm.gguf;

/**
 * An entry of a tensor directory.
 *
 * @param name the name in the file, such as {@code blk.0.attn_q.weight}
 * @param rows product of all dimensions but the innermost
 * @param columns the innermost dimension
 * @param vector whether there is one dimension only
 * @param type how values are stored
 * @param offset first byte in the file
 * @param bytes size in the file
 */
public record GgufTensor(
    String name, long rows, int columns, boolean vector, GgufType type, long offset, long bytes) {
  /** Shape in row-major order. */
  public long[] shape() {
    return vector ? new long[] {columns} : new long[] {rows, columns};
  }

  /** Bytes of one row. */
  public long rowBytes() {
    return (long) columns / type.blockLength() * type.blockBytes();
  }
}
